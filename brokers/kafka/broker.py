"""The Kafka broker: one node that is its own controller, with its log in ``root/kafka/data``."""

import base64
import subprocess
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

from brokers.broker import Broker, plain_environment
from brokers.endpoints import Profile, Service
from brokers.errors import NotReady
from brokers.kafka.class_archive import ClassArchive
from brokers.kafka.configuration import Detour, server_properties
from brokers.kafka.jars import class_path, jar_folder, verify
from brokers.kafka.java import LOG_CONFIGURATION, QUICK_START, demand_java, find_java
from brokers.kafka.protocol import registered_brokers
from brokers.ports import LOOPBACK, Ports

_ANSWER_SECONDS = 5.0
_FORMAT_SECONDS = 60.0
_HEAP = ("-Xms256m", "-Xmx768m")


class KafkaBroker(Broker):
    """A Kafka node.

    Args:
        root, ports, profile, notify: see `Broker`.
        cache: where the jars are kept, see `brokers.kafka.jars.jar_folder`.
        detour: a further listener, for clients behind a proxy.
    """

    name: ClassVar[Service] = "kafka"
    port_names: ClassVar[tuple[str, ...]] = ("kafka", "kafka_controller")

    def __init__(
        self,
        root: Path,
        ports: Ports,
        profile: Profile,
        notify: Callable[[str], None],
        cache: Path | None = None,
        detour: Detour | None = None,
    ) -> None:
        super().__init__(root, ports, profile, notify)
        self.jars = jar_folder(cache)
        self.detour = detour

    def demand_installed(self) -> None:
        """See `Broker.demand_installed`."""
        if find_java() is None:
            demand_java()
        verify(self.jars)

    def kill(self) -> None:
        """See `Broker.kill`."""
        super().kill()
        self._fresh_archive().unlink(missing_ok=True)

    def _spawn(self) -> None:
        data, temporary = self.folder / "data", self.folder / "tmp"
        for folder in (data, temporary):
            folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "server.properties"
        configuration.write_text(server_properties(self.ports, str(data), self.detour))
        if not (data / "meta.properties").exists():
            self._format(configuration)
        self._fresh_archive().unlink(missing_ok=True)
        speed = QUICK_START if self.profile == "fast" else ("-XX:+UseG1GC",)
        java = self._java(*speed, *self._archive().options())
        self.process.spawn([*java, "kafka.Kafka", str(configuration)], plain_environment(), self.folder, self._notes())

    def _notes(self) -> Mapping[str, object]:
        return {**super()._notes(), **({"detour": asdict(self.detour)} if self.detour else {})}

    def _answers(self, port: int) -> bool:
        return registered_brokers(LOOPBACK, port, _ANSWER_SECONDS) >= 1

    def _ended_gracefully(self) -> None:
        self._archive().keep()

    def _java(self, *options: str) -> list[str]:
        logs = self.folder / "logs"
        return [
            find_java() or "java",
            *_HEAP,
            *options,
            "-Djava.awt.headless=true",
            "-Djava.net.preferIPv4Stack=true",
            # Native libraries of the compression codecs are unpacked here, and nothing goes to /tmp.
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            f"-XX:ErrorFile={logs}/java_error_%p.log",
            f"-Dlog4j2.configurationFile={LOG_CONFIGURATION}",
            "-cp",
            class_path(self.jars),
        ]

    def _format(self, configuration: Path) -> None:
        """Give the empty data folder its cluster id, once in its life."""
        self.notify("kafka: preparing an empty data folder")
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        arguments = ["format", f"--cluster-id={cluster}", "--config", str(configuration)]
        done = subprocess.run(
            [*self._java(*QUICK_START), "kafka.tools.StorageTool", *arguments],
            env=plain_environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_FORMAT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            end = "\n".join(done.stdout.splitlines()[-20:])
            raise NotReady(f"kafka could not prepare {self.folder}/data. The end of its output:\n{end}")

    def _fresh_archive(self) -> Path:
        return self.folder / "tmp" / "classes.jsa"

    def _archive(self) -> ClassArchive:
        return ClassArchive(self.jars, find_java() or "java", self._fresh_archive())
