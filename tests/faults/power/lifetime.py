"""A file system that lives no longer than the process that made it, however that ends.

As a program: a watchdog. In: a standard input that nobody ever writes to; its end means that the process at the other
end has ended. Then whoever uses the file system is killed, and it is unmounted and removed.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.power.filesystem import FileSystem
from tests.support.stack import PROJECT


@contextmanager
def file_system(folder: Path, mebibytes: int) -> Iterator[FileSystem]:
    """A mounted file system in a new folder, gone at the end.

    Raises:
        CannotMount: see `FileSystem.create`.
    """
    folder.mkdir()
    made = FileSystem(folder, mebibytes)
    watchdog = subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
        start_new_session=True,
    )
    try:
        made.create()
        yield made
    finally:
        made.close()
        watchdog.communicate()


if __name__ == "__main__":
    sys.stdin.buffer.read()
    FileSystem(Path(sys.argv[1]), 0).close()
