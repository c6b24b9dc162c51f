#!/bin/sh
# How fast α and λ should move, on CIFAR-10 (no figure of the paper): its rates taken
# literally; the same slowed down; and λ from 0, where the loss has a say: fast, slower, and
# so slow that skips are left.
#
# --quick: small CNNs, n = 1, 2 and 4, one seed.
set -eu
. "$(dirname "$0")/common.sh"

literal='lagrange(alpha_rate: 1, lambda_rate: 0.1, every: step)'
if [ "$quick" ]; then
    slowed='lagrange(alpha_rate: 0.011, lambda_rate: 0.011, every: step)'
    lenient='lagrange(lambda: 0, alpha_rate: 10, lambda_rate: 0.00005, every: step)'
    between='lagrange(lambda: 0, alpha_rate: 3.75, lambda_rate: 0.0002, every: step)'
    quick_cnn rates-quick examples/cifar_8n2.van \
        --vary "constraint=$literal,$slowed,$lenient,$small_constraint,$between" "$@"
else
    slowed='lagrange(alpha_rate: 0.1, lambda_rate: 0.1, every: epoch)'
    lenient='lagrange(lambda: 0, alpha_rate: 400, lambda_rate: 0.0001, every: epoch)'
    fast='lagrange(lambda: 0, alpha_rate: 200, lambda_rate: 0.0005, every: epoch)'
    between='lagrange(lambda: 0, alpha_rate: 150, lambda_rate: 0.0004, every: epoch)'
    figure rates examples/cifar_8n2.van --vary n=1,4,10 \
        --vary "constraint=$literal,$slowed,$lenient,$fast,$between" "$@"
fi
