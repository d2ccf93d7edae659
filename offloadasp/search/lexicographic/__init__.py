"""Searches for one or several objectives; what an objective is, says ``model/objectives.py``."""
