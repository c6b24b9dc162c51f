#!/bin/sh
# Figure 1: MLPs 50 wide and 1 to 30 blocks deep, ten seeds, on MNIST and Fashion-MNIST.
# Does accuracy fall past some depth, and for which policies?
#
# --quick: three seeds on drawn 28×28 images; nothing is downloaded.
set -eu
. "$(dirname "$0")/common.sh"

policies='plain,resnet,resnet(scale: 0.5),highway,dirac,variable,variable(lambda: 0),variable(form: convex)'
if [ "$quick" ]; then
    figure figure1-quick examples/deep_mlp.van \
        --vary depth=1,5,10,20,30 --vary "policy=$policies" --seeds 3 "$@"
else
    for data in mnist fashion; do
        figure "figure1-$data" "examples/${data}_mlp.van" \
            --vary depth=1,5,10,15,20,25,30 --vary "policy=$policies" --seeds 10 "$@"
    done
fi
