"""``python -m brokers``: start, look at and stop the brokers, and use Kafka's own tools.

Exit codes: 0 done (status: all run and answer); 1 could not be done, the reason is on standard error; 2 wrong
usage; 3 status: at least one broker does not run or does not answer.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from brokers.endpoints import SERVICES
from brokers.errors import BrokerError
from brokers.kafka.command_line import TOOLS, run_kafka_cli
from brokers.ports import Ports
from brokers.stack import DEFAULT_ROOT, Stack

_PORT_NAMES = tuple(asdict(Ports.default()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: those of the command line by default.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words and words[0].removesuffix(".sh") in TOOLS:
            run_kafka_cli(words[0], words[1:])
        return _carry_out(_parser().parse_args(words))
    except BrokerError as error:
        print(f"brokers: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m brokers",
        description="Kafka, RabbitMQ and Redis as ordinary processes on this machine.",
        epilog=f"Kafka's own tools take their usual arguments: {', '.join(TOOLS)}.",
    )
    parser.add_argument("command", choices=("install", "up", "status", "down"))
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT, help="folder of all data (%(default)s)")
    parser.add_argument("--profile", choices=("durable", "fast"), default="durable", help="(%(default)s)")
    parser.add_argument("--only", action="append", choices=sorted(SERVICES), help="this broker; may be repeated")
    parser.add_argument("--cache", type=Path, help="folder for Kafka's jars (the user's cache folder)")
    for name, port in asdict(Ports.default()).items():
        parser.add_argument(f"--{name.replace('_', '-')}-port", type=int, default=port, dest=name, metavar="PORT")
    return parser


def _carry_out(options: argparse.Namespace) -> int:
    stack = Stack(
        root=options.root,
        ports=Ports(**{name: getattr(options, name) for name in _PORT_NAMES}),
        profile=options.profile,
        services=frozenset(options.only or SERVICES),
        notify=lambda message: print(message, file=sys.stderr),
        cache=options.cache,
    )
    match options.command:
        case "install":
            stack.install()
        case "up":
            stack.install()
            endpoints = stack.start()
            for name, value in asdict(endpoints).items():
                print(f"{name}={value}")
        case "down":
            stack.stop()
        case "status":
            return _print_status(stack)
    return 0


def _print_status(stack: Stack) -> int:
    everything = stack.status()
    for broker in everything:
        state = "ready" if broker.ready else "running, no answer" if broker.running else "stopped"
        pid = f"pid {broker.pid}" if broker.pid else "-"
        print(f"{broker.name:<9} {state:<19} {pid:<11} 127.0.0.1:{broker.port:<6} {broker.log_file}")
    return 0 if all(broker.ready for broker in everything) else 3


if __name__ == "__main__":
    sys.exit(main())
