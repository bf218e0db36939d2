"""Kafka Streams (Java, one thread, RocksDB, changelog) as the peer of the diary: the same facts, the same table.

It folds a topic of facts into records that are equal to those of `tables/tasks.py`, history and all. The topic is read
and left as it is; the changelog, the group and the files of a run are its own and are deleted.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from bench.peers import environment
from bench.peers.child import Child
from bench.peers.peer import HOME, Endpoints, PeerFailed
from brokers.kafka.java import demand_java

FOLDER = HOME / "kafka_streams"
HERE = Path(__file__).parent
POM = HERE / "pom.xml"
SOURCES = sorted([POM, *HERE.glob("src/**/*.java")])

HEAP = "-Xmx1g"
CACHE_BYTES = 10 * 1024 * 1024
"""Of the record cache: Kafka Streams' own default."""

READY_SECONDS = 60.0
END_SECONDS = 60.0
DUMP_SECONDS = 120.0
LEAST_FACTS_PER_SECOND = 2000
"""A run that is slower than this is given up."""


def _versions() -> dict[str, str]:
    names = {"m": "http://maven.apache.org/POM/4.0.0"}
    properties = ElementTree.parse(POM).getroot().find("m:properties", names)
    assert properties is not None
    found = {each.tag.partition("}")[2]: each.text or "" for each in properties}
    return {"kafka-streams": found["kafka.version"], "jackson-core": found["jackson.version"]}


VERSIONS = _versions()


def install(folder: Path = FOLDER) -> None:
    """Fetch the libraries with Maven and compile the sources into `folder`; once. Raises PeerFailed."""

    def build(content: Path) -> None:
        copied = content / "sources"
        shutil.copytree(HERE / "src", copied / "src")
        shutil.copy(POM, copied)
        maven = ["mvn", "-q", "-B", "-f", str(copied / "pom.xml"), f"-Dpeer.folder={content}", "package"]
        environment.run(maven)

    environment.once(folder.absolute(), SOURCES, build)


def rebuild(
    folder: Path, endpoints: Endpoints, topic: str, facts: int | None = None, *, table: Path | None = None
) -> dict[str, float]:
    """Fold the whole topic into the table, until the last fact is committed.

    Args:
        folder: where it is installed.
        endpoints: the brokers; only Kafka has a part in it.
        topic: of facts, keyed by task id; it must not grow meanwhile.
        facts: how many records there are in it; None: however many there are.
        table: a file into which the records of the table are written afterwards, one a line.

    Returns:
        `facts_per_second` over `seconds`, from the first fact handed to the fold; `seconds_from_start`, which has the
        joining of the group in it; `cpu_seconds` over that; `peak_rss_mib`.

    Raises:
        PeerFailed: it did not start, gave up, or did not end; or there is another number of facts.
    """
    with _application(folder, endpoints, topic, facts) as application:
        with application.run("rebuild") as running:
            found = _rebuilt(running)
            if table is not None:
                running.dump(table)
        return found


def restore(
    folder: Path, endpoints: Endpoints, topic: str, facts: int | None = None, *, table: Path | None = None
) -> dict[str, float]:
    """Restore the table from its changelog after its files are lost. Arguments as for `rebuild`, which is run first.

    Returns:
        `records_per_second` over `seconds`, from the first partition's begin to the last one's end; `records` of the
        changelog; `seconds_from_start`; `cpu_seconds` over that; `peak_rss_mib`.

    Raises:
        PeerFailed: see `rebuild`.
    """
    return rebuild_and_restore(folder, endpoints, topic, facts, table=table)[1]


def rebuild_and_restore(
    folder: Path, endpoints: Endpoints, topic: str, facts: int | None = None, *, table: Path | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """Both, one after the other on the same changelog; `table` is written after the restore. See there."""
    with _application(folder, endpoints, topic, facts) as application:
        with application.run("rebuild") as running:
            rebuilt = _rebuilt(running)
        application.lose_files()
        with application.run("restore") as running:
            done = running.go()
            if not done["records"]:
                raise PeerFailed("nothing was restored: the changelog is empty")
            done["records_per_second"] = done["records"] / done["seconds"]
            if table is not None:
                running.dump(table)
        return rebuilt, done


def _rebuilt(running: "_Running") -> dict[str, float]:
    done = running.go()
    if done["folded"] < running.facts:
        raise PeerFailed(f"{done['folded']:.0f} of {running.facts:.0f} facts were folded")
    return {"facts_per_second": running.facts / done["seconds"], **done}


@dataclass(frozen=True, slots=True)
class _Running:
    """A process of the application, and how many facts there are in the topic."""

    child: Child
    facts: float

    def go(self) -> dict[str, float]:
        """Let it work until all is done, and measure it."""
        before = self.child.usage()
        self.child.tell(do="go")
        done = self.child.expect("done", 60.0 + self.facts / LEAST_FACTS_PER_SECOND)
        used = self.child.usage()
        figures = {name: float(value) for name, value in done.items() if name != "event"}
        return {**figures, "cpu_seconds": used.cpu_seconds - before.cpu_seconds, "peak_rss_mib": used.rss_mib}

    def dump(self, file: Path) -> None:
        """Write the table into a file."""
        self.child.tell(do="dump", file=str(file.absolute()))
        self.child.expect("dumped", DUMP_SECONDS)


@dataclass(frozen=True, slots=True)
class _Application:
    """One application of Kafka Streams: its id, and the folder of its state."""

    folder: Path
    settings: dict[str, str]
    facts: int | None

    @contextmanager
    def run(self, mode: Literal["rebuild", "restore"]) -> Iterator[_Running]:
        """A process of it, which closes the table properly when all went well."""
        with self._process(mode) as child:
            there = child.expect("ready", READY_SECONDS)["facts"]
            if self.facts not in (there, None):
                raise PeerFailed(f"the topic {self.settings['topic']} has {there:.0f} facts instead of {self.facts}")
            yield _Running(child, float(there))
            child.tell(do="bye")
            child.expect("bye", END_SECONDS)

    def forget(self) -> None:
        """Remove its files, its changelog and its group."""
        shutil.rmtree(self.settings["state"], ignore_errors=True)
        with self._process("forget") as child:
            child.expect("bye", END_SECONDS)

    def _process(self, mode: str) -> Child:
        content, temporary = self.folder / "content", self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        java = [demand_java(), HEAP, f"-Djava.io.tmpdir={temporary}", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        command = [*java, "-cp", f"{content}/build/peer.jar:{content}/libs/*", "bench.Main"]
        return Child(f"streams-{mode}", command, {**self.settings, "mode": mode}, self.folder, {})

    def lose_files(self) -> None:
        """Remove its state, as if the disk were lost."""
        shutil.rmtree(self.settings["state"])


@contextmanager
def _application(folder: Path, endpoints: Endpoints, topic: str, facts: int | None) -> Iterator[_Application]:
    """An application of its own, of which nothing is left afterwards."""
    name = f"bench-{secrets.token_hex(6)}"
    home = folder.absolute()
    settings = {
        "kafka": endpoints.kafka,
        "topic": topic,
        "application": name,
        "state": str(home / "state" / name),
        "cache_bytes": str(CACHE_BYTES),
    }
    application = _Application(home, settings, facts)
    broken = True
    try:
        yield application
        broken = False
    finally:
        # What broke it is to be seen, not what else could not be done then.
        with suppress(PeerFailed) if broken else nullcontext():
            application.forget()
