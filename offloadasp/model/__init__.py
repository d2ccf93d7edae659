"""The problem and its solutions: instances, blocks, operations, costs, plans, strategy files."""
