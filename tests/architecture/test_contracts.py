"""The import contracts hold, and each one is seen to fail: a contract nobody has seen fail is a wish."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("streamapp", "agents", "tables", "brokers")
OPTIONS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
NAMES = {contract["id"]: contract["name"] for contract in OPTIONS["contracts"]}

VIOLATIONS = [
    ("sentence", "tables/sources.py", "import agents.ingest"),
    ("rooms", "streamapp/utils.py", "X = 1"),
    ("rooms", "streamapp/domain/policy.py", "import streamapp.wire.names"),
    ("rooms", "streamapp/wire/names.py", "import streamapp.settings"),
    ("rooms", "streamapp/guard/__init__.py", "import streamapp.queue"),
    ("rooms", "streamapp/handlers/__init__.py", "from streamapp import worker"),
    ("agents-apart", "agents/ingest.py", "from agents import diary"),
    ("tables-apart", "tables/dedup.py", "from tables.pending import Pending"),
    ("domain", "streamapp/domain/policy.py", "import time"),
    ("domain", "streamapp/domain/task.py", "import json"),
    ("domain", "streamapp/domain/dispatch.py", "from datetime import datetime"),
    ("domain", "streamapp/domain/outcome.py", "from asyncio import sleep"),
    ("domain", "streamapp/domain/facts.py", "from pydantic import BaseModel"),
    ("domain", "streamapp/domain/identity.py", "def roll():\n    import random\n    return random.random()"),
    ("redis", "streamapp/api/__init__.py", "from redis.asyncio import Redis"),
    ("redis", "streamapp/worker/__init__.py", "import redis"),
    ("amqp", "streamapp/worker/__init__.py", "import aio_pika"),
    ("amqp", "agents/dispatch/__init__.py", "from aiormq.abc import DeliveredMessage"),
    ("kafka", "streamapp/api/__init__.py", "from aiokafka import AIOKafkaProducer"),
    ("kafka", "streamapp/guard/__init__.py", "import aiokafka"),
    ("faust", "streamapp/cli/__init__.py", "import faust"),
    ("prometheus", "streamapp/worker/__init__.py", "from prometheus_client import Counter"),
    ("prometheus", "agents/diary/__init__.py", "import prometheus_client"),
    ("opentelemetry", "streamapp/api/__init__.py", "from opentelemetry import trace"),
    ("rooms", "streamapp/metrics/__init__.py", "import streamapp.audit"),
    ("rooms", "streamapp/tracing/__init__.py", "import streamapp.metrics"),
    ("strangers", "streamapp/worker/__init__.py", "import mode"),
    ("strangers", "streamapp/producer/__init__.py", "from confluent_kafka import Producer"),
    ("brokers", "streamapp/worker/__init__.py", "from brokers import Stack"),
    ("brokers-alone", "brokers/ports.py", "from streamapp.settings import load"),
    ("api", "streamapp/api/__init__.py", "import streamapp.queue"),
    ("api", "streamapp/api/__init__.py", "import streamapp.guard"),
    ("api", "streamapp/composition.py", "import streamapp.queue"),
    ("worker", "streamapp/worker/__init__.py", "import streamapp.stream.batch"),
    ("diary", "agents/diary/__init__.py", "import streamapp.producer"),
    ("diary", "agents/diary/__init__.py", "import streamapp.guard"),
    ("dispatch", "agents/dispatch/__init__.py", "import streamapp.guard"),
    ("dispatch", "agents/dispatch/__init__.py", "import streamapp.handlers"),
    ("doctor", "streamapp/doctor/runs.py", "from streamapp.settings import load"),
    ("ingest", "agents/ingest.py", "import streamapp.queue"),
    ("agents", "agents/dispatch/__init__.py", "from streamapp.settings import load"),
    ("tables", "tables/tasks.py", "import streamapp.telemetry"),
    ("tables", "tables/tasks.py", "import time"),
]
"""Contract, file, what is written at its end: exactly that contract must break."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A copy of the sources and of the contracts."""
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def _lint(folder: Path) -> dict[str, bool]:
    """Whether each contract holds, by its name, as `lint-imports` says in `folder`."""
    # The copy must be read, not the installed package: its folder comes first on the path.
    environment = os.environ | {"COLUMNS": "300", "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run(
        [*command, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    verdicts = dict(re.findall(r"^(.+) (KEPT|BROKEN)\b.*$", done.stdout, re.MULTILINE))
    assert set(verdicts) == set(NAMES.values()), done.stdout + done.stderr
    assert done.returncode == int("BROKEN" in verdicts.values())
    return {name: verdict == "KEPT" for name, verdict in verdicts.items()}


@contextmanager
def _written(file: Path, line: str) -> Iterator[None]:
    before = file.read_text(encoding="utf-8") if file.exists() else None
    file.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before, encoding="utf-8")


def test_the_tree_keeps_every_contract():
    assert [name for name, kept in _lint(ROOT).items() if not kept] == []


def test_a_copy_of_the_tree_keeps_every_contract(tree):
    assert all(_lint(tree).values())


def test_every_contract_is_seen_to_fail_below():
    assert {contract for contract, _, _ in VIOLATIONS} == set(NAMES)


@pytest.mark.parametrize(("contract", "file", "line"), VIOLATIONS, ids=lambda value: value.split("\n")[0])
def test_exactly_the_contract_that_is_broken_says_so(tree, contract, file, line):
    if file != "streamapp/utils.py":
        assert (tree / file).exists(), "the file has moved: choose another one of its room"
    with _written(tree / file, line):
        broken = [name for name, kept in _lint(tree).items() if not kept]
    assert broken == [NAMES[contract]]
