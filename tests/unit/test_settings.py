"""Settings: what the environment may say, and what is answered when it says something else."""

import json
import math
import os
from typing import get_args

import pytest
from faust.cli.base import LOGLEVELS

from streamapp.domain.errors import ConfigurationError
from streamapp.domain.policy import Policy
from streamapp.settings import Settings, effective, load, variable, variables
from streamapp.settings.groups import LogSettings

CANARY = "s3cr3t-canary"
SECRETS = {
    "STREAMAPP_RABBITMQ__URL": f"amqp://user:{CANARY}@127.0.0.1:5672/",
    "STREAMAPP_REDIS__URL": f"redis://user:{CANARY}@127.0.0.1:6379/0",
    "STREAMAPP_TASKS__SEALING_KEY": CANARY,
    "STREAMAPP_WEBHOOK__SIGNING_SECRET": CANARY,
    "STREAMAPP_SMTP__PASSWORD": CANARY,
}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in list(os.environ):
        if name.upper().startswith("STREAMAPP_"):
            monkeypatch.delenv(name)


def _refused(monkeypatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load()
    return str(caught.value)


def test_without_any_variable_the_defaults_hold():
    settings = load()
    assert settings.role == "all"
    assert settings.kafka.lifecycle_partitions == 8
    assert settings.worker.concurrency == 5
    assert settings.prefetch == 10
    assert settings.tasks.default_policy == Policy()
    assert settings.tasks.max_payload_bytes == 256 * 1024
    assert settings.guard.retention_seconds == 7 * 24 * 3600
    assert settings.guard.max_deaths == 3
    assert settings.names.lifecycle_topic == "task-lifecycle"
    assert settings.queues == ("task-execution",)
    assert settings.bootstrap_servers == "127.0.0.1:9092"
    assert settings.rabbitmq_url == "amqp://guest:guest@127.0.0.1:5672/"
    assert settings.redis_url == "redis://127.0.0.1:6379/0"


def test_the_dashboard_sends_requeues_to_the_api_of_this_machine_unless_told_otherwise(monkeypatch):
    assert load().api_url == "http://127.0.0.1:8000"
    monkeypatch.setenv("STREAMAPP_API__PORT", "8123")
    assert load().api_url == "http://127.0.0.1:8123"
    monkeypatch.setenv("STREAMAPP_DIARY__API_URL", "https://tasks.example/under")
    assert load().api_url == "https://tasks.example/under"
    assert effective(load())["STREAMAPP_DIARY__API_URL"] == "https://tasks.example/under"


def test_every_door_is_on_loopback_by_default():
    settings = load()
    hosts = {settings.api.host, settings.diary.host, settings.diary.advertised_host, settings.smtp.host}
    assert hosts == {"127.0.0.1"}


def test_variables_are_read_by_group(monkeypatch):
    monkeypatch.setenv("STREAMAPP_ROLE", "diary")
    monkeypatch.setenv("STREAMAPP_KAFKA__BOOTSTRAP_SERVERS", "k1:9092,k2:9092")
    monkeypatch.setenv("STREAMAPP_WORKER__PREFETCH", "7")
    settings = load()
    assert (settings.role, settings.bootstrap_servers, settings.prefetch) == ("diary", "k1:9092,k2:9092", 7)


def test_maps_and_lists_are_json(monkeypatch):
    monkeypatch.setenv("STREAMAPP_RABBITMQ__ROUTES", '{"EMAIL": "slow", "SMS": "fast"}')
    monkeypatch.setenv("STREAMAPP_TASKS__TYPES", '["mine.types"]')
    monkeypatch.setenv("STREAMAPP_TASKS__OVERRIDES", '{"EMAIL": {"max_attempts": 5, "timeout_seconds": 2.5}}')
    monkeypatch.setenv("STREAMAPP_NAMESPACE", "blue")
    settings = load()
    assert settings.queues == ("blue-task-execution", "blue-slow", "blue-fast")
    assert settings.queue_of("EMAIL") == "blue-slow"
    assert settings.queue_of("OTHER") == "blue-task-execution"
    assert settings.tasks.types == ["mine.types"]
    assert settings.tasks.overrides["EMAIL"].model_dump(exclude_none=True) == {
        "max_attempts": 5,
        "timeout_seconds": 2.5,
    }


@pytest.mark.parametrize(
    "name",
    [
        "STREAMAPP_KAFKA__BOOTSTRAP_SERVER",
        "STREAMAPP_KAFKA",
        "STREAMAPP_ROLES",
        "STREAMAPP_",
        "STREAMAPP_TASKS__OVERRIDES__EMAIL__MAX_ATTEMPTS",
        "streamapp_kafka__bootstrap_server",
    ],
)
def test_an_unknown_name_is_an_error_that_names_it(monkeypatch, name):
    message = _refused(monkeypatch, **{name: CANARY})
    assert name in message
    assert CANARY not in message


def test_switches_of_the_test_suite_are_no_settings(monkeypatch):
    monkeypatch.setenv("STREAMAPP_TEST_KAFKA", "127.0.0.1:1")
    assert load().role == "all"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STREAMAPP_ROLE", CANARY),
        ("STREAMAPP_NAMESPACE", f"{CANARY} with spaces"),
        ("STREAMAPP_API__PORT", CANARY),
        ("STREAMAPP_API__PORT", "0"),
        ("STREAMAPP_API__PORT", "65536"),
        ("STREAMAPP_KAFKA__LIFECYCLE_PARTITIONS", "0"),
        ("STREAMAPP_KAFKA__MIN_INSYNC_REPLICAS", "0"),
        ("STREAMAPP_KAFKA__FLUSH_MESSAGES", "-1"),
        ("STREAMAPP_WORKER__PREFETCH", "0"),
        ("STREAMAPP_WORKER__PREFETCH", "-3"),
        ("STREAMAPP_GUARD__LEASE_SECONDS", "0"),
        ("STREAMAPP_GUARD__LEASE_SECONDS", "nan"),
        ("STREAMAPP_GUARD__LEASE_SECONDS", "inf"),
        ("STREAMAPP_TASKS__DEFAULT_MULTIPLIER", "inf"),
        ("STREAMAPP_TASKS__DEFAULT_MULTIPLIER", "nan"),
        ("STREAMAPP_TASKS__DEFAULT_MULTIPLIER", "0.5"),
        ("STREAMAPP_TASKS__DEFAULT_DELAY_SECONDS", "inf"),
        ("STREAMAPP_TASKS__DEFAULT_DELAY_SECONDS", "-1"),
        ("STREAMAPP_TASKS__DEFAULT_MAX_ATTEMPTS", "1000001"),
        ("STREAMAPP_TASKS__DEFAULT_TIMEOUT_SECONDS", "0.0001"),
        ("STREAMAPP_TASKS__OVERRIDES", f'{{"A": {{"max_attempts": "{CANARY}"}}}}'),
        ("STREAMAPP_TASKS__OVERRIDES", '{"A": {"max_attempts": 0}}'),
        ("STREAMAPP_TASKS__OVERRIDES", '{"A": {"max_attempts": 1000001}}'),
        ("STREAMAPP_TASKS__OVERRIDES", f'{{"A": {{"no_such_field": "{CANARY}"}}}}'),
        ("STREAMAPP_RABBITMQ__ROUTES", CANARY),
        ("STREAMAPP_RABBITMQ__ROUTES", "[1]"),
        ("STREAMAPP_TASKS__TYPES", CANARY),
        ("STREAMAPP_TASKS__MAX_PAYLOAD_BYTES", "900000"),
        ("STREAMAPP_LOG__LEVEL", CANARY),
        ("STREAMAPP_DIARY__API_URL", f"ftp://{CANARY}"),
        ("STREAMAPP_DIARY__API_URL", f"http://user:{CANARY}@127.0.0.1"),
        ("STREAMAPP_DIARY__API_URL", f"http://127.0.0.1; script-src {CANARY}"),
        ("STREAMAPP_DIARY__API_URL", f"http://127.0.0.1/?{CANARY}"),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_variable_and_not_the_value(monkeypatch, name, value):
    message = _refused(monkeypatch, **{name: value})
    assert name in message
    assert "STREAMAPP_:" not in message
    assert CANARY not in message


def test_every_bad_value_is_named_at_once(monkeypatch):
    message = _refused(monkeypatch, STREAMAPP_API__PORT="x", STREAMAPP_WORKER__CONCURRENCY="0")
    assert "STREAMAPP_API__PORT" in message
    assert "STREAMAPP_WORKER__CONCURRENCY" in message


def test_every_policy_that_the_settings_allow_can_be_written(monkeypatch):
    monkeypatch.setenv("STREAMAPP_TASKS__DEFAULT_MAX_ATTEMPTS", "1000000")
    monkeypatch.setenv("STREAMAPP_TASKS__DEFAULT_DELAY_SECONDS", "0")
    monkeypatch.setenv("STREAMAPP_TASKS__DEFAULT_MULTIPLIER", "1e9")
    monkeypatch.setenv("STREAMAPP_TASKS__DEFAULT_TIMEOUT_SECONDS", "0.001")
    policy = load().tasks.default_policy
    assert (policy.max_attempts, policy.multiplier, policy.timeout_seconds) == (1_000_000, 1e9, 0.001)
    assert math.isfinite(policy.max_delay_seconds)


def test_secrets_are_never_printed(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert CANARY in settings.rabbitmq_url
    for text in (
        repr(settings),
        str(settings),
        json.dumps(settings.model_dump(mode="json")),
        str(settings.model_dump()),
    ):
        assert CANARY not in text
    assert CANARY not in json.dumps(effective(settings))


def test_a_bad_value_beside_a_secret_does_not_print_the_secret(monkeypatch):
    assert CANARY not in _refused(monkeypatch, **SECRETS, STREAMAPP_REDIS__TIMEOUT_SECONDS="x")


def test_every_effective_value_has_a_variable_that_is_documented():
    documented = variables()
    assert set(effective(load())) == set(documented)
    assert [name for name, description in documented.items() if not description.strip()] == []


def test_every_variable_can_be_set_to_what_is_in_effect(monkeypatch):
    settings = load()
    for name, value in effective(settings).items():
        if value is not None and name not in SECRETS:
            monkeypatch.setenv(name, value if isinstance(value, str) else json.dumps(value))
    again = load()
    assert effective(again) == effective(settings)


def test_names_of_variables():
    assert variable("kafka", "request_timeout_seconds") == "STREAMAPP_KAFKA__REQUEST_TIMEOUT_SECONDS"
    assert variable("role") == "STREAMAPP_ROLE"
    assert set(variables()) >= set(SECRETS)


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings().role = "diary"


def test_every_level_of_logs_is_one_that_faust_knows() -> None:
    """Red while WARNING was handed to Faust as it is: `streamapp up` and `run` could not start the streams."""
    (levels,) = (field.annotation for name, field in LogSettings.model_fields.items() if name == "level")
    for level in get_args(levels):
        assert LogSettings(level=level).faust_level.upper() in LOGLEVELS
