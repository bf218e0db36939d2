"""Celery on RabbitMQ with results in Redis: one producer process, one worker with prefork children."""

from pathlib import Path

from bench.peers import environment
from bench.peers.crew import Crew, Part
from bench.peers.peer import HOME, Endpoints, Measured

FOLDER = HOME / "celery_rabbitmq"
LOCK = Path(__file__).parent / "locks" / "celery_rabbitmq.txt"
VERSIONS = environment.versions(LOCK, "celery", "kombu", "amqp", "billiard", "redis", "hiredis")


def install(folder: Path = FOLDER) -> None:
    """Bring Celery into `folder`; nothing is done if it is there. Raises PeerFailed."""
    environment.python(folder, LOCK)


def end_to_end(folder: Path, endpoints: Endpoints, tasks: int, concurrency: int) -> Measured:
    """Run no-op tasks; `concurrency` is the number of prefork children. Raises PeerFailed."""
    return _crew(folder, concurrency).end_to_end(endpoints, tasks)


def latency(folder: Path, endpoints: Endpoints, per_second: int, seconds: int) -> dict[str, float]:
    """From enqueue to the start of the handler in ms, with two prefork children. Raises PeerFailed."""
    return _crew(folder, 2).latency(endpoints, per_second, seconds)


def _crew(folder: Path, concurrency: int) -> Crew:
    python = str(folder.absolute() / "content" / "bin" / "python")
    parts = [Part(name, [python, "-m", f"bench.peers.inside.celery_{name}"]) for name in ("worker", "producer")]
    return Crew(folder, parts, "producer", {"concurrency": concurrency})
