"""Constructive plans: paths over the output inside loops over groups."""
