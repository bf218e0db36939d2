"""Kafka's jars: fetched once per user with Maven, and checked against pinned checksums before every use.

In: pom.xml (what to fetch) and jars.sha256 (what must arrive), both beside this file. Out: a folder of jars. The
folder appears whole or not at all, also when two processes fetch at once.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from brokers.errors import InstallationFailed, JarsDamaged, NotInstalled

KAFKA_VERSION = "4.1.1"
_HERE = Path(__file__).parent
PINS = _HERE / "jars.sha256"
_FETCH_SECONDS = 900.0


def jar_folder(cache: Path | None = None) -> Path:
    """Where the jars are, or will be.

    Args:
        cache: folder for downloaded things; by default the user's cache folder.
    """
    if cache is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamapp"
    return cache.absolute() / f"kafka-{KAFKA_VERSION}" / "libs"


def class_path(folder: Path) -> str:
    """The jars as Java's class path, always in the same order."""
    return os.pathsep.join(str(folder / name) for name in sorted(pinned()))


def pinned() -> dict[str, str]:
    """The sha256 of every jar, by file name."""
    lines = (line.split() for line in PINS.read_text().splitlines() if line.strip())
    return {name.lstrip("*"): digest for digest, name in lines}


def verify(folder: Path) -> None:
    """Check that a folder holds exactly the pinned jars.

    Raises:
        NotInstalled: there is no such folder.
        JarsDamaged: a jar is missing, not pinned, or not the same file; the message names each.
    """
    if not folder.is_dir():
        raise NotInstalled(f"Kafka {KAFKA_VERSION} is not in {folder}: run python -m brokers install.")
    expected = pinned()
    present = {entry.name for entry in folder.iterdir()}
    faults = [f"{name} is missing" for name in sorted(expected.keys() - present)]
    faults += [f"{name} does not belong there" for name in sorted(present - expected.keys())]
    for name in sorted(expected.keys() & present):
        if _digest(folder / name) != expected[name]:
            faults.append(f"{name} is not the pinned file (sha256 differs)")
    if faults:
        raise JarsDamaged(
            f"Kafka's jars in {folder} are not those of {PINS.name}: {'; '.join(faults)}. "
            "Remove that folder and run python -m brokers install."
        )


def fetch(folder: Path, notify: Callable[[str], None]) -> None:
    """Bring the jars into a folder, unless they are there already, and verify them.

    Raises:
        NotInstalled: Maven is missing.
        InstallationFailed: Maven failed; the end of its output is quoted.
        JarsDamaged: what is there, or what Maven brought, is not what is pinned.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.parent / "fetch.lock"):
        if not folder.is_dir():
            notify(f"fetching Kafka {KAFKA_VERSION} (about 45 MB, once)")
            with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder.parent) as temporary:
                arrived = Path(temporary) / "libs"
                _run_maven(arrived)
                verify(arrived)
                arrived.rename(folder)
        verify(folder)


def _run_maven(target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise NotInstalled("Maven is missing, which fetches Kafka: install the package maven.")
    command = [maven, "-q", "-B", "-f", str(_HERE / "pom.xml"), "dependency:copy-dependencies"]
    try:
        done = subprocess.run(
            [*command, f"-DoutputDirectory={target}", "-DincludeScope=runtime"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallationFailed(f"Maven did not finish within {_FETCH_SECONDS:.0f} s: run it again.") from error
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-20:])
        raise InstallationFailed(f"Maven could not fetch Kafka {KAFKA_VERSION}. The end of its output:\n{end}")


@contextmanager
def _alone(lock_file: Path) -> Iterator[None]:
    """Wait until no other process fetches, and keep others waiting. The lock dies with its holder."""
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
