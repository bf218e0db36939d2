"""The doctor asks and changes nothing: which commands its door to Redis knows, and which doors its modules take."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
READING = {"aclose", "get", "hmget", "pipeline", "time", "zrange", "zscore"}
"""What is asked of a Redis client or of a pipeline."""

DOORS = {
    "streamapp.guard": {"GuardInspection", "StandingClaim"},
    "streamapp.queue": {"depth"},
    "streamapp.stream": {"groups", "topics"},
    "streamapp.stream.topic_log": {"Bounds", "TopicLog"},
}
MODULES = ("doctor", "examination", "looks", "diary_views", "role_groups")


def _tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


def test_the_door_to_redis_knows_only_commands_that_read() -> None:
    called = set()
    for node in ast.walk(_tree("streamapp/guard/inspection.py")):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if owner in ("self._redis", "pipeline"):
                called.add(node.func.attr)
    assert called - {"execute"} == READING


@pytest.mark.parametrize("module", MODULES)
def test_its_modules_take_only_doors_that_ask(module: str) -> None:
    for node in ast.walk(_tree(f"streamapp/cli/{module}.py")):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {alias.name for alias in node.names}
            assert not node.module.startswith(("streamapp.producer", "streamapp.api", "streamapp.worker"))
            if node.module.startswith(("streamapp.guard", "streamapp.queue", "streamapp.stream")):
                assert names <= DOORS[node.module], node.module


def test_of_topics_and_groups_only_what_asks_is_used() -> None:
    used = {
        f"{node.value.id}.{node.attr}"
        for module in MODULES
        for node in ast.walk(_tree(f"streamapp/cli/{module}.py"))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("topics", "groups")
    }
    asking = {"topics.faults", "topics.lifecycle", "topics.events"}
    assert used == asking | {"groups.describe_groups", "groups.committed", "groups.Place"}
