#!/bin/sh
# Figure 4 and Table 2: the other ways past degradation, on CIFAR-10: the convex form,
# λ = 0, half a ResNet, highway and Dirac networks.
#
# --quick: small CNNs, n = 1, 2 and 4, one seed.
set -eu
. "$(dirname "$0")/common.sh"

policies='policy=variable(form: convex),variable(lambda: 0),resnet(scale: 0.5),highway,dirac'
if [ "$quick" ]; then
    quick_cnn figure4-quick examples/cifar_8n2.van --vary "$policies" \
        --constraint "$small_constraint" "$@"
else
    figure figure4 examples/cifar_8n2.van --vary n=1,2,3,4,5,6,7,8,9,10 --vary "$policies" \
        --seeds 5 "$@"
fi
