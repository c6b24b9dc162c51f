#!/bin/sh
# How fast α and λ should move, on CIFAR-10 (no figure of the paper): its rates taken
# literally, the same slowed down, and λ from 0, where the loss has a say.
#
# --quick: small CNNs, n = 1, 2 and 4, one seed.
set -eu
. "$(dirname "$0")/common.sh"

literal='lagrange(alpha_rate: 1, lambda_rate: 0.1, every: step)'
if [ "$quick" ]; then
    slowed='lagrange(alpha_rate: 0.011, lambda_rate: 0.011, every: step)'
    quick_cnn rates-quick examples/cifar_8n2.van \
        --vary "constraint=$small_constraint,$slowed,$literal" "$@"
else
    slowed='lagrange(alpha_rate: 0.1, lambda_rate: 0.1, every: epoch)'
    shipped='lagrange(lambda: 0, alpha_rate: 100, lambda_rate: 0.001, every: epoch)'
    figure rates examples/cifar_8n2.van --vary n=1,4,10 \
        --vary "constraint=$shipped,$slowed,$literal" "$@"
fi
