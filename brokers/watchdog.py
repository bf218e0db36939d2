"""Stops the brokers of a folder when whoever started them is gone.

In: a standard input that nobody ever writes to. Its end means that the process at the other end of the pipe has
ended, by whatever cause. Then the brokers are stopped and, if asked for, their folder is removed. For test runs only:
brokers that ``up`` has started are meant to stay.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from brokers.stack import Stack


def start_watchdog(root: Path, remove: bool = False) -> "subprocess.Popen[bytes]":
    """Start a watchdog for the brokers of a folder; it works from the moment this process ends.

    Args:
        root: the stack's folder.
        remove: remove the folder, too, once nothing runs there any more.

    Returns:
        The watchdog. Closing its standard input sets it off at once.
    """
    command = [sys.executable, "-m", "brokers.watchdog", str(root.absolute())] + (["--remove"] if remove else [])
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parent.parent,
        start_new_session=True,
    )


def main() -> None:
    """Wait for the end of standard input, then stop everything."""
    parser = argparse.ArgumentParser(prog="python -m brokers.watchdog")
    parser.add_argument("root", type=Path)
    parser.add_argument("--remove", action="store_true")
    options = parser.parse_args()
    sys.stdin.buffer.read()
    Stack(options.root).stop()
    if options.remove:
        shutil.rmtree(options.root, ignore_errors=True)


if __name__ == "__main__":
    main()
