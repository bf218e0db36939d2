"""FastStream from Kafka over RabbitMQ to a worker, in batches: producer, bridge and worker, one process each.

The shape of streamapp's own data path without its guarantees: no history, no guard, no results.
"""

from pathlib import Path

from bench.peers import environment
from bench.peers.crew import Crew, Part
from bench.peers.peer import HOME, Endpoints, Measured

FOLDER = HOME / "faststream_batch"
LOCK = Path(__file__).parent / "locks" / "faststream_batch.txt"
VERSIONS = environment.versions(LOCK, "faststream", "aiokafka", "aio-pika", "uvloop")


def install(folder: Path = FOLDER) -> None:
    """Bring FastStream into `folder`; nothing is done if it is there. Raises PeerFailed."""
    environment.python(folder, LOCK)


def end_to_end(folder: Path, endpoints: Endpoints, tasks: int, concurrency: int) -> Measured:
    """Run no-op tasks; `concurrency` is the least number of messages that the worker holds. Raises PeerFailed."""
    return _crew(folder, concurrency).end_to_end(endpoints, tasks)


def latency(folder: Path, endpoints: Endpoints, per_second: int, seconds: int) -> dict[str, float]:
    """From producing an event to the start of its handler in ms. Raises PeerFailed."""
    return _crew(folder, 5).latency(endpoints, per_second, seconds)


def _crew(folder: Path, concurrency: int) -> Crew:
    python = str(folder.absolute() / "content" / "bin" / "python")
    names = ("worker", "bridge", "producer")
    parts = [Part(name, [python, "-m", f"bench.peers.inside.faststream_{name}"]) for name in names]
    return Crew(folder, parts, "worker", {"concurrency": concurrency})
