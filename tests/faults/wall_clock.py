"""A wall clock that can be stepped under running processes, by libfaketime.

In: a file that every process of an arena reads its offset from. Out: environment variables for these processes, and
steps while they run. Monotonic time is left alone, as it is when somebody sets a machine's clock.
"""

from pathlib import Path

LIBRARIES = (
    Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"),
    Path("/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"),
    Path("/usr/lib/faketime/libfaketimeMT.so.1"),
)


class WallClock:
    """The clock of all processes that get `environment`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.step(0)

    @property
    def environment(self) -> dict[str, str]:
        """What a process must be started with.

        Raises:
            FileNotFoundError: libfaketime is not installed.
        """
        library = next((path for path in LIBRARIES if path.exists()), None)
        if library is None:
            raise FileNotFoundError("stepping clocks needs libfaketime: apt-get install libfaketime")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: int) -> None:
        """From now on (within a second) the clock is wrong by so much."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self._file)  # at once: a reader never sees half a number
