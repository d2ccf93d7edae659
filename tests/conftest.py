"""What holds for every test."""

from hypothesis import HealthCheck, settings

# How long an example takes says nothing of whether it holds.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
