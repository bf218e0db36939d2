"""Chooses what stands behind tracing: nothing without an endpoint, OpenTelemetry with one."""

from streamapp.domain.errors import ConfigurationError
from streamapp.tracing.spans import OFF, Tracing

MISSING = (
    "STREAMAPP_TRACING__ENDPOINT is set, and OpenTelemetry is not installed: install it with "
    "`pip install 'streamapp[tracing]'`, or unset the setting"
)


def tracing(
    endpoint: str | None, *, sample_ratio: float, role: str, instance: str, namespace: str, version: str
) -> Tracing:
    """The tracing of a process.

    Args:
        endpoint: OTLP over HTTP; without a path the one that OpenTelemetry's specification gives is taken. None: off.
        sample_ratio: share of the traces kept that begin here.
        role: which of the five, or `all`: part of the service's name.
        instance: which of several processes of the role.
        namespace: of the installation; empty for the usual one.
        version: of streamapp.

    Raises:
        ConfigurationError: an endpoint, and OpenTelemetry is not installed, or it is no URL.
    """
    if endpoint is None:
        return OFF
    try:
        from streamapp.tracing.sdk import SdkTracing, collector, provider
    except ImportError as error:
        raise ConfigurationError(MISSING) from error
    resource = {
        "service.name": f"streamapp-{role}",
        "service.namespace": namespace or "streamapp",
        "service.instance.id": instance,
        "service.version": version,
    }
    return SdkTracing(provider(resource, sample_ratio, collector(endpoint)))
