"""Asks Kafka, on a connection of its own, whether it answers and whether the diary's topic exists.

Comes in: the bootstrap servers. Goes out: the trouble in words, or None. Never creates a topic and appends nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, NoError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from streamapp.telemetry import describe


class Probe:
    """One connection, kept as long as it works.

    `timeout_seconds` bounds one answer of one broker. `on_lost` is called when Kafka closes the connection: a broker
    that dies is noticed at once, without waiting for the next question.
    """

    def __init__(
        self, servers: str, topic: str, *, client_id: str, timeout_seconds: float, on_lost: Callable[[], None]
    ) -> None:
        self._servers = servers
        self._topic = topic
        self._client_id = client_id
        self._timeout = timeout_seconds
        self._on_lost = on_lost
        self._connection: Any = None

    async def ask(self) -> str | None:
        """Why nothing can be appended now; None if Kafka answers and the topic is there."""
        try:
            connection = await self._connected()
            async with asyncio.timeout(self._timeout):
                answer = await connection.send(MetadataRequest([self._topic], allow_auto_topic_creation=False))
        except TimeoutError:
            reason = f"no answer within {self._timeout:g} s"
        except (KafkaError, OSError) as error:
            reason = describe(error)
        else:
            return self._trouble_in(answer)
        await self.close()
        return f"Kafka at {self._servers} cannot be reached: {reason}"

    async def close(self) -> None:
        """Give the connection up; the next `ask` opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> Any:
        if self._connection is not None and self._connection.connected():
            return self._connection
        failure: Exception = KafkaConnectionError("no address given")
        for host, port, _ in collect_hosts(self._servers):
            try:
                async with asyncio.timeout(self._timeout):
                    self._connection = await create_conn(
                        host,
                        port,
                        client_id=self._client_id,
                        request_timeout_ms=round(self._timeout * 1000),
                        on_close=self._closed,
                    )
                return self._connection
            except (KafkaError, OSError) as error:  # TimeoutError is an OSError
                failure = error
        raise failure

    def _closed(self, connection: Any, _reason: Any) -> None:
        # A connection that never worked, or that `close` gave up, is no news.
        if connection is self._connection:
            self._connection = None
            self._on_lost()

    def _trouble_in(self, answer: Any) -> str | None:
        if not answer.brokers:
            return f"Kafka at {self._servers} is starting: it knows no broker yet"
        for code, topic, _internal, partitions in answer.topics:
            error = for_code(code)
            if error is UnknownTopicOrPartitionError:
                return f"topic {topic} does not exist; run `streamapp setup`"
            if error is not NoError:
                return f"topic {topic} cannot be used: {error.__name__}"
            if all(leader == -1 for _error, _partition, leader, *_rest in partitions):
                return f"no partition of topic {topic} has a leader"
            return None
        return f"Kafka at {self._servers} says nothing about topic {self._topic}"
