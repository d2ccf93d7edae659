"""What ends a run: the clock, Ctrl-C, the memory of the process."""
