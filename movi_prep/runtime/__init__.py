"""What runs when: work folder records, plan, worker pools, progress."""
