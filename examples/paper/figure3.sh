#!/bin/sh
# Figure 3: as figure 2, on CIFAR-100, n = 1 to 4.
#
# --quick: small CNNs, n = 1, 2 and 4, one seed.
set -eu
. "$(dirname "$0")/common.sh"

policies=policy=plain,resnet,variable
if [ "$quick" ]; then
    quick_cnn figure3-quick examples/cifar100_8n2.van --vary "$policies" \
        --constraint "$small_constraint" "$@"
else
    figure figure3 examples/cifar100_8n2.van --vary n=1,2,3,4 --vary "$policies" --seeds 5 "$@"
fi
