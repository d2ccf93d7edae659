"""Two-level loop nests: the family of plans that other mappers search, and what it gives here."""
