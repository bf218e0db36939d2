"""Poisons the diary of an arena under load, and remembers with what.

In: an arena whose work gets done, and a seed. Out: records in task-lifecycle; `bad`, the places of those that are no
facts; `lives`, what was forged; and good tasks of strangers, which are promised and judged like any other.
"""

import asyncio
from collections import Counter
from random import Random

from streamapp.domain.facts import AnyFact, TaskAccepted, Token
from streamapp.domain.policy import Policy
from streamapp.domain.progress import State
from streamapp.stream.partitions import partition_of
from streamapp.wire import facts
from tests.faults.arena import Arena
from tests.faults.load.types import FAST, OK, SLOW
from tests.faults.poison.bad_records import SCRIBE, Bad, Record, bad_records
from tests.faults.poison.forged import LAST_ATTEMPT, ORIGIN, POLICY, Forger, Life, dressed, forged_lives
from tests.faults.poison.promises import acknowledged_by_kafka
from tests.faults.poison.strangers import CODECS, Place, Stranger, Transaction
from tests.support.stack import PARTITIONS
from tests.support.waiting import until

AT_ONCE = 200
HELD_SECONDS = 1.5
"""An open transaction keeps everybody from reading on; this long once."""

EXTREME = Policy(1_000_000, 1e9, 1e9, 1e9, 1e9, 1.0)
ODD_IDS = ("\x00\n\u2028 {}", "💥" * 45, "x" * 190, ":1:2:3", "../%2e%2e/'\"<script>", "ａ\u0301")


class DiaryPoison:
    """Everything that strangers put into one diary. `families` counts it."""

    def __init__(self, ring: Arena, seed: int) -> None:
        self._ring = ring
        self.topic = ring.topic
        self._chance = Random(seed)
        self._strangers = {codec: Stranger(ring.kafka.servers, codec) for codec in CODECS}
        self.bad: dict[Place, Bad] = {}
        self.lives: list[Life] = []
        self.aborted: list[str] = []
        self.families: Counter[str] = Counter()

    async def put_bad_records(self, each: int, heavy: int) -> None:
        """Records that are no facts, half of them under ids of the load: what nobody can read changes nothing."""
        ids = [*list(self._ring.witness.tasks)[:100], *(f"nobody-{number}" for number in range(100))]
        made = bad_records(self._chance, ids, each, heavy)
        for start in range(0, len(made), AT_ONCE):
            await self._put(made[start : start + AT_ONCE], "none")

    async def put_compressed(self, good_each: int, bad_each: int) -> None:
        """Good tasks in batches of every codec, with bad records in the same batches."""
        for codec, stranger in self._strangers.items():
            accepted = [self._good(f"foreign-{codec}-{number}") for number in range(good_each)]
            records = [dressed(self._chance, facts.encode(fact)) for fact in accepted]
            some = bad_records(self._chance, [accepted[0].task_id], 1, 0)[:bad_each]
            mixed: list[Record] = [(item.key, item.value) for item in some]
            for record in records:
                mixed.insert(self._chance.randint(0, len(mixed)), record)
            places = await asyncio.to_thread(stranger.append, self._ring.topic, mixed)
            by_record = {(item.key, item.value): item for item in some}
            self._remember(
                {place: by_record[row] for row, place in zip(mixed, places, strict=True) if row in by_record}
            )
            acknowledged_by_kafka(self._ring, [fact.task_id for fact in accepted])
            self.families[f"a task in a batch, {codec}"] += good_each

    async def forge(self, each: int, few: int) -> None:
        """Forged lives, each in one batch."""
        queue = self._ring.made.names.queue("task-execution")
        for life in forged_lives(self._chance, "forged", queue, each, few):
            await self._append(life, life.facts)
            self.lives.append(life)

    async def forge_while_it_runs(self, each: int) -> None:
        """Facts of strangers about tasks that a worker is running: made for this, and longer than a lease."""
        async with asyncio.TaskGroup() as group:
            for number in range(4 * each):
                group.create_task(self._forge_while_it_runs(number))

    async def _forge_while_it_runs(self, number: int) -> None:
        forger = Forger(f"running-{number}")
        accepted = SCRIBE.accepted(forger.task_id, SLOW.name, {"note": "x"}, FAST, ORIGIN)
        life = Life("forged while it runs", forger.task_id, [accepted])
        self.lives.append(life)
        await self._append(life, [accepted])
        token = await self._started(forger.task_id)
        match number % 4:
            case 0:
                life.facts.append(forger.completed_with(Token(token.epoch, token.claim - 1)))
                life.odd = frozenset({1})
            case 1:
                life.facts.append(forger.completed_with(Token(token.epoch + 900, 0)))
                life.end = 1
            case 2:
                life.facts.append(forger.given_up())
                life.end = 1
            case _:
                life.facts.append(forger.retry(2))
        await self._append(life, life.facts[1:])

    async def put_transactions(self, rounds: int) -> None:
        """Transactions: tasks, and facts about tasks of the load, that are taken back; and tasks that are committed."""
        name = f"{self._ring.made.names.namespace}-stranger"
        foreign = await asyncio.to_thread(Transaction, self._ring.kafka.servers, name)
        for number in range(rounds):
            aborted = [self._good(f"aborted-{number}-{item}") for item in range(PARTITIONS)]
            untrue: list[AnyFact] = [Forger(task_id).given_up(LAST_ATTEMPT) for task_id in self._ring.witness.open()]
            await asyncio.to_thread(foreign.write, self._ring.topic, map(facts.encode, [*aborted, *untrue]))
            if number == 0:
                await asyncio.sleep(HELD_SECONDS)
            await asyncio.to_thread(foreign.abort)
            self.aborted += [fact.task_id for fact in aborted]
            committed = [self._good(f"committed-{number}-{item}") for item in range(PARTITIONS)]
            await asyncio.to_thread(foreign.write, self._ring.topic, map(facts.encode, committed))
            await asyncio.to_thread(foreign.commit)
            acknowledged_by_kafka(self._ring, [fact.task_id for fact in committed])
            self.families["a fact in a transaction that was aborted"] += len(aborted) + len(untrue)
            self.families["a task in a transaction"] += len(committed)
        await asyncio.to_thread(foreign.close)

    async def put_odd_tasks(self) -> None:
        """Tasks that are odd and right: ids that no entrance lets in, policies at their bounds."""
        odd = [self._good(task_id) for task_id in ODD_IDS]
        odd += [self._good(f"extreme-{number}", EXTREME) for number in range(10)]
        records = [dressed(self._chance, facts.encode(fact)) for fact in odd]
        await asyncio.to_thread(self._strangers["none"].append, self._ring.topic, records)
        acknowledged_by_kafka(self._ring, [fact.task_id for fact in odd])
        self.families["an odd task"] += len(odd)

    async def put_again(self, share: float) -> None:
        """A part of everything there is, once more, in any order."""
        log = await self._ring.kafka.read(self._ring.topic)
        rows = [((partition, row.offset), (row.key, row.value)) for partition, rows in log.items() for row in rows]
        chosen = self._chance.sample(rows, round(len(rows) * share))
        for start in range(0, len(chosen), AT_ONCE):
            some = chosen[start : start + AT_ONCE]
            places = await asyncio.to_thread(
                self._strangers["none"].append, self._ring.topic, [record for _, record in some]
            )
            again = zip(some, places, strict=True)
            self.bad |= {place: self.bad[first] for (first, _), place in again if first in self.bad}
        self.families["a record of the log, once more"] += len(chosen)

    async def end_what_waits(self) -> None:
        """What a stranger has put off until 2096 is ended by one."""
        for life in self.lives:
            if life.awaits:
                life.facts.append(Forger(life.task_id).given_up(LAST_ATTEMPT))
                await self._append(life, life.facts[-1:])
                life.end = len(life.facts) - 1

    async def forged_have_ended(self, seconds: float) -> None:
        """Wait until those that need no stranger for it have come to an end: by themselves, while traffic flows."""

        def open_ones() -> list[str]:
            waited_for = [life for life in self.lives if life.accepted and not life.awaits]
            tasks = self._ring.witness.tasks
            left = [life for life in waited_for if not self._ring.witness.ended(life.task_id)]
            return [f"{life.name} {life.task_id}: {tasks[life.task_id].progress}" for life in left]

        try:
            await until(lambda: not open_ones(), seconds, "forged lives have ended", every=0.2)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *open_ones()])) from None

    async def close(self) -> None:
        """Send the strangers away."""
        for stranger in self._strangers.values():
            await asyncio.to_thread(stranger.close)

    async def _put(self, some: list[Bad], codec: str) -> None:
        records = [(item.key, item.value) for item in some]
        places = await asyncio.to_thread(self._strangers[codec].append, self._ring.topic, records)
        self._remember(dict(zip(places, some, strict=True)))

    def _remember(self, found: dict[Place, Bad]) -> None:
        self.bad |= found
        self.families.update(item.family for item in found.values())

    async def _append(self, life: Life, told: list[AnyFact]) -> None:
        partition = partition_of(life.task_id.encode(), PARTITIONS)
        encoded = [facts.encode(fact) for fact in told]
        records = [dressed(self._chance, row) if self._chance.random() < 0.3 else row for row in encoded]
        stranger = self._strangers[self._chance.choice(CODECS)]
        life.places += await asyncio.to_thread(stranger.append, self._ring.topic, records, partition)
        self.families[f"forged: {life.name}"] += len(told)

    async def _started(self, task_id: str) -> Token:
        def token() -> Token | None:
            task = self._ring.witness.tasks.get(task_id)
            return task.progress.tokens.get(1) if task is not None and task.state is State.RUNNING else None

        found = await until(token, 60, f"{task_id} runs", every=0.02)
        assert found is not None
        return found

    def _good(self, task_id: str, policy: Policy = POLICY) -> TaskAccepted:
        return SCRIBE.accepted(task_id, OK.name, {"note": task_id}, policy, ORIGIN)
