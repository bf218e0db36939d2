"""The only door that appends facts to Kafka. No business logic: schema, key and durability, nothing else.

Used by api, ingest, dispatch and worker. A fact is durable when `append` returns: acks=all from an idempotent producer.
"""

from streamapp.producer.log import FactLog, Position

__all__ = ["FactLog", "Position"]
