"""Measurements: ``scripts/bench SUITE``. Each suite says itself what it measures."""
