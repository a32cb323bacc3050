#!/usr/bin/env bash
# Train on a cluster with Slurm:
#
#     sbatch examples/slurm.sh --epochs 20 --batch 512
#
# from the course's folder, which all machines share and in which `python3 -m course_utils doctor` has made .venv once.
# Not run on a cluster here: tested with stand-ins for srun and scontrol, and two real processes of train.py.
#
#SBATCH --job-name=train
# Machines, and processes on each: one takes all GPUs of its machine.
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
# For GPUs take away one #, and see "GPUs" in README.md.
##SBATCH --gpus-per-node=1
#SBATCH --time=04:00:00
# Two minutes before the time is up this script is told, and goes back into the queue; as it does when a machine fails.
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=train-%j.log

set -u
cd "${SLURM_SUBMIT_DIR:-.}" || exit 1
python=${PYTHON:-.venv/bin/python}
# On a disk that all machines see. A job keeps its number in the queue, and so finds its checkpoints.
checkpoints=${CHECKPOINTS:-runs/$SLURM_JOB_ID}
most_restarts=${MOST_RESTARTS:-3}
# srun does not take this over from sbatch (since Slurm 22.05).
export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"

# srun starts one process per task and tells each who it is; devices.create_strategy() reads that. One that fails stops all.
srun --kill-on-bad-exit=1 --distribution=block "$python" examples/train.py --checkpoints "$checkpoints" "$@" &
step=$!

time_is_up=no
trap 'time_is_up=yes; kill "$step"' USR1
wait "$step"
code=$?
if [ "$time_is_up" = yes ]; then
    # The signal ended the first wait; this one is for the processes.
    wait "$step"
    echo "时间到，重新排队 · time is up: back into the queue"
    exec scontrol requeue "$SLURM_JOB_ID"
fi
# Exit code 2 is a wrong call: it would be wrong again.
if [ "$code" -ne 0 ] && [ "$code" -ne 2 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt "$most_restarts" ]; then
    echo "退出码 $code，重新排队 · exit code $code: back into the queue"
    exec scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
