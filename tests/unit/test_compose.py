"""docker-compose.yml as a document: what can be checked of it where no Docker runs.

The real file must keep every rule of `tests/support/compose.py`, and for every rule there are documents broken on
purpose that it must complain about: a rule nobody has seen fail is a wish.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.compose import (
    HEALTHY,
    RULES,
    Document,
    Rule,
    asks_the_right_page,
    careful_brokers,
    commands,
    grace,
    healthy,
    in_order,
    kept,
    known_names,
    loopback,
    mounted_files,
    on_demand,
    one_image,
    pinned,
    read,
    restarted,
    same_kafka,
    scalable,
    services,
    valid_values,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_compose_keeps_every_rule(rule: Rule) -> None:
    assert list(rule(read())) == []


def put(*path: str, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        place = document["services"]
        for key in path[:-1]:
            place = place[key]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return change


BREAKS: tuple[tuple[Rule, Callable[[Document], None], str], ...] = (
    (services, put("worker", value=None), "worker"),
    (services, put("zookeeper", value={}), "zookeeper"),
    (on_demand, put("grafana", "profiles", value=None), "grafana"),
    (on_demand, put("worker", "profiles", value=["workers"]), "worker"),
    (on_demand, put("api", "depends_on", "prometheus", value={"condition": HEALTHY}), "prometheus"),
    (commands, put("ingest", "command", value=["run", "dispatch"]), "ingest"),
    (pinned, put("redis", "image", value="redis:latest"), "redis"),
    (pinned, put("redis", "image", value="redis"), "redis"),
    (pinned, put("kafka-ui", "image", value="registry.example:5000/kafka-ui"), "kafka-ui"),
    (pinned, put("rabbitmq", "image", value="rabbitmq:4-management"), "rabbitmq"),
    (one_image, put("diary", "build", value={"context": "."}), "built by"),
    (one_image, put("diary", "image", value="streamapp:0.0.9"), "0.0.9"),
    (one_image, put("diary", "pull_policy", value=None), "registry"),
    (same_kafka, put("kafka", "image", value="apache/kafka:3.9.0"), "not the version"),
    (healthy, put("mailpit", "healthcheck", value=None), "mailpit"),
    (healthy, put("api", "healthcheck", value={"disable": True}), "api"),
    (healthy, put("api", "healthcheck", value={"test": ["NONE"]}), "api"),
    (healthy, put("setup", "healthcheck", value={"test": ["CMD", "true"]}), "setup"),
    (asks_the_right_page, put("dispatch", "healthcheck", "test", value=["CMD", "true"]), "6068"),
    (asks_the_right_page, put("worker", "healthcheck", "test", value=["CMD", "true"]), "registration"),
    (known_names, put("api", "environment", "STREAMAPP_API__HSOT", value="0.0.0.0"), "HSOT"),
    (known_names, put("api", "environment", "STREAMAPP_API__HOST", value="${STREAMAPP_HOST:-x}"), "STREAMAPP_HOST"),
    (known_names, put("api", "environment", "KAFKA_BROKERS", value="kafka:29092"), "KAFKA_BROKERS"),
    (valid_values, put("api", "environment", "STREAMAPP_API__PORT", value="eighty"), "port"),
    (valid_values, put("api", "environment", "STREAMAPP_LOG__FORMAT", value="${STREAMAPP_LOG__FORMAT:-xml}"), "format"),
    (loopback, put("redis", "ports", value=["6379:6379"]), "beyond loopback"),
    (loopback, put("redis", "ports", value=["0.0.0.0:6379:6379"]), "beyond loopback"),
    (loopback, put("redis", "ports", value=[6379]), "beyond loopback"),
    (loopback, put("dispatch", "ports", value=["127.0.0.1:6068:6068"]), "dispatch"),
    (in_order, put("worker", "depends_on", "setup", value=None), "worker"),
    (in_order, put("ingest", "depends_on", "kafka", "condition", value="service_started"), "ingest"),
    (in_order, put("api", "depends_on", "rabbitmq", value={"condition": HEALTHY}), "api"),
    (scalable, put("worker", "container_name", value="worker"), "container_name"),
    (scalable, put("worker", "ports", value=["127.0.0.1:9000:9000"]), "ports"),
    (grace, put("worker", "stop_grace_period", value="30s"), "worker"),
    (grace, put("api", "stop_grace_period", value=None), "api"),
    (restarted, put("diary", "restart", value=None), "diary"),
    (restarted, put("setup", "restart", value="always"), "setup"),
    (kept, put("kafka", "volumes", value=["kafka-data:/tmp/kafka-logs"]), "kafka"),
    (kept, put("diary", "volumes", value=["ingest-tables:/data"]), "used twice"),
    (kept, put("prometheus", "volumes", value=[]), "prometheus"),
    (mounted_files, put("prometheus", "volumes", value=["./observability/rules.yml:/rules.yml"]), "could change"),
    (mounted_files, put("prometheus", "volumes", value=["./nothing.yml:/rules.yml:ro"]), "no ./nothing.yml"),
    (pinned, put("grafana", "image", value="grafana/grafana:latest"), "grafana"),
    (healthy, put("prometheus", "healthcheck", value=None), "prometheus"),
    (loopback, put("grafana", "ports", value=["3000:3000"]), "beyond loopback"),
    (careful_brokers, put("redis", "command", value=["redis-server", "--appendonly", "yes"]), "noeviction"),
    (careful_brokers, put("kafka", "environment", "KAFKA_AUTO_CREATE_TOPICS_ENABLE", value="true"), "by accident"),
    (careful_brokers, put("kafka", "environment", "KAFKA_ADVERTISED_LISTENERS", value="HOST://:9092"), "advertise"),
)


@pytest.mark.parametrize(("rule", "change", "complaint"), BREAKS)
def test_compose_broken_on_purpose_is_noticed(rule: Rule, change: Callable[[Document], None], complaint: str) -> None:
    document = copy.deepcopy(read())
    change(document)
    assert any(complaint in found for found in rule(document))


def test_every_rule_has_been_seen_to_fail() -> None:
    assert {rule for rule, _, _ in BREAKS} == set(RULES)
