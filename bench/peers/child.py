"""One process of a peer: started, talked to in lines of JSON, measured, ended.

In: a command and the settings that it reads as its first line. Out: the events that it says on its standard output.
It is stopped by its own id, together with what it started; if this process dies first, it sees the end of its input
and ends by itself. Everything else that it prints is in its log.
"""

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.peers.peer import PeerFailed
from brokers.broker import plain_environment
from brokers.identity import Identity, descendants, identify, is_alive
from brokers.waiting import wait_until

STOP_SECONDS = 15.0
"""Between SIGTERM and SIGKILL."""

_TICKS = os.sysconf("SC_CLK_TCK")
_LOG_LINES = 15


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and everything below it have used since they began. `rss_mib` is the sum of their peaks."""

    cpu_seconds: float
    rss_mib: float


class Child:
    """A running process.

    Args:
        name: of the part it plays; its log is `folder/logs/<name>.log`.
        command: program and arguments.
        settings: its first line of input.
        folder: the peer's folder, and its working directory.
        environment: added to what every program needs; nothing else is inherited.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        settings: Mapping[str, object],
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self.log_file = folder / "logs" / f"{name}.log"
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=plain_environment(**environment),
                start_new_session=True,
                text=True,
            )
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.tell(**settings)

    def __enter__(self) -> Self:
        """The process itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop it, whatever happened."""
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def tell(self, **message: object) -> None:
        """Send one line. A process that has gone is found out when it is next listened to."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def expect(self, event: str, seconds: float) -> dict[str, Any]:
        """Wait for an event; others that come first are dropped.

        Raises:
            PeerFailed: it did not come in time, or the process has ended.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                found = self._events.get(timeout=max(end - time.monotonic(), 0.001))
            except queue.Empty:
                raise PeerFailed(f"{self.name} did not say {event!r} within {seconds:.0f} s{self._log()}") from None
            if found is None:
                raise PeerFailed(f"{self.name} ended before it said {event!r}{self._log()}")
            if found.get("event") == event:
                return found

    def usage(self) -> Usage:
        """What it and its children have used so far."""
        family = [self.pid, *(each.pid for each in descendants(self.pid))]
        return Usage(sum(map(_cpu_seconds, family)), sum(map(_peak_rss_mib, family)))

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for what is left of it and of its children."""
        family: list[Identity] = []
        if self._process.poll() is None:
            family = [each for each in (identify(self.pid), *descendants(self.pid)) if each is not None]
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        left = [each for each in family if each.pid != self.pid]
        if not wait_until(lambda: not any(map(is_alive, left)), 1.0):
            for each in left:
                if is_alive(each):
                    with suppress(ProcessLookupError):
                        os.kill(each.pid, signal.SIGKILL)
        self._listener.join(STOP_SECONDS)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines, self.log_file.open("a") as log:
            for line in lines:
                try:
                    found = json.loads(line)
                except ValueError:
                    found = line
                if isinstance(found, dict):
                    self._events.put(found)
                else:
                    log.write(line)
        self._events.put(None)

    def _log(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return ". The end of its log:\n" + "\n".join(lines) if lines else "; it logged nothing"


@contextmanager
def all_stopped(children: Sequence[Child]) -> Iterator[None]:
    """Stop all of them in the end, in their order, even if one of them cannot be."""
    try:
        yield
    finally:
        failed = []
        for child in children:
            try:
                child.stop()
            except (OSError, subprocess.TimeoutExpired) as error:
                failed.append(f"{child.name}: {error}")
        if failed:
            raise PeerFailed(f"could not be stopped: {'; '.join(failed)}")


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended (proc(5), fields 14 to 17)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def _peak_rss_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
