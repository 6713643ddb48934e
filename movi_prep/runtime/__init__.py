"""What runs when: work folder records, plan, executors, progress."""
