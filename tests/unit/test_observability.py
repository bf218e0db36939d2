"""Rules, dashboard, Prometheus' configuration and the page about metrics, against the metrics that the code has.

A name that nobody tells makes an alert that never fires and a panel that stays empty, without a word.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamapp.metrics import Family
from streamapp.settings import Settings
from tests.support.compose import ON_DEMAND, ROLES
from tests.support.compose import read as compose
from tests.support.metrics import everything, families, scrape

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "observability"
DASHBOARD = FOLDER / "grafana/dashboards/streamapp.json"
FAMILIES = families()
OF_PROMETHEUS = {"up", "ALERTS"}
LABELS_OF_PROMETHEUS = {"job", "instance", "le", "alertname", "alertstate", "severity"}
PARTS = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("",), "gauge": ("",)}
SERIES = {family.name + part: family for family in FAMILIES.values() for part in PARTS[family.kind]}
PROCESS = {name for name, _ in scrape(everything()).samples if name.startswith("process_")}


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((FOLDER / "rules.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Where it stands, and the query."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for annotation in json.loads(DASHBOARD.read_text())["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


QUERIES = list(queries())
each_query = pytest.mark.parametrize(("where", "query"), QUERIES, ids=[where for where, _ in QUERIES])


def complaints(query: str) -> Iterator[str]:
    """What a query asks for that nobody tells."""
    plain = re.sub(r'"[^"]*"', '""', query)
    used: set[Family] = set()
    for name, selector in re.findall(r"\b([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})?", re.sub(r"\[[^\]]*\]", "", plain)):
        if name.startswith(("streamapp_", "process_")) or name in OF_PROMETHEUS:
            family = SERIES.get(name)
            if family is None and name not in PROCESS | OF_PROMETHEUS:
                yield f"nobody tells {name}"
            known = LABELS_OF_PROMETHEUS | set(family.labels if family else ())
            used |= {family} if family else set()
            for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector):
                if label not in known:
                    yield f"{name} has no label {label}"
    labels = LABELS_OF_PROMETHEUS | {label for family in used for label in family.labels}
    for grouping in re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", plain):
        for label in filter(None, map(str.strip, grouping.split(","))):
            if label not in labels:
                yield f"nothing in the query has a label {label}"
    if "_bucket" in plain and not re.search(r"by \(le\b", plain):
        yield "a quantile needs le"


@each_query
def test_every_metric_and_label_that_is_asked_for_is_told(where: str, query: str) -> None:
    assert list(complaints(query)) == []


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("sum(streamapp_task)", "nobody tells streamapp_task"),
        ("streamapp_tasks_total > 0", "nobody tells streamapp_tasks_total"),
        ("rate(streamapp_execution_seconds[5m])", "nobody tells streamapp_execution_seconds"),
        ("sum by (le) (rate(streamapp_tasks_bucket[5m]))", "nobody tells streamapp_tasks_bucket"),
        ('sum(streamapp_tasks{status="FAILED"})', "streamapp_tasks has no label status"),
        ("sum by (state) (streamapp_facts_total)", "nothing in the query has a label state"),
        ("sum(rate(streamapp_execution_seconds_bucket[5m]))", "a quantile needs le"),
        ("process_memory_bytes", "nobody tells process_memory_bytes"),
    ],
)
def test_a_query_broken_on_purpose_is_noticed(query: str, complaint: str) -> None:
    assert complaint in list(complaints(query))


@each_query
def test_values_of_labels_that_are_asked_for_exist(where: str, query: str) -> None:
    """A state that is misspelt selects nothing."""
    told = scrape(everything())
    for name, selector in re.findall(r"\b(streamapp_\w+)\{([^}]*)\}", query):
        for label, operator, values in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', selector):
            known = {labels[label] for labels in told.having(name) if label in labels}
            if known and operator in ("=", "=~"):
                assert set(values.split("|")) <= known, (name, label)


@each_query
def test_counters_are_only_looked_at_by_rate(where: str, query: str) -> None:
    for name, family in SERIES.items():
        if family.kind == "counter" or name.endswith(("_bucket", "_count", "_sum")):
            bare = re.findall(rf"(\w+)\(\s*{name}\b|\b{name}\b", query)
            assert all(function in ("rate", "increase") for function in bare), (name, bare)


def test_every_alert_says_what_is_wrong_and_how_bad_it_is() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) > 15
    for rule in rules():
        assert rule["alert"].startswith("Streamapp")
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


def test_every_alert_is_on_the_page_and_seen_to_fire() -> None:
    page = (ROOT / "docs/howto/monitoring.md").read_text()
    tested = (FOLDER / "rules_test.yml").read_text()
    for rule in rules():
        assert rule["alert"] in page
        assert rule["alert"] in tested
    named = set(re.findall(r"\bStreamapp[A-Z]\w+", page + tested))
    assert named == {rule["alert"] for rule in rules()}


def test_metrics_page_has_every_metric_as_it_is_and_no_other() -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text()
    rows = re.findall(r"^\| `(streamapp_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    wanted = {
        family.name: (family.kind, ", ".join(f"`{label}`" for label in family.labels) or "–", family.meaning)
        for family in FAMILIES.values()
    }
    assert len(rows) == len({row[0] for row in rows}), "a metric has two rows"
    assert {name: (kind, labels, meaning) for name, kind, labels, meaning in rows} == wanted
    named = set(re.findall(r"\bstreamapp_[a-z_]*[a-z]\b(?!…)", page))
    assert named <= set(SERIES) | set(FAMILIES)
    assert set(re.findall(r"`(process_\w+)`", page)) == PROCESS


def test_names_are_what_prometheus_asks_for() -> None:
    for family in FAMILIES.values():
        assert re.fullmatch(r"streamapp(_[a-z]+)+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert family.kind != "histogram" or family.name.endswith("_seconds"), family.name
        assert not {"task", "task_id", "taskId", "worker", "message_id"} & set(family.labels), family.name
        assert family.meaning.endswith(".")


def test_every_metric_is_told_somewhere_in_the_dashboard_or_watched_by_a_rule() -> None:
    """What nobody looks at need not be counted. These are for looking at by hand."""
    asked = " ".join(query for _, query in QUERIES)
    unused = {family.name for family in FAMILIES.values() if not re.search(rf"\b{family.name}", asked)}
    assert unused == {
        "streamapp_api_requests_in_flight",
        "streamapp_diary_stale",
        "streamapp_facts_appended_total",
        "streamapp_stream_partitions_held",
        "streamapp_stream_settled",
    }


def targets() -> dict[str, Any]:
    document = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert document["rule_files"] == ["rules.yml"]
    return {job["job_name"]: job for job in document["scrape_configs"]}


def test_prometheus_asks_every_role_where_it_answers() -> None:
    plain, services, jobs = Settings.model_construct(), compose()["services"], targets()
    assert set(jobs) == ROLES
    ports = {"api": plain.api.port, "ingest": plain.ingest.port, "dispatch": plain.dispatch.port}
    ports["diary"] = plain.diary.port
    for role, port in ports.items():
        assert jobs[role]["static_configs"] == [{"targets": [f"{role}:{port}"]}]
        assert services[role]["environment"][f"STREAMAPP_{role.upper()}__HOST"] == "0.0.0.0"
    (found,) = jobs["worker"]["dns_sd_configs"]
    worker = services["worker"]["environment"]
    assert found["names"] == ["worker"]
    assert found["port"] == worker["STREAMAPP_WORKER__METRICS_PORT"]
    assert worker["STREAMAPP_WORKER__METRICS_HOST"] == "0.0.0.0"


def test_grafana_finds_prometheus_and_the_dashboard_where_compose_puts_them() -> None:
    services = compose()["services"]
    grafana = FOLDER / "grafana/provisioning"
    (source,) = yaml.safe_load((grafana / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (variable,) = json.loads(DASHBOARD.read_text())["templating"]["list"]
    assert variable["current"]["value"] == source["uid"]
    (provider,) = yaml.safe_load((grafana / "dashboards/streamapp.yml").read_text())["providers"]
    mounts = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"])
    assert mounts["./observability/grafana/dashboards"] == provider["options"]["path"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/{DASHBOARD.name}"
    config = dict(mount.split(":")[:2] for mount in services["prometheus"]["volumes"])
    assert f"--config.file={config['./observability/prometheus.yml']}" in services["prometheus"]["command"]
    assert Path(config["./observability/rules.yml"]).parent == Path(config["./observability/prometheus.yml"]).parent
    assert set(ON_DEMAND) == {"prometheus", "grafana"}


def test_panels_have_ids_of_their_own_and_do_not_lie_upon_each_other() -> None:
    found = panels()
    assert len({panel["id"] for panel in found}) == len(found)
    taken: set[tuple[int, int]] = set()
    for panel in found:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
