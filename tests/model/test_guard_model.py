"""Nobody runs what somebody else runs, or what has been run: the guard's real scripts, whatever happens around them.

The quick slice lives the same lives every time; the long one draws its seed and says it. `STREAMAPP_MODEL_STEPS` and
`STREAMAPP_MODEL_SEED` choose another length and live a long slice again.
"""

import os
import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.guard_answers import PromiseBroken
from tests.model.guard_door import Bench
from tests.model.guard_machine import GuardMachine
from tests.model.guard_mutants import MUTANTS, Mutant
from tests.model.guard_rebuild import command_in_the_model
from tests.support.brokers import running_brokers

STEPS_PER_LIFE = 50
QUICK_LIVES = 60
LONG_STEPS = int(os.environ.get("STREAMAPP_MODEL_STEPS", "40000"))
LIVES_OF_A_MUTANT = 500
"""Four times what the best hidden one needs."""

CAUGHT_AT_ONCE = ("guard off", "epoch ignored", "owner not compared", "rebuild forgets outcomes")
SEED = 1


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A Redis of this module's own: it is flushed all the time."""
    with running_brokers(frozenset({"redis"})) as brokers:
        yield brokers.endpoints.redis_url


def live(url: str, lives: int, chance: int, mutant: Mutant | None = None, **more: Any) -> None:
    """So many lives, drawn from `chance`. Fails with the promise that was broken first."""
    chosen = settings(
        max_examples=lives,
        stateful_step_count=STEPS_PER_LIFE,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )
    mutant = mutant or Mutant("none")
    with command_in_the_model(), mutant.loose(), Bench.open(url, mutant.errors) as bench:
        run_state_machine_as_test(seed(chance)(partial(GuardMachine, bench)), settings=chosen)  # type: ignore[arg-type]


def _marked(mutant: Mutant) -> Any:
    long = [] if mutant.name in CAUGHT_AT_ONCE else [pytest.mark.long, pytest.mark.timeout(300)]
    return pytest.param(mutant, id=mutant.name, marks=long)


def test_guard_keeps_its_promises(redis_url: str) -> None:
    live(redis_url, QUICK_LIVES, SEED, derandomize=True)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_guard_keeps_its_promises_for_long(redis_url: str) -> None:
    chance = int(os.environ.get("STREAMAPP_MODEL_SEED", random.SystemRandom().randrange(2**32)))
    print(f"STREAMAPP_MODEL_SEED={chance}")
    live(redis_url, max(LONG_STEPS // STEPS_PER_LIFE, 1), chance)


@pytest.mark.parametrize("mutant", [_marked(mutant) for mutant in MUTANTS])
def test_model_catches(redis_url: str, mutant: Mutant) -> None:
    with pytest.raises(PromiseBroken):
        live(redis_url, LIVES_OF_A_MUTANT, SEED, mutant, phases=[Phase.generate], report_multiple_bugs=False)
