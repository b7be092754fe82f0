#!/usr/bin/env bash
# Gives a bare Debian machine what the whole test run needs: a Docker engine that answers, debootstrap
# (for the base image where no registry answers) and nginx. What is there already is left alone.
#
#   scripts/setup_ci.sh LOGS       LOGS: a folder for the logs; LOGS/dockerd.pid is written if an
#                                  engine was started here, so that the caller can stop it again
set -euo pipefail
logs=${1:?usage: setup_ci.sh LOGS}
mkdir -p "$logs"

say() { echo "setup: $*"; }

# An engine needs the control groups mounted (either version); without systemd nobody does it.
has_cgroups() { [ -e /sys/fs/cgroup/cgroup.controllers ] || grep -q '^cgroup .*memory' /proc/mounts; }

wanted=()
for pair in dockerd:docker.io debootstrap:debootstrap nginx:nginx git:git make:make; do
    command -v "${pair%%:*}" >/dev/null || [ -x "/usr/sbin/${pair%%:*}" ] || wanted+=("${pair##*:}")
done
if ! has_cgroups && ! command -v cgroupfs-mount >/dev/null; then
    wanted+=(cgroupfs-mount)
fi
if [ ${#wanted[@]} -gt 0 ]; then
    [ "$(id -u)" = 0 ] || { say "needs root to install ${wanted[*]}"; exit 1; }
    say "apt-get install ${wanted[*]}"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update && apt-get install -y --no-install-recommends "${wanted[@]}"; } >"$logs/apt.log" 2>&1; then
        tail -20 "$logs/apt.log"
        exit 1
    fi
fi

if docker version >"$logs/docker-version.log" 2>&1; then
    say "a Docker engine answers"
    exit 0
fi
[ "$(id -u)" = 0 ] || { say "no Docker engine answers, and starting one needs root"; exit 1; }
PATH=$PATH:/usr/sbin:/sbin
has_cgroups || cgroupfs-mount
setsid dockerd >"$logs/dockerd.log" 2>&1 </dev/null &
pid=$!
echo "$pid" >"$logs/dockerd.pid"
for _ in $(seq 120); do
    if docker version >"$logs/docker-version.log" 2>&1; then
        say "started a Docker engine, its log is $logs/dockerd.log"
        exit 0
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.5
done
tail -20 "$logs/dockerd.log"
say "the Docker engine did not start"
exit 1
