"""Settings: the only place that reads the environment.

Every name begins with `STREAMAPP_`, groups are joined by `__` (`STREAMAPP_KAFKA__BOOTSTRAP_SERVERS`), units are part
of the name. A name that no setting has is an error, so that a typing mistake cannot silently mean the default.
"""

from streamapp.settings.environment import TEST_PREFIX, effective, load, variable, variables
from streamapp.settings.groups import (
    ApiSettings,
    BrokerSettings,
    DiarySettings,
    DispatchSettings,
    GuardSettings,
    IngestSettings,
    KafkaSettings,
    LogSettings,
    RabbitSettings,
    RedisSettings,
    SmtpSettings,
    TaskSettings,
    TracingSettings,
    TypeOverride,
    WebhookSettings,
    WorkerSettings,
)
from streamapp.settings.installation import PREFIX, Role, Settings

__all__ = [
    "PREFIX",
    "TEST_PREFIX",
    "ApiSettings",
    "BrokerSettings",
    "DiarySettings",
    "DispatchSettings",
    "GuardSettings",
    "IngestSettings",
    "KafkaSettings",
    "LogSettings",
    "RabbitSettings",
    "RedisSettings",
    "Role",
    "Settings",
    "SmtpSettings",
    "TaskSettings",
    "TracingSettings",
    "TypeOverride",
    "WebhookSettings",
    "WorkerSettings",
    "effective",
    "load",
    "variable",
    "variables",
]
