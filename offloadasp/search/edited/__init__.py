"""The search under rules that differ from the shipped ones."""
