"""The effects ledger: an append-only file outside the system. One write per line, so that a killed writer cuts none."""

import json
import os
import time

from streamapp.handlers import Context

VARIABLE = "FAULTS_LEDGER"
"""Environment variable with the path of the file; the workers inherit it."""
ORIGIN = "FAULTS_ORIGIN_MS"
"""Environment variable with the wall clock's milliseconds at monotonic zero: nobody sets the clock of the ledger."""


def origin_ms() -> str:
    """What `ORIGIN` must say."""
    return str((time.time_ns() - time.monotonic_ns()) // 1_000_000)


def note(context: Context, phase: str) -> None:
    """Write down that a run of the handler began, or made its effect."""
    line = {
        "at": int(os.environ[ORIGIN]) + time.monotonic_ns() // 1_000_000,
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
