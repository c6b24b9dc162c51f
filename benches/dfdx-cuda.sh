#!/usr/bin/env bash
# Builds vanc with dfdx's own CUDA device (`--engine dfdx --device cuda`). Where CUDA's
# compiler is not installed, the toolkit comes from PyPI, and so may the libraries.
#
#     benches/dfdx-cuda.sh [check | build]      [build]
#
# CAPABILITY   compute capability of the card, where nvidia-smi is not here   [9.0]
# TOOLKIT      where the toolkit from PyPI is put                    [target/dfdx-cuda]
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-build}
capability=${CAPABILITY:-9.0}
folder=$(realpath -m "${TOOLKIT:-target/dfdx-cuda}")
mkdir -p "$folder/bin" "$folder/stubs"

if ! command -v nvcc >/dev/null; then
    if [ ! -x "$folder/nvidia/cu13/bin/nvcc" ]; then
        python3 -m pip install --quiet --no-deps --target "$folder" \
            nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 \
            nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
        chmod +x "$folder"/nvidia/cu13/bin/* "$folder"/nvidia/cu13/nvvm/bin/* 2>/dev/null || true
    fi
    export CUDA_PATH=$folder/nvidia/cu13
    PATH=$CUDA_PATH/bin:$PATH
fi
if ! command -v nvidia-smi >/dev/null; then
    # dfdx's build asks it for the card's capability.
    printf '#!/bin/sh\necho compute_cap\necho %s\n' "$capability" >"$folder/bin/nvidia-smi"
    chmod +x "$folder/bin/nvidia-smi"
    PATH=$folder/bin:$PATH
fi
export PATH

if [ "$what" = check ]; then
    cargo check --release --features dfdx-cuda
    exit
fi

# dfdx links the driver, NVRTC and cuBLAS by name. Where one is not here to link with, an
# empty stand-in of its name takes its place, and the loader finds the real one later: the
# program then starts only where LD_PRELOAD or the system has them.
flags=
for library in cuda:libcuda.so.1 nvrtc:libnvrtc.so.13 cublas:libcublas.so.13 cublasLt:libcublasLt.so.13; do
    name=${library%%:*} file=${library#*:}
    if ! ldconfig -p | grep -q "lib$name\.so "; then
        echo "" | cc -shared -x c - -Wl,-soname,"$file" -o "$folder/stubs/lib$name.so"
        flags="-L native=$folder/stubs -C link-arg=-Wl,--unresolved-symbols=ignore-all -C link-arg=-Wl,--no-as-needed -C link-arg=-Wl,-z,lazy"
    fi
done
RUSTFLAGS="$flags" cargo build --release --features dfdx-cuda --target-dir target/dfdx-cuda/build
echo "built: target/dfdx-cuda/build/release/vanc"
