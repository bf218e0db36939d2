"""Fixtures of every test: the brokers, started once, and what is made once with them."""

from tests.support.brokers import brokers_stack
from tests.support.survivor import survivor

__all__ = ["brokers_stack", "survivor"]
