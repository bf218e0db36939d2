"""Sets a Faust app up, the same way for every role.

`faust.md` and its study give the reason for every setting. The environment cannot override them: Faust's own variables
are looked up under a prefix that nobody sets.
"""

from pathlib import Path
from typing import Any

from streamapp.settings import Settings
from streamapp.stream import topics
from streamapp.stream.engine import StreamApp
from streamapp.stream.folding import collect_calmly
from streamapp.stream.recovery import Tables


def create_app(settings: Settings, *, web_host: str, web_port: int, logging_config: dict[str, Any]) -> StreamApp:
    """The app of the role in the settings, without tables and agents yet."""
    collect_calmly()
    app_id = settings.names.app_id(settings.role)
    directory = Path(settings.data_directory) / app_id
    directory.mkdir(parents=True, exist_ok=True)
    kafka = settings.kafka
    return StreamApp(
        app_id,
        settings=settings,
        env_prefix="STREAMAPP_FAUST_UNUSED_",
        broker=[f"kafka://{server.strip()}" for server in settings.bootstrap_servers.split(",")],
        broker_client_id=f"{app_id}-{settings.instance}",
        autodiscover=False,
        origin="streamapp",
        store="rocksdb://",
        datadir=str(directory),
        key_serializer="raw",
        value_serializer="raw",
        processing_guarantee="at_least_once",
        topic_disable_leader=True,
        topic_allow_declare=False,  # topics are created and checked before: see `on_first_start`
        topic_replication_factor=kafka.replication_factor,
        table_standby_replicas=0,
        TableManager=Tables,
        stream_wait_empty=True,
        stream_buffer_maxsize=20_000,
        stream_recovery_delay=0.0,
        broker_max_poll_records=2000,
        broker_commit_interval=1.0,
        broker_session_timeout=kafka.session_timeout_seconds,
        broker_heartbeat_interval=kafka.session_timeout_seconds / 3,
        broker_request_timeout=max(kafka.request_timeout_seconds, kafka.session_timeout_seconds + 2),
        broker_rebalance_timeout=30.0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 * 1024 * 1024,
        producer_acks=-1,
        producer_linger=0.0,
        producer_max_request_size=topics.CHANGELOG_MAX_BYTES,
        producer_max_batch_size=topics.CHANGELOG_PASS_BYTES,
        producer_request_timeout=30.0,
        web_bind=web_host,
        web_host=settings.diary.advertised_host,
        web_port=web_port,
        logging_config=logging_config,
    )
