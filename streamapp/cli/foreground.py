"""`streamapp run ROLE`: this process becomes the role."""

import os
import sys

from streamapp.settings import load


def run_role(role: str) -> None:
    """Replace this process by the role's, so that signals reach it and its exit code is this one's."""
    if role == "api":
        arguments = ["streamapp.api"]
    elif role == "worker":
        arguments = ["streamapp.worker"]
    else:
        os.environ["STREAMAPP_ROLE"] = role
        arguments = ["faust", "-A", "streamapp", "worker", "-l", load().log.faust_level]
    os.execv(sys.executable, [sys.executable, "-m", *arguments])  # noqa: S606 - our own interpreter
