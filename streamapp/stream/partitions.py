"""Which partition a key belongs to: the murmur2 placement of Kafka's own producers, aiokafka's and Faust's."""

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic of `partitions` partitions (Kafka, BuiltInPartitioner)."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
