"""From a problem to clingo and back: facts, rules in force, grounding, solving."""
