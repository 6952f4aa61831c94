"""What holds for every test."""

from hypothesis import HealthCheck, settings

# How fast the machine is, and what else it does, is nothing that a test is about.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
