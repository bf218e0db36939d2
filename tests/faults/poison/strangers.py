"""Foreign producers: librdkafka, with compression and with transactions.

In: records. Out: where they lie. Everything blocks; call it in a thread.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any, TypeAlias

import confluent_kafka

from tests.faults.poison.bad_records import Record

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
SECONDS = 30
MAX_BYTES = 4 * 1024 * 1024
BATCH_BYTES = 1_000_000
"""As large as a batch may be on the topics of streamapp."""
PATIENCE_MS = 300
"""Records that are handed over together go in one batch, so that nobody reads a part of them."""

Place: TypeAlias = tuple[int, int]
"""Partition and offset."""

PLACED = {"partitioner": "murmur2_random", "message.max.bytes": MAX_BYTES, "batch.size": BATCH_BYTES}


class Stranger:
    """A producer that compresses its batches."""

    def __init__(self, servers: str, codec: str = "none") -> None:
        config = {"bootstrap.servers": servers, "compression.type": codec, "linger.ms": PATIENCE_MS, **PLACED}
        self._producer = confluent_kafka.Producer(config)

    def append(self, topic: str, records: Iterable[Record], partition: int | None = None) -> list[Place]:
        """Append records in order; without `partition` murmur2 places each by its key."""
        places: dict[int, Place] = {}
        errors: list[Any] = []

        def note(number: int, error: Any, message: Any) -> None:
            errors.extend([error] if error else [])
            places[number] = (message.partition(), message.offset())

        more: dict[str, Any] = {} if partition is None else {"partition": partition}
        for number, (key, value) in enumerate(records):
            self._producer.poll(0)
            self._producer.produce(topic, value, key, on_delivery=partial(note, number), **more)
        assert not self._producer.flush(SECONDS)
        assert not errors, errors
        return [places[number] for number in sorted(places)]

    def close(self) -> None:
        """Go away."""
        self._producer.close()


class Transaction:
    """A producer that writes in transactions, and takes back what it wrote if it likes."""

    def __init__(self, servers: str, name: str) -> None:
        config = {"bootstrap.servers": servers, "transactional.id": name, **PLACED}
        self._producer = confluent_kafka.Producer(config)
        self._producer.init_transactions(SECONDS)

    def write(self, topic: str, records: Iterable[Record]) -> None:
        """Begin a transaction and append records: on the broker, and not yet said."""
        self._producer.begin_transaction()
        for key, value in records:
            self._producer.produce(topic, value, key)
        assert not self._producer.flush(SECONDS)

    def commit(self) -> None:
        """Say it."""
        self._producer.commit_transaction(SECONDS)

    def abort(self) -> None:
        """Never have said it."""
        self._producer.abort_transaction(SECONDS)

    def close(self) -> None:
        """Go away."""
        self._producer.close()
