"""What a person asks of files and machine: what a file holds, and whether the solver finds a known answer."""
