"""Nothing lost, nothing twice, nothing on replay: the real dispatcher, whatever happens around it."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import DispatchMachine

STEPS_PER_LIFE = 40
STEPS = int(os.environ.get("STREAMAPP_MODEL_STEPS", "6000"))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_dispatch_loses_nothing_and_repeats_nothing_without_cause() -> None:
    run_state_machine_as_test(
        DispatchMachine,
        settings=settings(
            max_examples=max(STEPS // STEPS_PER_LIFE, 1),
            stateful_step_count=STEPS_PER_LIFE,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
