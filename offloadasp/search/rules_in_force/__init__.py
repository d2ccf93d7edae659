"""Search under edited or added rules."""
