"""The effects ledger: an append-only file outside the system. One write per line, so that a killed writer cuts none."""

import json
import os
import time

from streamapp.handlers import Context

VARIABLE = "FAULTS_LEDGER"
"""Environment variable with the path of the file; the workers inherit it."""


def note(context: Context, phase: str) -> None:
    """Write down that a run of the handler began, or made its effect."""
    line = {
        "at": time.time_ns() // 1_000_000,
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
