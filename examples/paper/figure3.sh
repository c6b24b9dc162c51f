#!/bin/sh
# Figure 3: as figure 2, on CIFAR-100, n = 1 to 4.
#
# --quick: small CNNs, n = 1, 2 and 4, one seed.
set -eu
. "$(dirname "$0")/common.sh"

cnns figure3 examples/cifar100_8n2.van 1,2,3,4 plain,resnet,variable "$@"
