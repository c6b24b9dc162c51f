#!/bin/sh
# Figure 2: CNNs 8n + 2 layers deep on CIFAR-10, n = 1 to 10, five seeds: accuracy by depth,
# errors over the epochs, and the skips that fade.
#
# --quick: small CNNs, n = 1, 2 and 4, one seed.
set -eu
. "$(dirname "$0")/common.sh"

cnns figure2 examples/cifar_8n2.van 1,2,3,4,5,6,7,8,9,10 plain,resnet,variable "$@"
