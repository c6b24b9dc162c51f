#!/usr/bin/env bash
# Builds the stand-ins into the folder that is named; with a second argument only those of
# the driver and of NVRTC. Then
#     VANC_EMULATOR=tests/emulator VANC_CUDA_PATH=FOLDER cargo test --release --test engines
# runs the CUDA engine on the CPU.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh FOLDER [alone]}
mkdir -p "$out"
make() {
    g++ -std=c++17 -O2 -shared -fPIC -Wall -Wno-unused-result \
        -Wl,-soname,"$1" -o "$out/$1" "$here/$2" -ldl -lpthread
}
make libcuda.so.1 driver.cpp
make libnvrtc.so.13 driver.cpp
[ -n "${2:-}" ] || {
    make libcublas.so.13 libraries.cpp
    make libcudnn.so.9 libraries.cpp
    make libnccl.so.2 nccl.cpp
}
