"""What ends a run early: the clock, Ctrl-C, the memory of the process."""
