"""Delays: the seed's figures, the cap, jitter that is the same for everybody, and no overflow."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.domain.policy import Policy, delay_ms

finite = st.floats(0, 1e9, allow_nan=False)
policies = st.builds(
    Policy,
    max_attempts=st.integers(1, 1_000_000),
    delay_seconds=finite,
    multiplier=st.floats(1, 1e9),
    max_delay_seconds=finite,
    timeout_seconds=st.floats(0.001, 1e9),
    jitter=st.floats(0, 1),
)


def test_the_seed_s_delays():
    assert [delay_ms(Policy(), failures, "t") for failures in (1, 2, 3)] == [1000, 2000, 4000]
    assert Policy().max_attempts == 3


def test_the_cap_holds():
    policy = Policy(delay_seconds=10, multiplier=10, max_delay_seconds=120)
    assert [delay_ms(policy, failures, "t") for failures in (1, 2, 3, 400)] == [10_000, 100_000, 120_000, 120_000]


def test_no_failure_yet_waits_as_after_the_first():
    assert delay_ms(Policy(), 0, "t") == 1000


def test_without_a_delay_there_is_none_however_often_it_failed():
    assert delay_ms(Policy(delay_seconds=0), 5000, "t") == 0


@given(policies, st.integers(0, 1_000_000), st.text(max_size=20))
def test_any_policy_gives_a_bounded_delay_and_always_the_same(policy, failures, task_id):
    delay = delay_ms(policy, failures, task_id)
    assert delay == delay_ms(policy, failures, task_id)
    assert 0 <= delay <= policy.max_delay_seconds * (1 + policy.jitter) * 1000 + 1


@given(st.text(max_size=20), st.integers(1, 10))
def test_jitter_only_adds_and_at_most_its_fraction(task_id, failures):
    plain = delay_ms(Policy(), failures, task_id)
    assert plain <= delay_ms(Policy(jitter=0.5), failures, task_id) <= plain * 1.5


def test_jitter_differs_between_tasks_and_attempts():
    policy = Policy(jitter=1.0, multiplier=1.0)
    assert len({delay_ms(policy, failures, f"t{task}") for failures in (1, 2, 3) for task in range(20)}) > 50


@given(policies, st.integers(1, 50))
def test_delays_never_shrink_without_jitter(policy, failures):
    plain = Policy(policy.max_attempts, policy.delay_seconds, policy.multiplier, policy.max_delay_seconds)
    assert delay_ms(plain, failures, "t") <= delay_ms(plain, failures + 1, "t")


@pytest.mark.parametrize(
    "field",
    [
        {"max_attempts": 0},
        {"max_attempts": 1_000_001},
        {"delay_seconds": -1},
        {"delay_seconds": math.inf},
        {"delay_seconds": math.nan},
        {"multiplier": 0.5},
        {"multiplier": math.inf},
        {"max_delay_seconds": 2e9},
        {"timeout_seconds": 0},
        {"timeout_seconds": math.inf},
        {"jitter": 1.5},
    ],
    ids=str,
)
def test_a_policy_that_no_record_could_carry_is_refused_where_it_is_made(field):
    with pytest.raises(ValueError, match=next(iter(field))):
        Policy(**field)
