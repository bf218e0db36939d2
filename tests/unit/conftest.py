"""Hypothesis for the unit tests: always new examples, few enough that the whole folder stays well under a minute."""

from hypothesis import HealthCheck, settings

settings.register_profile("streamapp", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("streamapp")
