"""Makes files safe from a power cut that their writers have not made safe themselves.

In: a folder. Out: nothing; everything in it is on the disk. A broker flushes what it acknowledges, but not what it was
set up with: until the kernel writes that back, half a minute later, a power cut leaves files of length 0 behind, and
with them a broker that does not start again.
"""

import os
from contextlib import suppress
from pathlib import Path


def make_safe(folder: Path) -> None:
    """Flush every file below `folder`, and every folder from the one above `folder` on.

    What vanishes meanwhile was not meant to stay.

    Raises:
        OSError: the disk does not take it.
    """
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if path.is_file():  # opening a pipe would wait for its writer
                _flush(path)
        _flush(Path(place))
    _flush(folder.parent)


def _flush(path: Path) -> None:
    with suppress(FileNotFoundError):
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
