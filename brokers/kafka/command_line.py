"""Kafka's own command-line tools, of the same pinned version as the broker."""

import os
from collections.abc import Sequence
from pathlib import Path

from brokers.errors import BrokerError
from brokers.kafka.jars import class_path, jar_folder, verify
from brokers.kafka.java import LOG_CONFIGURATION, QUICK_START, demand_java

TOOLS: dict[str, str] = {
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
}


def kafka_cli(tool: str, arguments: Sequence[str] = (), cache: Path | None = None) -> list[str]:
    """The command that runs one of Kafka's tools.

    Args:
        tool: its usual name, with or without ``.sh``; one of `TOOLS`.
        arguments: its arguments, for example ``["--bootstrap-server", "127.0.0.1:9092", "--list"]``.
        cache: where the jars are kept, see `brokers.kafka.jars.jar_folder`.

    Returns:
        Program and arguments, for `subprocess.run` or `os.execv`.

    Raises:
        BrokerError: there is no such tool.
        NotInstalled: Java or the jars are missing.
        JarsDamaged: the jars are not the pinned ones.
    """
    main_class = TOOLS.get(tool.removesuffix(".sh"))
    if main_class is None:
        raise BrokerError(f"{tool} is none of the Kafka tools that are here: {', '.join(TOOLS)}.")
    java = demand_java()
    folder = jar_folder(cache)
    verify(folder)
    options = [
        *QUICK_START,
        "-Xmx256m",
        "-XX:-UsePerfData",
        f"-Dlog4j2.configurationFile={LOG_CONFIGURATION}",
    ]
    quiet = ["-Dstreamapp.log.level=warn", "-Dstreamapp.log.target=SYSTEM_ERR"]
    return [java, *options, *quiet, "-cp", class_path(folder), main_class, *arguments]


def run_kafka_cli(tool: str, arguments: Sequence[str], cache: Path | None = None) -> None:
    """Become one of Kafka's tools: this process is replaced by it.

    Raises:
        BrokerError: see `kafka_cli`.
    """
    command = kafka_cli(tool, arguments, cache)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted: the arguments are the user's own
