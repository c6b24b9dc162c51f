#!/bin/sh
# How fast α and λ should move, on CIFAR-10 (no figure of the paper): its rates taken
# literally; the same slowed down; and λ from 0, where the loss has a say, at a rate that
# ends the skips (as shipped) and at one that does not.
#
# --quick: small CNNs, n = 1, 2 and 4, one seed.
set -eu
. "$(dirname "$0")/common.sh"

literal='lagrange(alpha_rate: 1, lambda_rate: 0.1, every: step)'
if [ "$quick" ]; then
    slowed='lagrange(alpha_rate: 0.011, lambda_rate: 0.011, every: step)'
    lenient='lagrange(lambda: 0, alpha_rate: 10, lambda_rate: 0.00005, every: step)'
    quick_cnn rates-quick examples/cifar_8n2.van \
        --vary "constraint=$literal,$slowed,$lenient,$small_constraint" "$@"
else
    slowed='lagrange(alpha_rate: 0.1, lambda_rate: 0.1, every: epoch)'
    lenient='lagrange(lambda: 0, alpha_rate: 400, lambda_rate: 0.0001, every: epoch)'
    shipped='lagrange(lambda: 0, alpha_rate: 200, lambda_rate: 0.0005, every: epoch)'
    figure rates examples/cifar_8n2.van --vary n=1,4,10 \
        --vary "constraint=$literal,$slowed,$lenient,$shipped" "$@"
fi
