#!/bin/sh
# Figure 4 and Table 2: the other ways past degradation, on CIFAR-10: the convex form,
# λ = 0, half a ResNet, highway and Dirac networks.
#
# --quick: small CNNs, n = 1, 2 and 4, one seed.
set -eu
. "$(dirname "$0")/common.sh"

cnns figure4 examples/cifar_8n2.van 1,2,3,4,5,6,7,8,9,10 \
    'variable(form: convex),variable(lambda: 0),resnet(scale: 0.5),highway,dirac' "$@"
