"""The rules that docker-compose.yml must keep. Each is a function from the parsed document to its complaints."""

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from streamapp.settings import PREFIX, Settings, variables

ROOT = Path(__file__).parents[2]
ROLES = {"api", "ingest", "dispatch", "diary", "worker"}
ONE_SHOT = {"setup"}
BROKERS = {"kafka", "rabbitmq", "redis"}
TOOLS = {"kafka-ui", "mailpit"}
ON_DEMAND = {"prometheus": ["observability"], "grafana": ["observability"]}
"""Services that are only started with a profile."""
PUBLISHED = {
    "kafka": {9092},
    "kafka-ui": {8080},
    "rabbitmq": {5672, 15672},
    "redis": {6379},
    "mailpit": {1025, 8025},
    "api": {8000},
    "diary": {6066},
    "prometheus": {9090},
    "grafana": {3000},
}
HEALTHY, COMPLETED = "service_healthy", "service_completed_successfully"
ORDER = {
    "kafka": {},
    "redis": {},
    "rabbitmq": {},
    "mailpit": {},
    "kafka-ui": {"kafka": HEALTHY},
    "setup": {"kafka": HEALTHY, "redis": HEALTHY, "rabbitmq": HEALTHY},
    "api": {"kafka": HEALTHY, "setup": COMPLETED},
    "ingest": {"kafka": HEALTHY, "setup": COMPLETED},
    "dispatch": {"kafka": HEALTHY, "rabbitmq": HEALTHY, "setup": COMPLETED},
    "diary": {"kafka": HEALTHY, "setup": COMPLETED},
    "worker": {
        "kafka": HEALTHY,
        "redis": HEALTHY,
        "rabbitmq": HEALTHY,
        "mailpit": HEALTHY,
        "setup": COMPLETED,
        "ingest": HEALTHY,
        "dispatch": HEALTHY,
    },
    "prometheus": {},
    "grafana": {"prometheus": HEALTHY},
}
"""The first seed's order: brokers, then what consumes events, then workers; with one set-up in between."""

KEPT = {
    "kafka": "/var/lib/kafka/data",
    "rabbitmq": "/var/lib/rabbitmq",
    "redis": "/data",
    "ingest": "/data",
    "dispatch": "/data",
    "diary": "/data",
    "prometheus": "/prometheus",
    "grafana": "/var/lib/grafana",
}
"""What must survive `docker compose down`, and where the images keep it."""

Document = dict[str, Any]
Rule = Callable[[Document], Iterator[str]]


def read() -> Document:
    document: Document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def ours(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, service) for name, service in document["services"].items() if name in ROLES | ONE_SHOT)


def seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)s", text)
    assert found, f"{text!r} is not written in seconds"
    return float(found[1])


def services(document: Document) -> Iterator[str]:
    found, wanted = set(document["services"]), ROLES | ONE_SHOT | BROKERS | TOOLS | set(ON_DEMAND)
    if found != wanted:
        yield f"services: {sorted(found ^ wanted)} too many or too few"


def on_demand(document: Document) -> Iterator[str]:
    for name, service in document["services"].items():
        if service.get("profiles") != ON_DEMAND.get(name):
            yield f"{name}: profiles {service.get('profiles')}, not {ON_DEMAND.get(name)}"
        for other in service.get("depends_on", {}):
            if other in ON_DEMAND and name not in ON_DEMAND:
                yield f"{name}: needs {other}, which is only started with a profile"


def commands(document: Document) -> Iterator[str]:
    for name, service in ours(document):
        wanted = ["run", name] if name in ROLES else [name]
        if service.get("command") != wanted:
            yield f"{name}: command {service.get('command')}, not {wanted}"


def pinned(document: Document) -> Iterator[str]:
    for name, service in document["services"].items():
        image = service.get("image", "")
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@sha256:" not in image and not re.match(r"v?\d+\.\d+\.\d+", tag):
            yield f"{name}: image {image!r} has no exact tag"


def one_image(document: Document) -> Iterator[str]:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    builders = [name for name, service in document["services"].items() if "build" in service]
    if builders != ["setup"]:
        yield f"built by {builders}, not by setup alone"
    for name, service in ours(document):
        if service.get("image") != f"streamapp:{version}":
            yield f"{name}: image {service.get('image')}, not streamapp:{version}"
        if service.get("pull_policy") != "never":
            yield f"{name}: our image would be looked for in a registry"


def same_kafka(document: Document) -> Iterator[str]:
    pom = ElementTree.parse(ROOT / "brokers/kafka/pom.xml")
    version = pom.findtext(".//{*}kafka.version")
    if document["services"]["kafka"]["image"] != f"apache/kafka:{version}":
        yield f"kafka: not the version {version} that the tests run against"


def healthy(document: Document) -> Iterator[str]:
    for name, service in document["services"].items():
        check = service.get("healthcheck")
        if name in ONE_SHOT:
            if check is not None:
                yield f"{name}: ends, and so cannot be healthy"
        elif not check or check.get("disable") or check.get("test", ["NONE"])[0] not in ("CMD", "CMD-SHELL"):
            yield f"{name}: no health check"


def asks_the_right_page(document: Document) -> Iterator[str]:
    plain = Settings.model_construct()
    ports = {
        "api": plain.api.port,
        "ingest": plain.ingest.port,
        "dispatch": plain.dispatch.port,
        "diary": plain.diary.port,
    }
    for name, port in ports.items():
        if f"http://127.0.0.1:{port}/readyz" not in str(document["services"][name].get("healthcheck")):
            yield f"{name}: the health check does not ask /readyz on {port}"
    if document["services"]["worker"].get("healthcheck", {}).get("test") != ["CMD", "streamapp", "worker-check"]:
        yield "worker: the health check does not ask for its registration"


def known_names(document: Document) -> Iterator[str]:
    known = variables()
    for name, service in document["services"].items():
        given = [*service.get("environment", {}), *re.findall(r"\$\{(\w+)", str(service))]
        for variable in given:
            if variable.startswith(PREFIX) and variable not in known:
                yield f"{name}: no setting is named {variable}"
            if name in ROLES | ONE_SHOT and not variable.startswith(PREFIX):
                yield f"{name}: {variable} is no setting"


def valid_values(document: Document) -> Iterator[str]:
    for name, service in ours(document):
        nested: dict[str, Any] = {}
        for variable, value in service.get("environment", {}).items():
            group, _, field = variable.removeprefix(PREFIX).lower().partition("__")
            plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
            if field:
                nested.setdefault(group, {})[field] = plain
            else:
                nested[group] = plain
        try:
            Settings.model_validate(nested)
        except ValueError as error:
            yield f"{name}: invalid settings: {error}"


def loopback(document: Document) -> Iterator[str]:
    for name, service in document["services"].items():
        published = set()
        for port in service.get("ports", []):
            address, _, rest = str(port).partition(":")
            if address != "127.0.0.1":
                yield f"{name}: {port} is published beyond loopback"
            published.add(int(str(rest or port).rpartition(":")[2]))
        if published != PUBLISHED.get(name, set()):
            yield f"{name}: publishes {sorted(published)}"


def in_order(document: Document) -> Iterator[str]:
    for name, wanted in ORDER.items():
        given = document["services"][name].get("depends_on", {})
        given = {other: item.get("condition") for other, item in given.items()}
        if given != wanted:
            yield f"{name}: depends on {given}, not on {wanted}"


def scalable(document: Document) -> Iterator[str]:
    worker = document["services"]["worker"]
    for key in ("container_name", "hostname", "ports", "volumes", "network_mode"):
        if key in worker:
            yield f"worker: {key} would be shared by all of them"
    for name, service in document["services"].items():
        if "container_name" in service:
            yield f"{name}: container_name keeps two installations from living side by side"


def grace(document: Document) -> Iterator[str]:
    plain = Settings.model_construct()
    needed = {
        "worker": plain.worker.shutdown_grace_seconds + plain.worker.cancel_grace_seconds,
        "api": plain.api.append_timeout_seconds + plain.api.read_timeout_seconds,
        "dispatch": plain.dispatch.settle_seconds,
    }
    for name, longest in needed.items():
        given = document["services"][name].get("stop_grace_period", "10s")
        if seconds(given) <= longest:
            yield f"{name}: stop_grace_period {given} is not above the {longest:g} s it may need"


def restarted(document: Document) -> Iterator[str]:
    for name, service in ours(document):
        wanted = "no" if name in ONE_SHOT else "unless-stopped"
        if service.get("restart") != wanted:
            yield f"{name}: restart is {service.get('restart')}, not {wanted}"


def kept(document: Document) -> Iterator[str]:
    volumes = [volume.partition(":")[0] for volume in _volumes(document)]
    for name, place in KEPT.items():
        mounted = [volume.partition(":")[2] for volume in document["services"][name].get("volumes", [])]
        if place not in mounted:
            yield f"{name}: nothing is mounted at {place}"
    if sorted(volumes) != sorted(document.get("volumes", {})) or len(set(volumes)) != len(volumes):
        yield "volumes: one is not declared, not used, or used twice"


def careful_brokers(document: Document) -> Iterator[str]:
    redis = " ".join(document["services"]["redis"].get("command", []))
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        if option not in redis:
            yield f"redis: runs without {option}"
    kafka = document["services"]["kafka"]["environment"]
    if kafka.get("KAFKA_AUTO_CREATE_TOPICS_ENABLE") != "false":
        yield "kafka: would create topics by accident"
    advertised = kafka.get("KAFKA_ADVERTISED_LISTENERS", "")
    for address in ("//kafka:29092", "//127.0.0.1:9092"):
        if address not in advertised:
            yield f"kafka: does not advertise {address}"


def mounted_files(document: Document) -> Iterator[str]:
    for name, service in document["services"].items():
        for mount in service.get("volumes", []):
            source, _, rest = mount.partition(":")
            if source.startswith("./"):
                if not (ROOT / source).exists():
                    yield f"{name}: there is no {source}"
                if not rest.endswith(":ro"):
                    yield f"{name}: could change {source}"


def _volumes(document: Document) -> Iterator[str]:
    for service in document["services"].values():
        yield from (volume for volume in service.get("volumes", []) if not volume.startswith("./"))


RULES: tuple[Rule, ...] = (
    services,
    on_demand,
    commands,
    pinned,
    one_image,
    same_kafka,
    healthy,
    asks_the_right_page,
    known_names,
    valid_values,
    loopback,
    in_order,
    scalable,
    grace,
    restarted,
    kept,
    mounted_files,
    careful_brokers,
)
