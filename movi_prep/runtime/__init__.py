"""Plans and runs units of work: records of the work folder, plan, worker pools, progress."""
