"""Only the process that was started is ever signalled, whatever a pid file says."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from brokers.broker import plain_environment
from brokers.identity import Identity, identify, is_alive
from brokers.process import Process
from brokers.waiting import wait_until

SLEEPER = [sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('awake', flush=True); time.sleep(600)",
]
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, time; c = subprocess.Popen(['sleep', '600']); print(c.pid, flush=True); time.sleep(600)",
]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    started = Process(tmp_path / "pid", tmp_path / "logs" / "log")
    yield started
    started.stop(0)


@pytest.fixture
def stranger() -> Iterator[Identity]:
    """A process of somebody else."""
    with subprocess.Popen(["sleep", "600"]) as child:
        identity = identify(child.pid)
        assert identity is not None
        yield identity
        child.kill()


def spawn(process: Process, command: list[str], tmp_path: Path) -> Identity:
    process.spawn(command, plain_environment(), tmp_path, {"port": 1})
    identity = process.identity
    assert identity is not None
    assert wait_until(lambda: process.log_file.stat().st_size > 0, 20)
    return identity


def record(process: Process, identity: Identity) -> None:
    process.pid_file.write_text(json.dumps({**asdict(identity), "notes": {}}))


def test_started_process_is_found_again_through_its_pid_file(process: Process, tmp_path: Path) -> None:
    identity = spawn(process, SLEEPER, tmp_path)
    found = Process(process.pid_file, process.log_file)
    assert found.identity == identity
    assert found.notes == {"port": 1}
    assert process.last_lines() == "awake"
    assert found.stop(20)
    assert not is_alive(identity)
    assert not process.pid_file.exists()


@pytest.mark.parametrize("what", ["start time", "boot"])
def test_recycled_pid_is_never_signalled(process: Process, stranger: Identity, what: str) -> None:
    former = replace(stranger, started=1) if what == "start time" else replace(stranger, boot="an earlier one")
    record(process, former)
    assert not process.running
    process.kill()
    assert process.stop(5)
    assert is_alive(stranger)
    assert not process.pid_file.exists()


def test_recorded_process_is_signalled(process: Process, stranger: Identity) -> None:
    """The counterpart: with the right start time the same file does name the process."""
    record(process, stranger)
    process.kill()
    assert not is_alive(stranger)


@pytest.mark.parametrize("content", ["", "nonsense", "[]", "{}", '{"pid": "1"}', '{"pid": 1, "started": null}'])
def test_unreadable_pid_file_names_nobody(process: Process, content: str) -> None:
    process.pid_file.write_text(content)
    assert not process.running
    assert process.stop(1)


def test_stubborn_process_is_killed_after_its_grace(process: Process, tmp_path: Path) -> None:
    identity = spawn(process, STUBBORN, tmp_path)
    assert not process.stop(0.3)
    assert not is_alive(identity)


def test_children_do_not_stay_behind(process: Process, tmp_path: Path) -> None:
    spawn(process, PARENT, tmp_path)
    child = identify(int(process.last_lines()))
    assert child is not None
    process.stop(20)
    assert not is_alive(child)


def test_large_log_is_put_aside(process: Process, tmp_path: Path) -> None:
    process.log_file.parent.mkdir()
    process.log_file.write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    spawn(process, SLEEPER, tmp_path)
    assert process.log_file.read_text() == "awake\n"
    assert process.log_file.with_suffix(".previous.log").exists()


def test_only_the_end_of_a_log_is_quoted(process: Process) -> None:
    process.log_file.parent.mkdir()
    process.log_file.write_text("".join(f"{number}\n" for number in range(100_000)))
    assert process.last_lines() == "\n".join(str(number) for number in range(99_980, 100_000))
