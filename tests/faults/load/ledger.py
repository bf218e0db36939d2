"""The effects ledger: an append-only file outside the system. One write per line, so that a killed writer cuts none."""

import json
import os
import time

from streamapp.handlers import Context

VARIABLE = "FAULTS_LEDGER"
"""Environment variable with the path of the file; the workers inherit it."""
ORIGIN = "FAULTS_ORIGIN_MS"
"""Environment variable with the wall clock's milliseconds at monotonic zero, for processes whose clock is set wrong."""
DRIFT_MS = 20
"""The two clocks may drift apart by so much during a test; a run told too late is not taken for an early one."""


def origin_ms() -> str:
    """What `ORIGIN` must say."""
    return str((time.time_ns() - time.monotonic_ns()) // 1_000_000 + DRIFT_MS)


def _now_ms() -> int:
    origin = os.environ.get(ORIGIN)
    return time.time_ns() // 1_000_000 if origin is None else int(origin) + time.monotonic_ns() // 1_000_000


def note(context: Context, phase: str) -> None:
    """Write down that a run of the handler began, or made its effect."""
    line = {
        "at": _now_ms(),
        "task_id": context.task_id,
        "attempt": context.attempt,
        "worker": str(os.getpid()),
        "phase": phase,
    }
    ledger = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(ledger, json.dumps(line).encode() + b"\n")
    finally:
        os.close(ledger)


def runs_of(context: Context) -> int:
    """How many runs of this attempt have begun so far, this one included."""
    with open(os.environ[VARIABLE], "rb") as ledger:
        lines = [json.loads(line) for line in ledger]
    mine = (context.task_id, context.attempt, "begin")
    return sum((line["task_id"], line["attempt"], line["phase"]) == mine for line in lines)
