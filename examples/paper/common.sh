# What the scripts of the figures share; each reads this file first.
#
#     figure2.sh [--quick] [FLAG…]
#
# Other flags are handed on to `vanc sweep`: --jobs 4, --device cuda, --emit slurm.
# VANC names the program, else it is built; SWEEPS the folder for the runs.

cd "$(dirname "$0")/../.."
sweeps=${SWEEPS:-sweeps}

quick=
if [ "${1-}" = --quick ]; then
    quick=yes
    shift
fi

if [ -z "${VANC-}" ]; then
    cargo build --release
    VANC=target/release/vanc
fi

# figure NAME FILE FLAG…: trains what is missing of a sweep, and draws it.
figure() {
    folder=$sweeps/$1
    shift
    failed=0
    "$VANC" sweep "$@" --out "$folder" || failed=$?
    case " $* " in
        *' --emit '* | *' --shard '*) ;; # the runs are still to come
        *) if [ -f "$folder/results.csv" ]; then "$VANC" report "$folder"; fi ;;
    esac
    return "$failed" # what failed is in the report too
}

# Small CNNs on CIFAR images: 8 channels wide, 4 epochs, 10, 18 and 34 layers deep. The
# skips fade in the first two, so that half of the training is that of a plain network.
small='--width 8 --epochs 4 --log-every 25'
small_schedule='cosine(warmup: 1)'
small_constraint='lagrange(lambda: 0, alpha_rate: 5, lambda_rate: 0.00025, every: step)'

# cnns NAME FILE N POLICIES FLAG…: CNNs of so many units a stage, five seeds; quick, small ones.
cnns() {
    cnns_name=$1 cnns_file=$2 cnns_n=$3 cnns_policies=$4
    shift 4
    if [ "$quick" ]; then
        quick_cnn "$cnns_name-quick" "$cnns_file" --vary "policy=$cnns_policies" \
            --constraint "$small_constraint" "$@"
    else
        figure "$cnns_name" "$cnns_file" --vary "n=$cnns_n" --vary "policy=$cnns_policies" \
            --seeds 5 "$@"
    fi
}

# quick_cnn NAME FILE FLAG…: a sweep of such networks.
quick_cnn() {
    name=$1 file=$2
    shift 2
    # Unquoted on purpose: `small` is several flags.
    figure "$name" "$file" $small --schedule "$small_schedule" \
        --vary n=1,2,4 "$@"
}
