#!/usr/bin/env bash
# What has to be known of the CUDA engine, on a machine with a GPU, from built binaries:
# the engine suite on the card, step times beside PyTorch's, a CIFAR-10 run, and where there
# are two cards a run on both beside one on one.
#
#     cargo build --release && cargo test --release --no-run --test engines
#     benches/gpu.sh                       everything
#     benches/gpu.sh suite | table | run | world   one part
#     benches/gpu.sh pack FOLDER           builds both here and puts them there, small, to be
#                                          taken to such a machine with this checkout; there
#                                          VANC=FOLDER/vanc VANC_TESTS=FOLDER/engines names them
#
# VANC         the binary             [target/release/vanc]
# VANC_TESTS   the engine suite       [the newest target/release/deps/engines-*]
# VANC_DATA    folder of CIFAR-10's   [unpacked from ../shared/data, if it is there]
#              folder of images, or of cifar-10-batches-bin
# EPOCHS       of the run             [20]
# OUT          where results go       [runs/gpu]
# VANC_CUDA_PATH   CUDA's libraries   [Python's packages nvidia-*, if they are there]
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = pack ]; then
    folder=${2:?usage: benches/gpu.sh pack FOLDER}
    mkdir -p "$folder"
    cargo build --release
    tests=$(cargo test --release --no-run --test engines --message-format json |
        python3 -c 'import json, sys; print([m["executable"] for m in map(json.loads, sys.stdin)
            if m.get("executable") and m["target"]["name"] == "engines"][-1])')
    strip -o "$folder/vanc" target/release/vanc
    strip -o "$folder/engines" "$tests"
    ls -l "$folder"
    exit
fi

vanc=${VANC:-target/release/vanc}
out=${OUT:-runs/gpu}
mkdir -p "$out"
parts=${1:-suite table run world}

if [ -z "${VANC_CUDA_PATH:-}" ]; then
    VANC_CUDA_PATH=$(python3 - <<'PY' 2>/dev/null || true
import os, site, sys
folders = [*site.getsitepackages(), site.getusersitepackages(), *sys.path]
found = [os.path.join(f, "nvidia") for f in folders]
print(":".join(dict.fromkeys(f for f in found if os.path.isdir(f))))
PY
    )
    export VANC_CUDA_PATH
fi
step() { printf '\n== %s\n' "$*"; }

step 'Machine'
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv 2>/dev/null ||
    echo 'nvidia-smi is not here'
echo "libraries: ${VANC_CUDA_PATH:-where the system has them}"

for part in $parts; do
    case $part in
    suite)
        step 'Engine suite'
        tests=${VANC_TESTS:-$(ls -t target/release/deps/engines-* 2>/dev/null | grep -v '\.d$' | head -1)}
        if [ -x "$tests" ]; then
            # Where there is a card, every test of every engine runs on it too. The name of
            # the first test that says it was skipped would be in the output.
            "$tests" --nocapture --test-threads 4 2>&1 | tee "$out/suite.txt"
            ! grep -q 'CUDA engine is skipped' "$out/suite.txt" || exit 1
        else
            echo 'no test binary: cargo test --release --no-run --test engines makes it'
        fi
        ;;
    table)
        step 'Step times'
        python3 benches/gpu.py "$vanc" | tee "$out/table.md"
        ;;
    run)
        step 'CIFAR-10'
        data=${VANC_DATA:-}
        kind=folder
        if [ -n "$data" ]; then
            [ ! -d "$data/cifar-10-batches-bin" ] || kind=cifar10
        elif [ -f ../shared/data/cifar10-jpeg.tar.zst ]; then
            data=$(mktemp -d)
            trap 'rm -rf "$data"' EXIT
            tar --use-compress-program=unzstd -xf ../shared/data/cifar10-jpeg.tar.zst -C "$data"
        fi
        if [ -z "$data" ]; then
            echo 'skipped: VANC_DATA names no images'
            continue
        fi
        # The folder that holds train/ and test/, wherever in there it is.
        if [ "$kind" = folder ]; then
            data=$(dirname "$(find "$data" -maxdepth 4 -type d -name train | head -1)")
        fi
        "$vanc" train examples/cifar_8n2.van --n 2 --device cuda --force --out "$out/cifar" \
            --data "$kind(augment: [pad_crop(4), flip_horizontal])" --data-dir "$data" \
            --epochs "${EPOCHS:-20}" --log-every 100 | tee "$out/run.txt"
        echo 'α residual by epoch:'
        python3 - "$out/cifar/metrics.jsonl" <<'PY'
import json, sys
for line in map(json.loads, open(sys.argv[1])):
    if line["split"] == "test":
        print(line["epoch"], round(line["alpha_residual"], 5), round(line["accuracy"], 4))
PY
        ;;
    world)
        step 'Two GPUs'
        if [ "$(nvidia-smi --list-gpus 2>/dev/null | wc -l)" -lt 2 ]; then
            echo 'skipped: there are no two'
            continue
        fi
        # The same run by one process and by two: their losses differ by the statistics of
        # batch norms alone, and those of the second network, which has none, by rounding.
        for name in cifar thin; do
            case $name in
            cifar) file=examples/cifar_8n2.van flags=(--n 2 --batch 512) ;;
            thin)
                file=$out/plain.van flags=(--precision f32)
                cat >"$file" <<'VAN'
model plain {
    input image(3, 32, 32)
    conv(32, kernel: 3, stride: 2)
    relu
    conv(32, kernel: 3, stride: 2)
    relu
    linear(10)
}
VAN
                ;;
            esac
            for size in 1 2; do
                echo "$name, $size:"
                pids=()
                for ((rank = size - 1; rank >= 0; rank--)); do
                    RANK=$rank LOCAL_RANK=$rank WORLD_SIZE=$size MASTER_ADDR=127.0.0.1 \
                        MASTER_PORT=29517 "$vanc" train "$file" "${flags[@]}" --device cuda \
                        --data 'synthetic(train: 20000, test: 1000)' --epochs 3 --force \
                        --rate 0.01 --out "$out/world-$name-$size" &
                    pids+=($!)
                done
                for pid in "${pids[@]}"; do wait "$pid"; done
            done
        done | tee "$out/world.txt"
        ;;
    *)
        echo "no such part: $part" >&2
        exit 2
        ;;
    esac
done
