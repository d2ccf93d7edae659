"""Errors, wording, files, and the places of shipped files; every other folder uses them."""
