"""What the benchmark's peers have in common: installing once, talking to a process, measuring it, ending it."""

import itertools
import json
import sys
import time
from pathlib import Path

import pytest

from bench.peers import (
    celery_rabbitmq,
    crew,
    environment,
    faststream_batch,
    kafka_streams,
    node_pipeline,
    taskiq_rabbitmq,
)
from bench.peers.child import Child
from bench.peers.crew import Crew, Part
from bench.peers.inside import tasks
from bench.peers.peer import Endpoints, Peer, PeerFailed, quantiles
from brokers.waiting import wait_until

PEERS: tuple[Peer, ...] = (celery_rabbitmq, taskiq_rabbitmq, node_pipeline, faststream_batch)
NOWHERE = Endpoints("127.0.0.1:1", "amqp://127.0.0.1:1/", "redis://127.0.0.1:1/0")
FOLDER = Path(environment.__file__).parent

TALK = """
import json, os, subprocess, sys, time
def say(event, **figures):
    print(json.dumps({"event": event, **figures}), flush=True)
settings = json.loads(sys.stdin.readline())
"""

SETTINGS = {
    "colour": "blue",
    "burn": """
import sys, time
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
print("burnt", flush=True)
sys.stdin.read()
""",
    "stubborn": "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)",
}


def child(tmp_path: Path, script: str, name: str = "part") -> Child:
    """A process that runs `script` after it has read its settings."""
    return Child(name, [sys.executable, "-c", TALK + script], SETTINGS, tmp_path, {})


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_quantiles_are_values_that_occurred():
    found = quantiles([float(value) for value in range(1000, 0, -1)])
    assert found == {"p50_ms": 501.0, "p99_ms": 991.0, "p99.9_ms": 1000.0, "max_ms": 1000.0}
    assert set(quantiles([3.0]).values()) == {3.0}


def test_quantiles_of_nothing_are_refused():
    with pytest.raises(PeerFailed, match="nothing"):
        quantiles([])


@pytest.mark.parametrize("peer", [*PEERS, kafka_streams], ids=lambda peer: peer.__name__.rpartition(".")[2])
def test_versions_are_pinned(peer):
    assert peer.VERSIONS
    assert all(version[0].isdigit() for version in peer.VERSIONS.values())


def test_locks_pin_everything_and_name_no_registry():
    for lock in (FOLDER / "locks").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text
        wanted = lock.with_suffix(".in").read_text().splitlines()
        assert all(line.partition("[")[0].partition("==")[0] + "==" in text for line in wanted)
    packages = json.loads((FOLDER / "node_pipeline" / "package-lock.json").read_text())["packages"]
    assert all("resolved" not in package for package in packages.values())
    assert all("integrity" in package for name, package in packages.items() if name)


def test_what_is_installed_is_not_installed_again(tmp_path):
    lock, calls = tmp_path / "lock.txt", []

    def install(content: Path) -> None:
        assert not list(content.iterdir())
        (content / "made").write_text(lock.read_text())
        calls.append(content)

    for text in ("one", "one", "two", "two"):
        lock.write_text(text)
        environment.once(tmp_path / "peer", [lock], install)
    assert len(calls) == 2
    assert (tmp_path / "peer/content/made").read_text() == "two"


def test_an_installation_that_broke_off_is_made_anew(tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text("one")

    def breaks(content: Path) -> None:
        (content / "half").touch()
        raise PeerFailed("no network")

    with pytest.raises(PeerFailed, match="no network"):
        environment.once(tmp_path / "peer", [lock], breaks)
    environment.once(tmp_path / "peer", [lock], lambda content: (content / "whole").touch())
    assert [each.name for each in (tmp_path / "peer/content").iterdir()] == ["whole"]


def test_an_installer_that_fails_is_quoted():
    with pytest.raises(PeerFailed, match="no such package"):
        environment.run([sys.executable, "-c", "print('no such package'); raise SystemExit(1)"])


def test_an_installer_that_is_missing_is_named():
    with pytest.raises(PeerFailed, match="no-such-program is missing"):
        environment.run(["no-such-program"])


def test_a_process_is_told_its_settings_and_answers(tmp_path):
    script = (
        "say('ready', colour=settings['colour'])\ncommand = json.loads(sys.stdin.readline())\nsay('done', **command)"
    )
    with child(tmp_path, script) as running:
        assert running.expect("ready", 10)["colour"] == "blue"
        running.tell(do="go", tasks=3)
        assert running.expect("done", 10)["tasks"] == 3


def test_a_process_that_dies_is_reported_with_its_log(tmp_path):
    with (
        child(tmp_path, "print('on the way', flush=True); sys.exit('the queue is gone')") as running,
        pytest.raises(PeerFailed, match="ended before it said 'ready'") as raised,
    ):
        running.expect("ready", 10)
    assert "the queue is gone" in str(raised.value)


def test_a_process_that_says_nothing_is_given_up(tmp_path):
    with (
        child(tmp_path, "time.sleep(60)") as running,
        pytest.raises(PeerFailed, match="did not say 'ready' within 0 s"),
    ):
        running.expect("ready", 0.2)
    assert not alive(running.pid)


def test_usage_has_the_children_of_a_process_in_it(tmp_path):
    script = """
say('ready')
sys.stdin.readline()
pipe = subprocess.PIPE
burning = subprocess.Popen([sys.executable, '-c', settings['burn']], stdin=pipe, stdout=pipe)
burning.stdout.readline()
say('burnt')
sys.stdin.read()
burning.communicate()
"""
    with child(tmp_path, script) as running:
        running.expect("ready", 10)
        before = running.usage()
        running.tell(do="burn")
        running.expect("burnt", 30)
        after = running.usage()
    assert after.cpu_seconds - before.cpu_seconds >= 0.25
    assert after.rss_mib > before.rss_mib > 1


def test_a_process_that_does_not_want_to_end_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.peers.child.STOP_SECONDS", 0.5)
    script = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, '-c', settings['stubborn']])
say('ready', grandchild=grandchild.pid)
time.sleep(60)
"""
    with child(tmp_path, script) as running:
        grandchild = running.expect("ready", 10)["grandchild"]
    assert not alive(running.pid)
    assert wait_until(lambda: not alive(grandchild), 5)


PRODUCER = (
    TALK
    + """
say('ready')
for line in sys.stdin:
    command = json.loads(line)
    if command['do'] == 'forget':
        open('forgotten', 'w').write(settings['run'])
        say('forgotten')
        continue
    count, now = command['tasks'], time.monotonic()
    say('published', first_at=now, last_at=now + 0.5, late=[0.0001] * count)
    say('done', last_at=now + count / 1000, latencies=[0.002] * count)
"""
)
WORKER = TALK + "say('ready')\nsys.stdin.read()"


def pair(tmp_path: Path, worker: str = WORKER, producer: str = PRODUCER) -> Crew:
    """A crew whose producer says that it does a thousand tasks a second."""
    scripts = {"worker": worker, "producer": producer}
    return Crew(tmp_path, [Part(name, [sys.executable, "-c", text]) for name, text in scripts.items()], "producer")


def test_a_crew_is_measured_from_the_first_enqueue_to_the_last_result(tmp_path):
    measured = pair(tmp_path).end_to_end(NOWHERE, 500)
    assert measured.tasks_per_second == pytest.approx(1000, rel=0.01)
    assert measured.details["seconds"] == pytest.approx(0.5, rel=0.01)
    assert measured.details["published_seconds"] == pytest.approx(0.5, rel=0.01)
    parts = ("worker_peak_rss_mib", "producer_peak_rss_mib")
    assert measured.peak_rss_mib == pytest.approx(sum(measured.details[name] for name in parts))
    assert (tmp_path / "forgotten").read_text().startswith("bench-")


def test_a_crew_at_a_fixed_rate_tells_latencies_in_milliseconds(tmp_path):
    found = pair(tmp_path).latency(NOWHERE, 50, 2)
    assert found["tasks"] == 100
    assert found["p50_ms"] == found["p99.9_ms"] == pytest.approx(2.0)
    assert found["late_p99_ms"] == pytest.approx(0.1)


def test_when_a_part_of_a_crew_dies_the_others_are_stopped_and_the_brokers_cleaned(tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "READY_SECONDS", 5.0)
    seen: list[int] = []
    started = Child.__init__

    def note(self: Child, *args: object) -> None:
        started(self, *args)  # type: ignore[arg-type]
        seen.append(self.pid)

    monkeypatch.setattr(Child, "__init__", note)
    with pytest.raises(PeerFailed, match="no broker here"):
        pair(tmp_path, worker=TALK + "sys.exit('no broker here')").end_to_end(NOWHERE, 10)
    assert len(seen) == 2
    assert not any(map(alive, seen))
    assert (tmp_path / "forgotten").exists()


def test_a_task_that_is_enqueued_late_counts_from_when_it_was_due():
    assert tasks.since(due=10.0, now=10.0005) == 10.0005
    assert tasks.since(due=10.0, now=10.5) == 10.0 + tasks.FORGIVEN_SECONDS


def test_a_schedule_is_even_and_ahead():
    now = time.monotonic()
    instants = list(tasks.schedule(100, 3))
    assert len(instants) == 300
    assert now < instants[0]
    steps = [after - before for before, after in itertools.pairwise(instants)]
    assert steps == pytest.approx([0.01] * 299)


def test_the_payload_of_a_task_has_about_two_hundred_bytes():
    assert 180 <= len(json.dumps(tasks.PAYLOAD)) <= 260


def test_latency_is_taken_on_the_clock_of_the_machine():
    assert tasks.began(time.monotonic() - 2) == pytest.approx(2, abs=0.5)
