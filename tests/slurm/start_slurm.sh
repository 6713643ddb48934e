#!/usr/bin/env bash
# Start a one-node SLURM on the loopback address, for tests. Needs root on Debian or Ubuntu; installs what is missing.
# Does nothing where a SLURM already runs a job of two cores, so that it can be called again; starts its own anew where
# it does not, or is set up otherwise than this script would; and never touches one that somebody else configured.
set -euo pipefail

CONFIG=/etc/slurm/slurm.conf
STATE=/var/lib/movi-prep-slurm
MARK="# written by movi-prep tests/slurm/start_slurm.sh"

say() { echo "start_slurm: $*"; }

# Far more than it takes on any machine that is alive: a busy one must not be taken for a broken one.
PATIENCE_S=120

is_ours() { [ -s "$CONFIG" ] && grep -qF "$MARK" "$CONFIG"; }

runs_jobs() { timeout "$PATIENCE_S" srun --quiet --cpus-per-task=2 --mem=4G true >/dev/null 2>&1; }

install_slurm() {
    local name missing=""
    for name in slurmctld slurmd sbatch munged; do
        command -v "$name" >/dev/null || missing="$missing $name"
    done
    [ -n "$missing" ] || return 0
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
}

start_munge() {
    # Credentials are signed with a key of this machine; the daemon insists on who owns it.
    [ -s /etc/munge/munge.key ] || dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024 status=none
    chown munge:munge /etc/munge/munge.key
    chmod 400 /etc/munge/munge.key
    install -d -o munge -g munge -m 755 /run/munge
    install -d -o munge -g munge -m 700 /var/log/munge /var/lib/munge
    munge -n 2>/dev/null | unmunge >/dev/null 2>&1 || runuser -u munge -- munged
}

print_config() {
    local host cpus memory_mb
    host=$(hostname -s)
    # Not `nproc`, which obeys OMP_NUM_THREADS. Two at least: the tests ask for jobs of two processes.
    cpus=$(getconf _NPROCESSORS_ONLN)
    [ "$cpus" -ge 2 ] || cpus=2
    memory_mb=$(awk '/MemTotal/ { printf "%d", $2 / 1024 * 0.9 }' /proc/meminfo)
    cat <<CONF
$MARK
ClusterName=moviprep
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$STATE/ctld
SlurmdSpoolDir=$STATE/d
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=$STATE/slurmctld.log
SlurmdLogFile=$STATE/slurmd.log
# No cgroups and no cpu binding: this runs in containers, too.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2
KillWait=5
# A machine that stalls for ten seconds, SLURM's own patience, has lost neither messages nor jobs.
MessageTimeout=60
BatchStartTimeout=120
UnkillableStepTimeout=300
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory_mb State=UNKNOWN
PartitionName=tests Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
}

# The dead that nobody has buried yet, as in containers, do not count.
is_alive() { ps -o stat= -C "$1" | grep -qv '^Z'; }

is_up_to_date() { is_alive slurmctld && is_alive slurmd && print_config | cmp -s - "$CONFIG"; }

stop_daemon() {
    local _
    pkill -x "$1" || return 0
    for _ in $(seq "$PATIENCE_S"); do
        is_alive "$1" || return 0
        sleep 0.5
    done
    pkill -KILL -x "$1" || true
}

stop_daemons() {
    stop_daemon slurmctld
    stop_daemon slurmd
    # Jobs and nodes of an earlier life would be waited for.
    rm -rf "$STATE/ctld" "$STATE/d"
    install -d "$STATE/ctld" "$STATE/d"
}

start_daemons() {
    local _
    slurmctld
    slurmd
    for _ in $(seq $((2 * PATIENCE_S))); do
        if sinfo --noheader --format=%T 2>/dev/null | grep -qE 'idle|mixed|allocated'; then
            break
        fi
        sleep 0.5
    done
    runs_jobs && return
    say "no job of two cores starts: $(sinfo --noheader 2>&1); see $STATE/slurmctld.log and $STATE/slurmd.log"
    exit 1
}

[ "$(id -u)" = 0 ] || { say "needs root"; exit 1; }
if ! is_ours || is_up_to_date; then
    if command -v srun >/dev/null && runs_jobs; then
        say "SLURM runs jobs already"
        exit 0
    fi
fi
if [ -s "$CONFIG" ] && ! is_ours; then
    say "$CONFIG is not ours: left alone"
    exit 1
fi
install_slurm
stop_daemons
start_munge
install -d /etc/slurm
print_config >"$CONFIG"
start_daemons
say "ready: $(sinfo --noheader)"
