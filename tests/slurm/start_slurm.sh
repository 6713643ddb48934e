#!/usr/bin/env bash
# Start a one-node SLURM on the loopback address, for tests. Needs root on Debian or Ubuntu; installs what is missing.
# Does nothing where a SLURM already answers, so that it can be called again, and never touches one that is configured.
set -euo pipefail

CONFIG=/etc/slurm/slurm.conf
STATE=/var/lib/movi-prep-slurm
MARK="# written by movi-prep tests/slurm/start_slurm.sh"

say() { echo "start_slurm: $*"; }

answers() { timeout 10 sinfo --noheader >/dev/null 2>&1; }

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

write_config() {
    local host cpus memory_mb
    host=$(hostname -s)
    cpus=$(nproc)
    memory_mb=$(awk '/MemTotal/ { printf "%d", $2 / 1024 * 0.9 }' /proc/meminfo)
    install -d "$STATE/ctld" "$STATE/d" /etc/slurm
    cat >"$CONFIG" <<CONF
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
SchedulerParameters=sched_interval=2
MinJobAge=30
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory_mb State=UNKNOWN
PartitionName=tests Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
}

start_daemons() {
    pgrep -x slurmctld >/dev/null || slurmctld
    pgrep -x slurmd >/dev/null || slurmd
    for _ in $(seq 60); do
        if sinfo --noheader --format=%T 2>/dev/null | grep -qE 'idle|mixed|allocated'; then
            return
        fi
        sleep 0.5
    done
    say "the node did not come up; see $STATE/slurmctld.log and $STATE/slurmd.log"
    exit 1
}

[ "$(id -u)" = 0 ] || { say "needs root"; exit 1; }
if command -v sinfo >/dev/null && answers; then
    say "SLURM answers already"
    exit 0
fi
if [ -s "$CONFIG" ] && ! grep -qF "$MARK" "$CONFIG"; then
    say "$CONFIG is not ours: left alone"
    exit 1
fi
install_slurm
start_munge
write_config
start_daemons
say "ready: $(sinfo --noheader)"
