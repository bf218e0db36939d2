"""The three brokers as processes: started, hurt, restarted and stopped for real."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import aio_pika
import pytest
import redis.asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from brokers import BrokerError, JarsDamaged, NotReady, Ports, PortTaken, Service, Stack, StartedDifferently, kafka_cli
from brokers.broker import Broker
from brokers.identity import Identity, descendants, identify, is_alive
from brokers.kafka.jars import jar_folder
from brokers.ports import can_listen, listening_sockets
from brokers.rabbitmq.handshake import opens
from brokers.waiting import wait_until
from brokers.watchdog import start_watchdog
from tests.support.brokers import RunningBrokers, running_brokers

PROJECT = Path(__file__).parents[2]
LOOPBACK_ADDRESSES = {"0100007F", "00000000000000000000000001000000"}  # 127.0.0.1 and ::1 as the kernel prints them
SERVICES: tuple[Service, ...] = ("kafka", "rabbitmq", "redis")
ONLY_REDIS: frozenset[Service] = frozenset({"redis"})


@pytest.fixture(scope="module")
def running() -> Iterator[RunningBrokers]:
    """Brokers of this module's own, because it hurts them."""
    with running_brokers(frozenset(SERVICES)) as brokers:
        yield brokers


@pytest.fixture
def stack(running: RunningBrokers) -> Stack:
    running.stack.start()
    return running.stack


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Stack]:
    """Redis alone: starts in an instant, for what is the same with all brokers."""
    root = tmp_path / "brokers"
    watchdog = start_watchdog(root)
    alone = Stack(root, Ports.free(), profile="fast", services=ONLY_REDIS)
    yield alone
    alone.stop()
    watchdog.communicate()


def broker_of(stack: Stack, name: Service) -> Broker:
    return next(broker for broker in stack.brokers if broker.name == name)


def leaders(stack: Stack) -> set[Identity]:
    """The processes a stack has started; their children come and go."""
    known = [broker.process.identity for broker in stack.brokers] + [stack.rabbitmq.epmd.identity]
    return {leader for leader in known if leader}


def processes(stack: Stack) -> set[Identity]:
    """Every process that belongs to a stack."""
    found = leaders(stack)
    return found | {child for leader in found for child in descendants(leader.pid)}


def listening(stack: Stack) -> set[tuple[str, int]]:
    return {found for process in processes(stack) for found in listening_sockets(process.pid)}


def files_open_for_writing(pid: int) -> set[Path]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = descriptor.readlink()
            information = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text()
        except FileNotFoundError:
            continue  # closed meanwhile
        flags = int(next(line for line in information.splitlines() if line.startswith("flags:")).split()[1], 8)
        if flags & (os.O_WRONLY | os.O_RDWR) and target.is_file():
            found.add(target)
    return found


def run_cli(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "brokers", *words], cwd=PROJECT, capture_output=True, text=True, timeout=100, check=False
    )


def options(stack: Stack) -> list[str]:
    ports = [f"--{name.replace('_', '-')}-port={port}" for name, port in asdict(stack.ports).items()]
    return [f"--root={stack.root}", "--profile=fast", *ports]


async def keep_something(stack: Stack) -> None:
    """Leave one acknowledged piece of data in every broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.endpoints.kafka)
    await admin.start()
    if "kept" not in await admin.list_topics():
        await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=stack.endpoints.kafka, acks="all") as producer:
        await producer.send_and_wait("kept", b"record")
    connection = await aio_pika.connect(stack.endpoints.rabbitmq_url)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        queue = await channel.declare_queue("kept", durable=True)
        await queue.purge()
        message = aio_pika.Message(b"message", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key="kept")
    async with redis.asyncio.from_url(stack.endpoints.redis_url) as client:
        await client.set("kept", "value")


async def what_was_kept(stack: Stack, name: Service) -> bytes | None:
    match name:
        case "kafka":
            consumer = AIOKafkaConsumer(
                "kept", bootstrap_servers=stack.endpoints.kafka, auto_offset_reset="earliest", group_id=None
            )
            async with consumer:
                return bytes((await consumer.getone()).value)
        case "rabbitmq":
            connection = await aio_pika.connect(stack.endpoints.rabbitmq_url)
            async with connection:
                channel = await connection.channel()
                queue = await channel.declare_queue("kept", passive=True)
                message = await queue.get(fail=False)
                return message.body if message else None
        case "redis":
            async with redis.asyncio.from_url(stack.endpoints.redis_url) as client:
                kept = await client.get("kept")
                return bytes(kept) if isinstance(kept, bytes) else None


async def test_real_clients_are_served(stack: Stack) -> None:
    await keep_something(stack)
    assert [await what_was_kept(stack, name) for name in SERVICES] == [b"record", b"message", b"value"]


def test_status_tells_name_pid_port_and_log(stack: Stack) -> None:
    for status in stack.status():
        assert status.running
        assert status.ready
        assert status.pid is not None
        assert identify(status.pid) is not None
        assert status.port == asdict(stack.ports)[status.name]
        assert status.log_file.stat().st_size > 0


def test_signals_reach_the_broker_itself_and_no_wrapper(stack: Stack) -> None:
    programs = {status.name: Path(f"/proc/{status.pid}/comm").read_text().strip() for status in stack.status()}
    assert programs == {"kafka": "java", "rabbitmq": "beam.smp", "redis": "redis-server"}


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    found = listening(stack)
    assert {port for _, port in found} == set(asdict(stack.ports).values())
    assert {address for address, _ in found} <= LOOPBACK_ADDRESSES


def test_everything_written_lies_under_the_folder(stack: Stack) -> None:
    written = {file for process in processes(stack) for file in files_open_for_writing(process.pid)}
    assert all(file.is_relative_to(stack.root) for file in written), written
    assert {file.relative_to(stack.root).parts[0] for file in written} == set(SERVICES)
    folders = {Path(f"/proc/{status.pid}/cwd").readlink() for status in stack.status()}
    assert all(folder.is_relative_to(stack.root) for folder in folders), folders


def test_brokers_have_sessions_of_their_own(stack: Stack) -> None:
    """So that neither Ctrl-C nor the end of the terminal reaches them."""
    assert all(os.getsid(status.pid) == status.pid for status in stack.status() if status.pid)


def test_a_server_on_all_interfaces_would_be_seen() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert ("00000000", server.getsockname()[1]) in listening_sockets(os.getpid())


def test_rabbitmqctl_reaches_this_node_and_leaves_nothing(stack: Stack) -> None:
    before = leaders(stack)
    assert "guest" in stack.rabbitmq.control("list_users")
    assert leaders(stack) == before


def test_second_start_starts_nothing(stack: Stack) -> None:
    before = leaders(stack)
    stack.start()
    assert leaders(stack) == before


def test_start_by_another_process_finds_the_same_brokers(stack: Stack) -> None:
    before = leaders(stack)
    done = run_cli("up", *options(stack))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("already running") == 3
    assert f"kafka={stack.endpoints.kafka}" in done.stdout
    assert leaders(stack) == before


@pytest.mark.parametrize("name", SERVICES)
async def test_killed_broker_comes_back_with_its_data(stack: Stack, name: Service) -> None:
    await keep_something(stack)
    broker = broker_of(stack, name)
    former = broker.process.identity
    broker.kill()
    assert former is not None
    assert not is_alive(former)
    assert not broker.running
    assert not broker.ready
    broker.start()
    assert broker.ready
    assert broker.pid != former.pid
    assert await what_was_kept(stack, name) in {b"record", b"message", b"value"}


@pytest.mark.parametrize("name", SERVICES)
def test_paused_broker_lives_and_does_not_answer(stack: Stack, name: Service) -> None:
    broker = broker_of(stack, name)
    before = broker.pid
    broker.pause()
    try:
        assert broker.running
        assert not broker.ready
    finally:
        broker.resume()
    assert wait_until(lambda: broker.ready, 30)
    assert broker.pid == before


@pytest.mark.parametrize("name", SERVICES)
def test_terminated_broker_ends_by_itself(stack: Stack, name: Service) -> None:
    broker = broker_of(stack, name)
    broker.terminate()
    assert wait_until(lambda: not broker.running, 30)


@pytest.mark.parametrize("name", SERVICES)
def test_stopped_broker_starts_again_and_the_others_stay(stack: Stack, name: Service) -> None:
    broker = broker_of(stack, name)
    others = {other.pid for other in stack.brokers if other is not broker}
    broker.stop()
    assert not broker.running
    broker.start()
    assert broker.ready
    assert {other.pid for other in stack.brokers if other is not broker} == others


def test_paused_broker_can_be_stopped(small: Stack) -> None:
    said: list[str] = []
    small.redis.notify = said.append
    small.start()
    small.redis.pause()
    small.stop()
    assert not small.redis.running
    assert said[-1] == "redis stopped"  # not killed


def test_stop_leaves_no_process_and_no_port(stack: Stack) -> None:
    everything = processes(stack)
    assert len(everything) >= 4
    stack.stop()
    assert not [process for process in everything if is_alive(process)]
    assert not [port for port in asdict(stack.ports).values() if not can_listen(port)]
    assert not list(stack.root.glob("*/*pid"))


def test_stop_after_kill_takes_epmd_too(stack: Stack) -> None:
    epmd = stack.rabbitmq.epmd.identity
    assert epmd is not None
    stack.rabbitmq.kill()
    stack.stop()
    assert not is_alive(epmd)


@pytest.mark.parametrize("port_name", list(asdict(Ports.default())))
def test_stranger_on_a_port_is_named_and_nothing_is_started(tmp_path: Path, port_name: str) -> None:
    stack = Stack(tmp_path, Ports.free(), profile="fast")
    port = asdict(stack.ports)[port_name]
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTaken) as raised:
        stack.start()
    assert str(port) in str(raised.value)
    assert f"STREAMAPP_BROKERS__{port_name.upper()}_PORT" in str(raised.value)
    assert f"process {os.getpid()} " in str(raised.value)
    assert not processes(stack)


def test_running_with_other_ports_or_profile_is_refused(small: Stack) -> None:
    small.start()
    for other in (
        Stack(small.root, Ports.free(), profile="fast", services=ONLY_REDIS),
        Stack(small.root, small.ports, profile="durable", services=ONLY_REDIS),
    ):
        before = leaders(small)
        with pytest.raises(StartedDifferently, match="already runs with"):
            other.start()
        assert leaders(small) == before


def test_stop_needs_no_ports(small: Stack) -> None:
    small.start()
    Stack(small.root).stop()
    assert not small.redis.running


def test_left_out_services_are_left_alone(small: Stack) -> None:
    small.start()
    assert [status.name for status in small.status()] == ["redis"]
    assert not (small.root / "kafka").exists()
    assert not (small.root / "rabbitmq").exists()


def test_broker_that_dies_while_starting_shows_its_log(small: Stack) -> None:
    small.start()
    small.stop()
    for file in (small.root / "redis" / "data" / "appendonlydir").glob("*.manifest"):
        file.write_text("nonsense\n")
    with pytest.raises(NotReady, match=r"(?s)ended while it was starting.*manifest"):
        small.start()
    assert not small.redis.running


def test_failed_start_stops_what_it_started(tmp_path: Path) -> None:
    stack = Stack(tmp_path, Ports.free(), profile="fast", services=frozenset({"kafka", "redis"}))
    data = tmp_path / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\nnode.id=77\ncluster.id=nonsense\n")
    with pytest.raises(NotReady, match="kafka ended while it was starting"):
        stack.start()
    assert not processes(stack)


def test_tampered_jar_is_named_and_not_run(tmp_path: Path) -> None:
    real, cache = jar_folder(), tmp_path / "cache"
    libs = jar_folder(cache)
    libs.mkdir(parents=True)
    for jar in real.iterdir():
        (libs / jar.name).symlink_to(jar)
    victim = next(libs.glob("kafka-clients-*.jar"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.unlink()
    victim.write_bytes(content)
    stack = Stack(tmp_path / "brokers", Ports.free(), services=frozenset({"kafka"}), cache=cache)
    for attempt in (stack.install, stack.start):
        with pytest.raises(JarsDamaged, match=victim.name):
            attempt()
    with pytest.raises(JarsDamaged, match=victim.name):
        kafka_cli("kafka-topics", cache=cache)
    assert not processes(stack)


def test_brokers_outlive_the_command_that_started_them(small: Stack) -> None:
    arguments = [*options(small), "--only=redis"]
    assert run_cli("up", *arguments).returncode == 0
    assert small.redis.ready
    status = run_cli("status", *arguments)
    assert (status.returncode, "ready" in status.stdout) == (0, True)
    assert run_cli("down", *arguments).returncode == 0
    assert not small.redis.running
    assert run_cli("status", *arguments).returncode == 3


def test_command_line_says_what_is_wrong(small: Stack) -> None:
    with socket.create_server(("127.0.0.1", small.ports.redis)):
        done = run_cli("up", *options(small), "--only=redis")
    assert done.returncode == 1
    assert "STREAMAPP_BROKERS__REDIS_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_killed_test_run_leaves_no_brokers(tmp_path: Path) -> None:
    root = tmp_path / "brokers"
    program = """
import sys, time
from pathlib import Path
from brokers import Ports, Stack
from brokers.watchdog import start_watchdog
watchdog = start_watchdog(Path(sys.argv[1]), remove=True)
Stack(Path(sys.argv[1]), Ports.free(), profile="fast", services=frozenset({"redis"})).start()
print("started", flush=True)
sys.stdin.read()
"""
    stack = Stack(root, services=ONLY_REDIS)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(root)], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"started\n"
        started = stack.redis.process.identity
        assert started is not None
        run.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not root.exists(), 30)
    assert not is_alive(started)


def test_kafka_tools_talk_to_the_broker(stack: Stack) -> None:
    def tool(name: str, *words: str, given: str = "") -> str:
        command = kafka_cli(name, ["--bootstrap-server", stack.endpoints.kafka, *words])
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    tool("kafka-topics", "--create", "--if-not-exists", "--topic", "tools", "--partitions", "2")
    assert "PartitionCount: 2" in tool("kafka-topics", "--describe", "--topic", "tools")
    tool("kafka-console-producer", "--topic", "tools", given="hello\n")
    group = ("--topic", "tools", "--from-beginning", "--max-messages", "1", "--timeout-ms", "20000", "--group", "tools")
    assert tool("kafka-console-consumer", *group) == "hello\n"
    assert "tools" in tool("kafka-consumer-groups", "--describe", "--group", "tools")


def test_kafka_tools_from_the_shell(stack: Stack) -> None:
    script = PROJECT / "brokers" / "kafka-cli"
    done = subprocess.run(
        [script, "kafka-topics", "--bootstrap-server", stack.endpoints.kafka, "--list"],
        env={**os.environ, "PYTHON": sys.executable},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def test_topics_are_never_created_by_accident(stack: Stack) -> None:
    async with AIOKafkaProducer(bootstrap_servers=stack.endpoints.kafka, request_timeout_ms=1000) as producer:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.send_and_wait("never-declared", b"record")


@pytest.mark.parametrize(("password", "virtual_host"), [("wrong", "/"), ("guest", "/missing")])
def test_rabbitmq_is_not_ready_for_who_cannot_log_in(stack: Stack, password: str, virtual_host: str) -> None:
    def attempt(password: str, virtual_host: str) -> bool:
        try:
            return opens("127.0.0.1", stack.ports.rabbitmq, "guest", password, virtual_host, 10)
        except OSError:
            return False

    assert attempt("guest", "/")
    assert not attempt(password, virtual_host)


def test_unwritable_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerError, match="Choose another folder"):
        Stack(tmp_path / "file" / "brokers", Ports.free(), services=ONLY_REDIS).start()
