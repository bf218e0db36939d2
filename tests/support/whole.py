"""A whole streamapp for a test, started and stopped by its own command line on the session's brokers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from brokers.ports import free_ports
from streamapp.settings import PREFIX
from tests.support.brokers import RunningBrokers

PROJECT = Path(__file__).parents[2]


class Whole:
    """`streamapp up` in a folder of its own. Attributes: the ports of its pages, `run` with the logs."""

    def __init__(self, folder: Path, brokers: RunningBrokers, **changes: str) -> None:
        self.api, self.diary, self.smtp = free_ports(3)
        self.run = folder / "run"
        endpoints = brokers.endpoints
        own = {
            "KAFKA__BOOTSTRAP_SERVERS": endpoints.kafka,
            "RABBITMQ__URL": endpoints.rabbitmq_url,
            "REDIS__URL": endpoints.redis_url,
            "BROKERS__DIRECTORY": str(folder / "brokers"),
            "DATA_DIRECTORY": str(folder / "data"),
            "API__PORT": str(self.api),
            "DIARY__PORT": str(self.diary),
            "SMTP__PORT": str(self.smtp),
            "LOG__FORMAT": "json",
            "GUARD__LEASE_SECONDS": "2",
            **changes,
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        self.environment = {**inherited, **{PREFIX + name: value for name, value in own.items()}}

    def command(self, *arguments: str, code: int = 0, seconds: float = 100) -> str:
        """Run `streamapp …`; its standard output. Fails unless it ends with `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "streamapp.cli", *arguments],
            env=self.environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    def document(self, *arguments: str, code: int = 0) -> Any:
        """Run `streamapp … --json`; what it printed."""
        return json.loads(self.command(*arguments, "--json", code=code))

    def says(self, role: str, text: str) -> int:
        """How many log lines of `role` contain `text`."""
        log = self.run / f"{role}.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return sum(text in json.loads(line).get("message", "") for line in lines if line.startswith("{"))

    def kcat(self, *arguments: str, stdin: bytes = b"") -> None:
        """A plain Kafka client produces `stdin`."""
        program = shutil.which("kcat")
        assert program, "kcat is not installed: make tools"
        servers = self.environment[PREFIX + "KAFKA__BOOTSTRAP_SERVERS"]
        subprocess.run([program, "-P", "-b", servers, *arguments], input=stdin, check=True, timeout=30)
