"""The house style, as far as a machine can tell."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("streamapp", "agents", "tables", "brokers", "bench")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAX_LINES = 300
MEDIAN_LINES = 120
NO_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "manager",
    "managers",
    "base",
    "common",
    "misc",
    "core",
    "lib",
    "tools",
}

PURE = {"bisect", "collections", "dataclasses", "enum", "hashlib", "math", "typing"}
"""What the domain may use of the standard library."""

VALUES = {"msgspec": {"Struct", "field"}, "msgspec.structs": {"replace"}}
"""What the domain may use of msgspec, and no more: decision 0018."""

LOG_METHODS = {"debug", "info", "warning", "error", "exception", "bind"}
NEVER_LOGGED = {"payload", "parameters", "result", "value", "body", "secret", "password", "document"}
"""Names of fields that would carry a task's content, or a broker's password, into a log."""

RESERVED = {"time", "level", "logger", "message", "exception", "role", "instance"}
"""Fields that every line has already."""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


every_module = pytest.mark.parametrize("path", MODULES, ids=_name)


def test_there_is_something_to_look_at():
    assert len(MODULES) > 100


@every_module
def test_no_file_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_most_files_are_short():
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES)
    assert lengths[len(lengths) // 2] <= MEDIAN_LINES


@every_module
def test_every_module_says_what_it_is_for(path):
    docstring = ast.get_docstring(_tree(path))
    assert docstring
    assert len(docstring) > 15


@every_module
def test_names_say_what_is_inside(path):
    assert not NO_NAMES & {part.removesuffix(".py").strip("_") for part in path.relative_to(ROOT).parts}


@every_module
def test_no_stub_is_left(path):
    tree = _tree(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            assert not (isinstance(raised, ast.Name) and raised.id == "NotImplementedError"), node.lineno
        if isinstance(node, ast.ExceptHandler):
            assert not (len(node.body) == 1 and isinstance(node.body[0], ast.Pass)), node.lineno
    text = path.read_text(encoding="utf-8")
    assert not any(word in text for word in ("TODO", "FIXME", "XXX", "HACK"))


@pytest.mark.parametrize("path", sorted((ROOT / "streamapp/domain").glob("*.py")), ids=_name)
def test_the_domain_uses_nothing_but_values_and_pure_parts_of_the_standard_library(path):
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            if {alias.name for alias in node.names} <= VALUES.get(node.module or "", set()):
                continue
            names = [node.module or ""]
        else:
            continue
        for name in names:
            assert name.split(".")[0] in PURE or name.startswith("streamapp.domain"), (node.lineno, name)
    assert sys.stdlib_module_names >= PURE


@every_module
def test_only_one_module_reads_the_environment(path):
    """Whoever starts processes (`brokers`, the cli, `bench`) hands the environment on to them."""
    if _name(path).startswith(("bench/", "brokers/", "streamapp/cli/", "streamapp/settings/environment.py")):
        return
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}:
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            assert owner != "os", node.lineno


@every_module
def test_no_log_line_carries_content_or_overwrites_what_every_line_has(path):
    for node in ast.walk(_tree(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOG_METHODS):
            continue
        owner = node.func.value
        label = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
        if label.strip("_") not in {"log", "logger"}:
            continue
        fields = {keyword.arg for keyword in node.keywords if keyword.arg}
        assert not fields & (NEVER_LOGGED | RESERVED), node.lineno
