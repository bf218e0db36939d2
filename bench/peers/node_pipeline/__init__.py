"""The first seed's pipeline in Node: KafkaJS, Zod, BullMQ on Redis. Producer, consumer and worker, one process each."""

import json
import shutil
from pathlib import Path

from bench.peers import environment
from bench.peers.crew import Crew, Part
from bench.peers.peer import HOME, Endpoints, Measured

FOLDER = HOME / "node_pipeline"
HERE = Path(__file__).parent
SOURCES = sorted([*HERE.glob("*.mjs"), *HERE.glob("*.json")])
VERSIONS: dict[str, str] = json.loads((HERE / "package.json").read_text())["dependencies"]


def install(folder: Path = FOLDER) -> None:
    """Bring sources and packages into `folder`; nothing is done if they are there. Raises PeerFailed."""

    def fill(content: Path) -> None:
        for source in SOURCES:
            shutil.copy(source, content)
        # What the packages ship is enough: none of them has to build anything.
        environment.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], content)

    environment.once(folder, SOURCES, fill)


def end_to_end(
    folder: Path,
    endpoints: Endpoints,
    tasks: int,
    concurrency: int,
    *,
    preloaded: bool = False,
    by_window: bool = True,
) -> Measured:
    """Run no-op events through topic, queue and worker, from the first produced to the last job completed.

    Args:
        folder: where it is installed.
        endpoints: the brokers; RabbitMQ has no part in it.
        tasks: how many events.
        concurrency: jobs at once in the worker.
        preloaded: produce all events first, and take the time from when the consumer is in its group.
        by_window: the consumer queues up to 100 jobs in one round trip instead of one.

    Raises:
        PeerFailed: it did not start, died, or did not end.
    """
    return _crew(folder, concurrency, by_window, preloaded).end_to_end(endpoints, tasks)


def latency(folder: Path, endpoints: Endpoints, per_second: int, seconds: int) -> dict[str, float]:
    """From producing an event to the start of its job in ms, with five jobs at once. Raises PeerFailed."""
    return _crew(folder, 5, by_window=True, preloaded=False).latency(endpoints, per_second, seconds)


def _crew(folder: Path, concurrency: int, by_window: bool, preloaded: bool) -> Crew:
    content = folder.absolute() / "content"
    parts = [Part(name, ["node", str(content / f"{name}.mjs")]) for name in ("worker", "consumer", "producer")]
    settings: dict[str, object] = {"concurrency": concurrency, "by_window": by_window}
    return Crew(folder, parts, "worker", settings, preloaded=preloaded, gate="consumer")
