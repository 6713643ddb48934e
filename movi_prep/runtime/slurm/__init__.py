"""SLURM: workers as whole jobs that come and go, or plain array jobs."""
