"""One long-lived process that outlives whoever started it, known again by its pid file.

The pid file holds the pid, the process's start time and the boot of the machine: together they name one
process for ever, so a pid that the kernel has given to somebody else is never signalled. Knows nothing about
brokers.
"""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from brokers.identity import Identity, children, descendants, identify, is_alive
from brokers.waiting import wait_until

_LOG_LIMIT = 10 * 1024 * 1024  # bytes; a larger log is put aside at the next start


class Process:
    """A process that is started detached, and found again through its pid file.

    Args:
        pid_file: where its identity is kept.
        log_file: where everything it prints is appended.
    """

    def __init__(self, pid_file: Path, log_file: Path) -> None:
        self.pid_file = pid_file
        self.log_file = log_file

    @property
    def identity(self) -> Identity | None:
        """The living process, or None."""
        match self._read():
            case {"pid": int(pid), "started": int(started), "boot": str(boot)}:
                identity = Identity(pid, started, boot)
                return identity if is_alive(identity) else None
        return None

    @property
    def notes(self) -> Mapping[str, object]:
        """What the starter of the living process wrote down about it; empty if it does not live."""
        recorded = self._read()
        notes = recorded.get("notes") if recorded and self.identity else None
        return notes if isinstance(notes, dict) else {}

    @property
    def running(self) -> bool:
        """Whether the process lives; a paused one does."""
        return self.identity is not None

    def spawn(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        notes: Mapping[str, object],
    ) -> None:
        """Start the process in a session of its own, so that it survives this one and its terminal's Ctrl-C.

        Args:
            command: program and arguments; the program must become (exec) the process that is meant.
            environment: all of its environment variables; nothing is inherited.
            folder: its working directory.
            notes: kept in the pid file.

        Raises:
            OSError: the program cannot be executed, or the files cannot be written.
        """
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_LIMIT:
            self.log_file.replace(self.log_file.with_suffix(".previous.log"))
        with self.log_file.open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        children[child.pid] = child
        identity = identify(child.pid)
        if identity is not None:
            temporary = self.pid_file.with_suffix(".new")
            temporary.write_text(json.dumps({**asdict(identity), "notes": dict(notes)}) + "\n")
            temporary.replace(self.pid_file)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to exactly this process. False if it does not live."""
        identity = self.identity
        if identity is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(identity.pid, number)
            return True
        return False

    def kill(self, seconds: float = 10.0) -> None:
        """SIGKILL, and wait until the process is gone."""
        identity = self.identity
        if identity is not None:
            self._end((identity,), seconds)

    def stop(self, grace: float) -> bool:
        """Ask the process to end, wait, and kill it if it does not; then kill what it leaves behind.

        Args:
            grace: seconds between SIGTERM and SIGKILL.

        Returns:
            False if it had to be killed.
        """
        identity = self.identity
        if identity is None:
            self.forget()
            return True
        family = (identity, *descendants(identity.pid))
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)  # a paused process gets its SIGTERM only when it goes on
        ended = wait_until(lambda: not is_alive(identity), grace)
        self._end(family, 10.0)
        self.forget()
        return ended

    def forget(self) -> None:
        """Remove the pid file of a process that has ended."""
        self.pid_file.unlink(missing_ok=True)

    def last_lines(self, count: int = 20) -> str:
        """The end of what the process printed."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(0, self.log_file.stat().st_size - 64 * 1024))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])
        except OSError:
            return "(no log)"

    def _end(self, family: Sequence[Identity], seconds: float) -> None:
        for member in family:
            if is_alive(member):
                with suppress(ProcessLookupError):
                    os.kill(member.pid, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(member) for member in family), seconds)

    def _read(self) -> dict[str, object] | None:
        try:
            recorded = json.loads(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        return recorded if isinstance(recorded, dict) else None
