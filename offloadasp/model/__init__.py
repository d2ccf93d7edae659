"""What is true: instances, blocks and operations, plans, costs, strategy files."""
