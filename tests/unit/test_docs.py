"""The reference pages say what the code says, and every link inside the documentation leads somewhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click import Command, Group
from pydantic.fields import FieldInfo

from agents.diary import description as diary
from agents.diary import problems
from streamapp.api.description import openapi
from streamapp.api.problems import KINDS
from streamapp.cli.commands import main
from streamapp.domain.errors import ConfigurationError
from streamapp.domain.facts import FACTS
from streamapp.settings import Settings, variable, variables
from streamapp.tasktypes import Registry
from streamapp.tasktypes.shipped import TYPES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md")) + [ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md")]


def page(name: str) -> str:
    return (DOCS / name).read_text()


def golden(name: str) -> dict[str, Any]:
    """A fact of that type that must decode for ever."""
    corpus = [json.loads(path.read_text())["value"] for path in sorted((ROOT / "tests/contract/golden").glob("*.json"))]
    found: dict[str, Any] = next(fact for fact in corpus if fact["type"] == name)
    return found


def setting_rows() -> Iterator[tuple[str, str, str]]:
    """Variable, default, meaning: one row of the table for each setting."""
    for name, field in Settings.model_fields.items():
        group: Any = field.annotation
        if hasattr(group, "model_fields"):
            for inner, inner_field in group.model_fields.items():
                yield row(variable(name, inner), inner_field)
        else:
            yield row(variable(name), field)


def row(name: str, field: FieldInfo) -> tuple[str, str, str]:
    """How the page writes a setting. Defaults as the environment would have them: lists, maps and flags as JSON."""
    default = field.get_default(call_default_factory=True, validated_data={})
    if name == variable("instance"):
        written = "the host name"
    elif default is None or default == "":
        written = "none"
    else:
        plain = isinstance(default, str | Path)
        written = f"`{default}`" if plain else f"`{json.dumps(default)}`"
    return name, written, field.description or ""


def test_settings_page_has_every_setting_as_it_is_and_no_other() -> None:
    found = re.findall(r"^\| `(STREAMAPP_\w+)` \| (.*?) \| (.*?) \|$", page("reference/settings.md"), re.MULTILINE)
    written = {name: (default, meaning) for name, default, meaning in found}
    wanted = {name: (default, meaning) for name, default, meaning in setting_rows()}
    assert len(found) == len(written), "a setting has two rows"
    assert set(wanted) == set(variables())
    assert written == wanted


@pytest.mark.parametrize("text", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_named_on_a_page_exists(text: Path) -> None:
    named = set(re.findall(r"\bSTREAMAPP_[A-Z_]*[A-Z]\b(?!…)", text.read_text()))
    unknown = {name for name in named if name not in variables() and not name.startswith("STREAMAPP_TEST")}
    assert not unknown


@pytest.mark.parametrize("text", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(text: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text.read_text())
    dead = [target for target in targets if "://" not in target and not (text.parent / target).exists()]
    assert not dead


@pytest.mark.parametrize("text", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_named_on_a_page_exists(text: Path) -> None:
    named = re.findall(r"`((?:streamapp|agents|tables|brokers|tests|examples|docs)/[\w./-]+)`", text.read_text())
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_page_is_in_the_index() -> None:
    index = page("README.md")
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"README.md"}
    assert not {name for name in pages if f"({name})" not in index}


@pytest.mark.parametrize("name", [fact.NAME for fact in FACTS])
def test_facts_page_names_every_field_of_every_fact(name: str) -> None:
    section = re.search(rf"^### {name}$(.*?)(?=^##|\Z)", page("reference/facts.md"), re.MULTILINE | re.DOTALL)
    assert section, f"no section about {name}"
    assert not [field for field in golden(name)["data"] if f"`{field}`" not in section[1]]


def test_facts_page_names_the_envelope() -> None:
    text = page("reference/facts.md")
    assert not [field for field in golden("TaskAccepted") if f"`{field}`" not in text]


def test_http_page_names_every_route_of_the_api_and_every_problem() -> None:
    try:
        described = openapi(Settings.model_construct(), Registry.of(TYPES))
    except ConfigurationError as error:
        pytest.fail(str(error))
    text = page("reference/http.md")
    assert not [path for path in described["paths"] if f"`{path}`" not in text and f" {path}`" not in text]
    assert not [slug for slug in KINDS if f"`{slug}`" not in text]


def test_http_page_names_every_view_of_the_diary_and_every_problem() -> None:
    text = page("reference/http.md")
    assert not [path for path in diary.openapi()["paths"] if f"`GET {path}`" not in text]
    assert not [slug for slug in problems.KINDS if f"| `{slug}` | {problems.KINDS[slug][0]} |" not in text]
    parameters = {
        parameter["name"]
        for view in diary.openapi()["paths"].values()
        for parameter in view["get"].get("parameters", [])
    }
    assert not [name for name in parameters - {"taskId", "process"} if f"`{name}`" not in text]


def test_observability_page_has_a_line_for_every_view_of_the_diary() -> None:
    views = {path.removeprefix("/v1/") for path in diary.openapi()["paths"] if path.startswith("/v1/")}
    told = {name for row in page("observability.md").splitlines() for name in re.findall(r"`([\w/{}]+)", row)}
    assert not views - told - {"totals"}


def commands(group: Group = main, path: str = "streamapp") -> Iterator[tuple[str, Command]]:
    """Every command that does something, with what a person types."""
    for name, command in group.commands.items():
        if isinstance(command, Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands())
SECTIONS = dict(re.findall(r"^### `(.*?)`$(.*?)(?=^##|\Z)", page("reference/commands.md"), re.MULTILINE | re.DOTALL))


def test_commands_page_has_every_command_and_no_other() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_page_has_options_exit_codes_and_an_example_of_every_command(name: str) -> None:
    section = SECTIONS[name]
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")}
    named = set(re.findall(r"`(--[\w-]+)", section))
    assert named == options
    assert "xit code" in section
    examples = re.findall(r"^    (streamapp .*)$", section, re.MULTILINE)
    assert [line for line in examples if line.startswith(name)]
    for word in re.findall(r"(?<!\S)(--[\w-]+)", " ".join(line for line in examples if line.startswith(name))):
        assert word in options


def test_observability_page_has_a_command_for_every_signal_and_each_exists() -> None:
    rows = re.findall(r"^\| (?!signal|---)(.*) \|$", page("observability.md"), re.MULTILINE)
    assert len(rows) > 20
    for row in rows:
        *_, column = row.split(" | ")
        named = re.findall(r"`([a-z ]+)(?: (--[\w-]+))?(?: [A-Z_]+)?`", column)
        assert named, row
        for words, option in named:
            command = COMMANDS[f"streamapp {words.strip()}"]
            assert not option or any(option in parameter.opts for parameter in command.params), row
