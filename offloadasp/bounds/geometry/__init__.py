"""Footprints: the fewest blocks that a number of outputs or operations can use."""
