"""The file system itself: what a power cut takes and what it leaves, and that nothing of it stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from brokers.waiting import wait_until
from tests.faults.power.filesystem import MIB, FileSystem
from tests.support.stack import PROJECT

OWNER = """
import signal, sys
from pathlib import Path
from tests.faults.power.lifetime import file_system
with file_system(Path(sys.argv[1]), 64) as made:
    print(made.root, flush=True)
    signal.pause()
"""

OPTIMIST = """
import contextlib, os, sys
file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
for number in range(1, 10_000_000):
    with contextlib.suppress(OSError):
        os.write(file, b"%7d\\n" % number)
        os.fsync(file)
    os.write(1, b"%d\\n" % number)
"""
"""Tells what is synced, and takes every error for a success: after the cut it must not get to say anything."""
LINE_BYTES = 8
CUTS = 5


def write(path: Path, *, synced: bool) -> None:
    with path.open("wb") as file:
        file.write(b"x" * 100_000)
        file.flush()
        if synced:
            os.fsync(file.fileno())


def test_power_cut_takes_what_was_not_synced_and_nothing_else(disk: FileSystem) -> None:
    write(disk.root / "early", synced=False)
    disk.sync()
    write(disk.root / "synced", synced=True)
    write(disk.root / "late", synced=False)
    holder = subprocess.Popen(["sleep", "600"], cwd=disk.root)
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        assert disk.power_cut(also=[bystander.pid]) == {holder.pid}
        assert (holder.wait(10), bystander.wait(10)) == (-signal.SIGKILL, -signal.SIGKILL)
    finally:
        bystander.kill()
    assert not disk.mounted
    disk.power_on()
    sizes = {path.name: path.stat().st_size for path in disk.root.iterdir() if path.is_file()}
    assert sizes.pop("late", 0) == 0
    assert sizes == {"early": 100_000, "synced": 100_000}


def test_nobody_says_anything_once_the_power_is_gone(disk: FileSystem) -> None:
    for number in range(CUTS):
        path = disk.root / str(number)
        disk.sync()
        writer = subprocess.Popen([sys.executable, "-c", OPTIMIST, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(20)]
        disk.power_cut()
        told += writer.stdout.readlines()
        writer.communicate()
        disk.power_on()
        assert path.stat().st_size >= int(told[-1]) * LINE_BYTES


@pytest.mark.parametrize("disk", [64], indirect=True)
def test_full_disk_takes_nothing_until_there_is_room(disk: FileSystem) -> None:
    disk.fill(leave=MIB)
    with pytest.raises(OSError, match="No space left"):
        (disk.root / "large").write_bytes(b"x" * 3 * MIB)
    (disk.root / "large").unlink()
    disk.grow(128)
    assert disk.free > 50 * MIB
    disk.make_room()
    assert disk.free > 100 * MIB


def test_nothing_stays_when_the_owner_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "power")], stdout=subprocess.PIPE, cwd=PROJECT, text=True
    )
    try:
        assert owner.stdout is not None
        root = Path(owner.stdout.readline().strip())
        assert os.path.ismount(root)
        user = subprocess.Popen(["sleep", "600"], cwd=root)
    finally:
        owner.kill()
        owner.communicate()
    try:
        assert user.wait(30) == -signal.SIGKILL
        assert wait_until(lambda: not root.parent.exists(), 30)
    finally:
        user.kill()
