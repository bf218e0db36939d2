"""Installs a peer once: what is wanted is written down as a digest, and the same digest is not installed again.

In: a folder, the files that say what belongs there. Out: the folder as it must be, whole: the digest is written last,
so an installation that broke off is made anew. Two installers wait for each other.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.peers.peer import PeerFailed

ROOT = Path(__file__).parents[2]
"""The folder that `bench` lies in: peers' processes import from there."""

INSTALL_SECONDS = 900.0
_STAMP = "installed"


def once(folder: Path, wanted: Iterable[Path], install: Callable[[Path], None]) -> None:
    """Call `install` with a fresh `folder/content`, unless it was made from the same files before.

    Args:
        folder: the peer's; made if it is missing.
        wanted: the files that decide what is installed: locks, sources.
        install: fills the folder it is given.

    Raises:
        PeerFailed: see `run`.
    """
    digest = _digest(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    content, stamp = folder / "content", folder / _STAMP
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == digest:
            return
        stamp.unlink(missing_ok=True)
        shutil.rmtree(content, ignore_errors=True)
        content.mkdir()
        install(content)
        stamp.write_text(digest)


def python(folder: Path, lock: Path) -> None:
    """A virtual environment in `folder/content` with exactly what a lock file names. Raises PeerFailed."""

    def install(content: Path) -> None:
        run([sys.executable, "-m", "venv", str(content)])
        pip = [str(content / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        run([*pip, "--no-deps", "--require-hashes", "-r", str(lock)])

    once(folder, [lock], install)


def run(command: Sequence[str], folder: Path | None = None) -> None:
    """Run an installer to its end.

    Raises:
        PeerFailed: it is missing, failed, or took more than INSTALL_SECONDS; the end of its output is quoted.
    """
    if shutil.which(command[0]) is None:
        raise PeerFailed(f"{command[0]} is missing: install it")
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PeerFailed(f"{command[0]} did not end within {INSTALL_SECONDS:.0f} s") from error
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-20:])
        raise PeerFailed(f"{' '.join(command)} failed. The end of its output:\n{end}")


def versions(lock: Path, *names: str) -> dict[str, str]:
    """What a lock file of pip's pins, of the packages named."""
    lines = (line.split()[0].partition("==") for line in lock.read_text().splitlines() if "==" in line)
    pinned = {name: version for name, _, version in lines}
    return {name: pinned[name] for name in names}


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
