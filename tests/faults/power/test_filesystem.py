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

WRITER = """
import os, sys, threading
def write(name):
    file = os.open(f"{sys.argv[1]}/{name}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for number in range(1_000_000):
        os.write(file, b"%7d\\n" % number)
        os.fsync(file)
        os.write(1, f"{name} {number + 1}\\n".encode())
for name in "abcdef":
    threading.Thread(target=write, args=(name,)).start()
"""
LINE_BYTES = 8
CUTS = 40
"""One cut in ten took something when the processes were not stopped before it."""


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


@pytest.mark.long
@pytest.mark.timeout(200)
@pytest.mark.parametrize("disk", [256], indirect=True)
def test_power_cut_takes_nothing_that_a_process_was_told_is_synced(disk: FileSystem) -> None:
    for number in range(CUTS):
        folder = disk.root / str(number)
        folder.mkdir()
        disk.sync()
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(100)]
        disk.power_cut()
        told += writer.stdout.readlines()
        writer.communicate()
        disk.power_on()
        synced = {name: int(count) for name, count in (line.split() for line in told)}
        left = {name: (folder / name.decode()).stat().st_size // LINE_BYTES for name in synced}
        assert {name: count for name, count in synced.items() if left[name] < count} == {}


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
