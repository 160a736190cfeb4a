#!/usr/bin/env bash
# Jobs from `convoy launch` under a real Slurm of this one machine, started and stopped by the test:
#   tests/slurm/run.sh BUILD_FOLDER [--yes]     (--yes: install slurm-wlm and munge where they are missing)
# Needs root, as Slurm's own daemons do here. Nothing of another Slurm on the machine is touched: own ports, own folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONVOY_BUILD=${1:?usage: tests/slurm/run.sh BUILD_FOLDER [--yes]} PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1
if [ "$(id -u)" -ne 0 ]; then
  echo "skipped: a Slurm of one's own needs root"
  exit 0
fi
if ! mountpoint -q /sys/fs/cgroup; then
  echo "skipped: slurmd does not start without control groups, and none are mounted on /sys/fs/cgroup"
  exit 0
fi
if ! command -v slurmctld slurmd munged sbatch >/dev/null; then
  if [ "${2:-}" != --yes ]; then
    echo "skipped: slurm-wlm and munge are not installed; tests/slurm/run.sh $1 --yes installs them"
    exit 0
  fi
  # The package's own services need not run.
  apt-get update -qq
  env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
fi
exec "${CONVOY_PYTHON:-python3}" tests/slurm/slurm_test.py -v
