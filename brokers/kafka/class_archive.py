"""A memory image of Kafka's loaded classes (Java's AppCDS): with it the broker starts in half the time.

The first broker that ends gracefully leaves the image behind, and it is kept beside the jars for all later
starts. It is only ever an acceleration: Java ignores an image that does not fit its jars or itself, and a start
without one works.
"""

import hashlib
from contextlib import suppress
from pathlib import Path


class ClassArchive:
    """The image for one Java and one set of jars.

    Args:
        jars: the folder of the jars.
        java: the program that will run them.
        fresh: where this broker would leave a new image.
    """

    def __init__(self, jars: Path, java: str, fresh: Path) -> None:
        program = Path(java).resolve()
        modified = program.stat().st_mtime_ns if program.exists() else 0
        key = hashlib.sha256(f"{program} {modified} {jars}".encode()).hexdigest()[:16]
        self._kept = jars.parent / f"classes-{key}.jsa"
        self._fresh = fresh

    def options(self) -> tuple[str, ...]:
        """What to tell Java: use the image, or make one when it ends."""
        if self._kept.exists():
            return (
                f"-XX:SharedArchiveFile={self._kept}",
                "-Xshare:auto",
                "-Xlog:cds=off",
                "-Xlog:cds+dynamic=off",
            )
        return (f"-XX:ArchiveClassesAtExit={self._fresh}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off")

    def keep(self) -> None:
        """Take over the image of a broker that has ended by itself. Never call it for one that was killed."""
        with suppress(OSError):
            if self._fresh.exists() and not self._kept.exists():
                self._fresh.replace(self._kept)
