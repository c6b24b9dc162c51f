#!/usr/bin/env bash
# Runs a sweep's job array on a Slurm of one node that is started here: a part that is told
# that its time is up saves and is queued again, and the report follows when all have ended.
# Usage: tests/slurm/run.sh PATH/TO/vanc. Needs root, munge, slurmctld, slurmd and the clients.
set -euo pipefail
vanc=$(realpath "$1")
here=$(mktemp -d)
node=$(hostname -s)

stop() {
    scancel --user root 2>/dev/null || true
    for daemon in slurmd slurmctld; do
        [ ! -f "$here/$daemon.pid" ] || kill "$(cat "$here/$daemon.pid")" 2>/dev/null || true
    done
    [ -z "${munged:-}" ] || kill "$munged" 2>/dev/null || true
    sleep 1
    rm -rf "$here"
}
trap stop EXIT

fail() {
    printf '%s\n' "$*" >&2
    tail -n 50 "$here"/*.log "$here"/work/*.out >&2 || true
    exit 1
}

# Waits until a command succeeds.
until_so() {
    for _ in $(seq 240); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.25
    done
    fail "gave up waiting for: $*"
}

mkdir -p "$here"/{state,spool,work}
chmod 755 "$here"
(umask 077 && head -c 1024 /dev/urandom >"$here/munge.key")
munged --foreground --force --key-file "$here/munge.key" --socket "$here/munge.socket" \
    --pid-file "$here/munged.pid" --seed-file "$here/munge.seed" --log-file "$here/munged.log" \
    >/dev/null 2>&1 &
munged=$!
cat >"$here/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$node
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$here/munge.socket
SlurmctldPort=46817
SlurmdPort=46818
StateSaveLocation=$here/state
SlurmdSpoolDir=$here/spool
SlurmctldPidFile=$here/slurmctld.pid
SlurmdPidFile=$here/slurmd.pid
SlurmctldLogFile=$here/slurmctld.log
SlurmdLogFile=$here/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
ReturnToService=2
NodeName=$node CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$here/slurm.conf
until_so test -S "$here/munge.socket"
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF"
idle() { sinfo --noheader --format %T | grep -q idle; }
until_so idle

cd "$here/work"
cat >small.van <<'VAN'
param depth: int = 1 in 1..=9

model small {
    input image(1, 28, 28)
    linear(64)
    repeat depth { skip variable { linear(64) batch_norm relu } }
    linear(10)
}

train {
    data: synthetic(train: 4000, test: 1000)
    optimizer: sgd(rate: 0.002, momentum: 0.9)
    batch: 16
    epochs: 400
}
VAN
# This host need not have the GPU that the parts are to run on.
"$vanc" sweep small.van --vary depth=1,2 --device cuda --emit slurm | grep -q gpus-per-task=1 ||
    fail 'a script for GPUs was refused on a host without one'

"$vanc" sweep small.van --vary depth=1,9 --seeds 1 --out sweep --max-steps 20000 --threads 1 \
    --emit slurm --shards 2 --partition main --time 10 --mem 500MB >sweep.slurm
array=$(sbatch --parsable sweep.slurm)
log=slurm-${array}_2.out

logs_exist() { [ -s "sweep/runs/depth=9,seed=0/metrics.jsonl" ]; }
until_so logs_exist
# As Slurm does it before the time is up; to the last task, whose number is the array's.
scancel --signal=USR1 --batch "${array}_2"
until_so grep -q 'Slurm queues it again' "$log"
pending() { squeue --noheader --format '%F_%K %t' | grep -q "${array}_2 PD"; }
until_so pending
grep -q 'go on, submit' "$log" || fail 'the advice inside a job is not about sbatch'
other=$(scontrol show job "${array}_1" | grep -o 'Restarts=[0-9]*')
[ "$other" = Restarts=0 ] || fail 'the other part was queued again too'
# Slurm waits for two minutes before a job that was queued again, so that the node has
# forgotten it.
sleep 5
scontrol update JobId="${array}_2" StartTime=now
until_so test -f sweep/report.html
[ "$(grep -c ',done,' sweep/results.csv)" = 2 ] || fail 'not both runs are done'
resumed=$(grep -c 'resumed' "sweep/runs/depth=9,seed=0/log.txt" || true)
[ "$resumed" -ge 1 ] || fail 'the second part began anew'
echo 'the sweep went through Slurm: saved, queued again, resumed, reported'
