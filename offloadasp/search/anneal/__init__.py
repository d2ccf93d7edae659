"""Local search: simulated annealing from a plan."""
