"""A file system of its own for a fault test: ext4 in a file behind a loop device, so that its power can be cut.

In: an empty folder and a size. Out: `root`, where brokers and roles may live. A power cut is ext4's own shutdown
without a flush of its journal (EXT4_IOC_SHUTDOWN in linux/ext4.h): what was not synced before is gone, as it is for a
machine whose disk keeps what it was told to sync. Needs root and loop devices; says so where they are missing.
"""

import errno
import fcntl
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from brokers.waiting import wait_until

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
WITHOUT_LOG_FLUSH = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH
TOOLS = ("mkfs.ext4", "e2fsck", "resize2fs", "mount", "umount", "sync")
GONE_SECONDS = 20.0
STOPPED_SECONDS = 10.0
MIB = 1024 * 1024


class CannotMount(Exception):
    """This machine lacks what a power cut needs; the message says what."""


class FileSystem:
    """One mounted file system. Everything about it lies in `folder`.

    Args:
        folder: exists, and is on a disk that has room for what will be written.
        mebibytes: its size; the file behind it is sparse.
    """

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.folder = folder
        self.root = folder / "disk"
        self._image = folder / "image.ext4"
        self._ballast = self.root / "ballast"
        self._mebibytes = mebibytes

    def create(self) -> None:
        """Make it and mount it.

        Raises:
            CannotMount: no root, no tool, no loop device, or no permission.
        """
        _demand_tools()
        self.root.mkdir()
        self._resize_image(self._mebibytes)
        _run("mkfs.ext4", "-q", "-m", "0", str(self._image))
        self._mount()

    @property
    def mounted(self) -> bool:
        """Whether it is mounted now."""
        return os.path.ismount(self.root)

    @property
    def free(self) -> int:
        """Bytes that may still be written."""
        state = os.statvfs(self.root)
        return state.f_bavail * state.f_frsize

    def sync(self) -> None:
        """Make everything written so far safe."""
        _run("sync", "--file-system", str(self.root))

    def power_cut(self, also: Iterable[int] = ()) -> set[int]:
        """Cut the power of every process that uses the disk and of `also`, and of the disk; it is unmounted afterwards.

        Race: a flush that is under way when ext4 shuts down may be told that it has succeeded, and what was lost would
        be acknowledged. So everybody stands still before: what returns after that is heard by nobody.

        Returns:
            The pids of those that used it.
        """
        running = self.users()
        everybody = running | set(also)
        _stop(everybody)
        disk = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(disk, SHUTDOWN, struct.pack("I", WITHOUT_LOG_FLUSH))
        finally:
            os.close(disk)
        for pid in everybody:
            _signal(pid, signal.SIGKILL)
        self._unmount()
        return running

    def power_on(self) -> None:
        """Mount it again; the journal is replayed as at the start of a machine."""
        self._mount()

    def fill(self, leave: int) -> None:
        """Leave only so many bytes free."""
        self._ballast.touch()
        with self._ballast.open("r+b") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, ballast.seek(0, os.SEEK_END) + self.free - leave)

    def make_room(self) -> None:
        """Take away what `fill` has put there, as an operator deletes something. Whoever runs here goes on running."""
        self._ballast.unlink()

    def grow(self, mebibytes: int) -> None:
        """Make it as large as this. Nobody may be using it: it is unmounted meanwhile."""
        self._unmount()
        self._resize_image(mebibytes)
        _run("e2fsck", "-f", "-p", str(self._image))
        _run("resize2fs", str(self._image))
        self._mount()

    def users(self) -> set[int]:
        """The processes, this one aside, that have something open on it, or work in a folder of it."""
        device = self.root.stat().st_dev
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return {pid for pid in pids if pid != os.getpid() and device in _devices_of(pid)}

    def close(self) -> None:
        """Kill whoever uses it, unmount it, and remove it. Again does no harm."""
        if self.mounted:
            self._unmount()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _mount(self) -> None:
        try:
            _run("mount", "-t", "ext4", "-o", "loop", str(self._image), str(self.root))
        except subprocess.CalledProcessError as error:
            raise CannotMount(
                "A file system cannot be mounted from a file, which a power cut needs (CAP_SYS_ADMIN, loop devices "
                f"and ext4 in the kernel): {error.stderr.strip()}"
            ) from error

    def _unmount(self) -> None:
        def unmounted() -> bool:
            for pid in self.users():
                _signal(pid, signal.SIGKILL)
            # Race: threads of a process that was killed may hold files for an instant after the process shows none.
            return subprocess.run(["umount", str(self.root)], capture_output=True, check=False).returncode == 0

        if not wait_until(unmounted, GONE_SECONDS):
            _run("umount", str(self.root))

    def _resize_image(self, mebibytes: int) -> None:
        with self._image.open("ab") as image:
            image.truncate(mebibytes * MIB)


def _demand_tools() -> None:
    if os.geteuid() != 0:
        raise CannotMount("Only root may mount a file system, which a power cut needs: run these tests as root.")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise CannotMount(f"A power cut needs {', '.join(missing)}: install the packages e2fsprogs, mount, coreutils.")
    if not Path("/dev/loop-control").exists():
        raise CannotMount("A power cut needs loop devices, and this machine has no /dev/loop-control.")


def _devices_of(pid: int) -> set[int]:
    """The devices on which a process has something open; as much as can be seen of one that is ending."""
    found: set[int] = set()
    try:
        links = [Path(f"/proc/{pid}/cwd"), *Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return found
    for link in links:
        with suppress(OSError):
            found.add(link.stat().st_dev)
    return found


def _stop(pids: Iterable[int]) -> None:
    """Let processes stand still: none of their threads gets back out of the kernel."""
    for pid in pids:
        _signal(pid, signal.SIGSTOP)
    for pid in pids:
        if not wait_until(partial(_stands_still, pid), STOPPED_SECONDS, every=0.001):
            raise TimeoutError(f"process {pid} does not stand still within {STOPPED_SECONDS:g} s of SIGSTOP")


def _stands_still(pid: int) -> bool:
    """Whether every thread is stopped or gone, or waits for a disk (D): that one stops when its wait ends."""
    states = set()
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):
            states.add(path.read_text().rpartition(")")[2].split()[0])
    return states <= set("TDZX")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
