"""Taskiq on RabbitMQ (taskiq-aio-pika) with results in Redis: one producer process, one worker process."""

from pathlib import Path

from bench.peers import environment
from bench.peers.crew import Crew, Part
from bench.peers.peer import HOME, Endpoints, Measured

FOLDER = HOME / "taskiq_rabbitmq"
LOCK = Path(__file__).parent / "locks" / "taskiq_rabbitmq.txt"
VERSIONS = environment.versions(LOCK, "taskiq", "taskiq-aio-pika", "taskiq-redis", "aio-pika", "redis", "uvloop")


def install(folder: Path = FOLDER) -> None:
    """Bring Taskiq into `folder`; nothing is done if it is there. Raises PeerFailed."""
    environment.python(folder, LOCK)


def end_to_end(folder: Path, endpoints: Endpoints, tasks: int, concurrency: int) -> Measured:
    """Run no-op tasks; `concurrency` is the number of tasks at once in the worker. Raises PeerFailed."""
    return _crew(folder, concurrency).end_to_end(endpoints, tasks)


def latency(folder: Path, endpoints: Endpoints, per_second: int, seconds: int) -> dict[str, float]:
    """From enqueue to the start of the handler in ms, with five tasks at once. Raises PeerFailed."""
    return _crew(folder, 5).latency(endpoints, per_second, seconds)


def _crew(folder: Path, concurrency: int) -> Crew:
    python = str(folder.absolute() / "content" / "bin" / "python")
    parts = [Part(name, [python, "-m", f"bench.peers.inside.taskiq_{name}"]) for name in ("worker", "producer")]
    return Crew(folder, parts, "producer", {"concurrency": concurrency})
