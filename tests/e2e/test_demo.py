"""`streamapp demo`, the first command of the README: its books, its verdict, and that it leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.mark.timeout(240)
def test_the_demo_finds_everything_as_it_must_be_and_leaves_nothing_running() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    demo = subprocess.Popen(
        [sys.executable, "-m", "streamapp.cli", "demo", "--json"],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    output, said = demo.communicate(timeout=230)
    assert demo.returncode == 0, f"{output}\n{said}"

    document = json.loads(output)
    assert document["faults"] == []
    assert document["balance"] is True
    assert document["books"]["accepted"] == 164
    assert document["task"]["state"] == "COMPLETED"
    assert [attempt["attempt"] for attempt in document["task"]["attempts"]] == [1, 2, 3]
    folder = f"demo-{demo.pid}"
    assert not (PROJECT / ".streamapp" / folder).exists()
    assert not [command for command in _commands() if folder in command]


def _commands() -> list[str]:
    """The command lines and folders of every process there is."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().decode(errors="replace")
            found.append((process / "cmdline").read_bytes().decode(errors="replace") + environment)
        except OSError:
            continue  # it ended while we looked
    return found
