"""The tests, in folders of the package's names."""
