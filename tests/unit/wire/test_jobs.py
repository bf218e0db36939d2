"""Job messages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.wire.facts import Undecodable
from streamapp.wire.jobs import Job, decode, encode
from tests.support.wire import ids, json_values

CANARY = "s3cr3t-canary"
JOB = {"taskId": "t", "attempt": 1, "type": "EMAIL", "parameters": {"to": CANARY}, "timeoutSeconds": 5.0}
jobs = st.builds(
    Job,
    task_id=ids,
    attempt=st.integers(1, 1_000_000),
    type=ids,
    parameters=json_values,
    timeout_seconds=st.floats(0.001, 1e9),
    traceparent=st.none() | st.just("00-abc-def-01"),
    first_attempt=st.integers(1, 1_000_000),
)


@given(jobs)
def test_decoding_is_the_inverse_of_encoding(job):
    assert decode(encode(job)) == job
    assert job.message_id == f"{job.task_id}:{job.attempt}"


def test_a_job_carries_nothing_but_what_a_worker_needs():
    job = Job("t", 1, "EMAIL", {}, 5.0)
    assert set(json.loads(encode(job))) == {"taskId", "attempt", "type", "parameters", "timeoutSeconds"}


def test_a_job_of_a_requeued_task_says_where_its_attempts_begin():
    job = Job("t", 5, "EMAIL", {}, 5.0, None, 4)
    assert json.loads(encode(job))["firstAttempt"] == 4
    assert decode(json.dumps(JOB).encode()).first_attempt == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        CANARY.encode(),
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps(JOB | {"attempt": 0}).encode(),
        json.dumps(JOB | {"attempt": CANARY}).encode(),
        json.dumps(JOB | {"taskId": ""}).encode(),
        json.dumps(JOB | {"taskId": "é" * 101}).encode(),
        json.dumps(JOB | {"type": "é" * 101}).encode(),
        json.dumps(JOB | {"timeoutSeconds": 0}).encode(),
        json.dumps({name: value for name, value in JOB.items() if name != "parameters"}).encode(),
        json.dumps(JOB).encode().replace(b'{"to"', b"[" * 100_000 + b"]" * 100_000 + b',{"to"'),
        json.dumps(JOB | {"parameters": json.loads("[" * 65 + "]" * 65)}).encode(),
        json.dumps(JOB | {"parameters": "x"}).encode().replace(b'"x"', b"1e400"),
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_what_is_no_job_is_undecodable_with_a_reason_that_quotes_nothing(body):
    with pytest.raises(Undecodable) as caught:
        decode(body)
    assert CANARY not in str(caught.value)
