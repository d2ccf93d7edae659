"""Searches for one or several objectives."""
