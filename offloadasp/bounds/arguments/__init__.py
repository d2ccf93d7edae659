"""The arguments that prove lower bounds, one file each. Derivations: docs/bounds.md."""
