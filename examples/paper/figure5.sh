#!/bin/sh
# Figure 5: α and λ over training, layer by layer, of one network with skips that fade. The
# report of a run draws them.
#
# --quick: on drawn images, some seconds.
set -eu
. "$(dirname "$0")/common.sh"

run=$sweeps/figure5${quick:+-quick}
file=examples/cifar_8n2.van
if [ "$quick" ]; then
    file=examples/quickstart.van
fi
if [ -d "$run" ]; then
    set -- --resume "$@"
fi
"$VANC" train "$file" --out "$run" "$@"
"$VANC" report "$run"
