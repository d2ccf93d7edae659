"""Engines that tests and scripts/bench share."""
