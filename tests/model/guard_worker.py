"""A worker of the guard's model: the steps of `streamapp/worker/pipeline.py`, each taken when the model wants it.

In: jobs, and orders to take the next step. Out: questions to the guard, facts to the diary. Every step waits in place
while the guard does not answer, as the pipeline does; a worker that dies takes none any more.
"""

from dataclasses import dataclass, field

from streamapp.domain.errors import Unavailable
from streamapp.domain.facts import AnyFact
from streamapp.domain.outcome import Completed, Failed, Outcome, workers_died
from streamapp.guard import Claim, Claimed, Doomed, Held, Known, Superseded
from streamapp.wire import facts as wire
from tests.model.guard_diary import SCRIBE, Diary
from tests.model.guard_door import WatchedGuard
from tests.model.guard_oracle import Oracle

HANDLER_SECONDS = 60.0


@dataclass(slots=True, eq=False)
class Run:
    """One job in one worker. `step` names what comes next; "landing" waits for Kafka, "settled" is the end."""

    task_id: str
    attempt: int
    first_attempt: int = 1
    step: str = "claim"
    claim: Claim | None = None
    outcome: Outcome | None = None
    fact: AnyFact | None = None
    stored: bool = False


@dataclass(slots=True, eq=False)
class Worker:
    """One process, from its start to its death. `asleep`: stopped where it stands, leases too."""

    name: str
    guard: WatchedGuard
    diary: Diary
    oracle: Oracle
    asleep: bool = False
    dead: bool = False
    runs: list[Run] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def take(self, task_id: str, attempt: int) -> Run:
        """A job is delivered. One that runs already is joined."""
        for run in self.runs:
            if (run.task_id, run.attempt) == (task_id, attempt):
                return run
        self.runs.append(Run(task_id, attempt, self.diary.first_attempt(task_id, attempt)))
        return self.runs[-1]

    async def work(self, run: Run, succeeds: bool, slowly: bool) -> bool:
        """Take the next step; `slowly`, a fact does not land at once. Returns whether it was taken."""
        if self.dead or self.asleep or run.step in ("landing", "settled"):
            return False
        before = run.step
        try:
            await getattr(self, f"_{run.step}")(run, succeeds, slowly)
        except Unavailable:
            return False
        self._tidy()
        return run.step != before

    async def hand_back(self, run: Run) -> None:
        """An unfinished run is given to whoever comes next."""
        self.runs.remove(run)
        if run.claim is not None and not run.stored:
            try:
                await self.guard.release(run.claim)
            except Unavailable:
                return  # the claim lapses

    async def insist(self, act: str, claim: Claim) -> None:
        """Do something with an old claim, whatever has become of it."""
        ask = {
            "confirm": lambda: self.guard.confirm(claim),
            "complete": lambda: self.guard.complete(claim, b"too late", succeeded=True),
            "release": lambda: self.guard.release(claim),
        }[act]
        try:
            await ask()
        except Unavailable:
            return

    async def _claim(self, run: Run, succeeds: bool, slowly: bool) -> None:
        match await self.guard.claim(run.task_id, run.attempt, run.first_attempt):
            case Held():
                return
            case Superseded():
                run.step = "settled"
            case Known(claim=claim, record=record):
                run.claim, run.stored = claim, True
                run.step = "settled" if record is None else "record"
                run.fact = None if record is None else wire.decode(run.task_id.encode(), record)
            case Doomed(claim=claim, deaths=deaths, started=started):
                run.claim, run.outcome = claim, workers_died(deaths)
                run.step = "store" if started else "start"
                self.claims.append(claim)
            case Claimed(claim=claim):
                run.claim, run.outcome, run.step = claim, None, "start"
                self.claims.append(claim)

    async def _start(self, run: Run, succeeds: bool, slowly: bool) -> None:
        fact = SCRIBE.started(run.task_id, run.attempt, self.name, _claim_of(run).token, False)
        self._append(run, fact, "confirm", slowly)

    async def _confirm(self, run: Run, succeeds: bool, slowly: bool) -> None:
        claim = _claim_of(run)
        if not await self.guard.confirm(claim):
            run.claim, run.outcome, run.step = None, None, "claim"
        elif run.outcome is not None:
            run.step = "store"
        else:
            self.oracle.runs(claim, self.name)
            self.guard.keep(claim, HANDLER_SECONDS)
            run.step = "run"

    async def _run(self, run: Run, succeeds: bool, slowly: bool) -> None:
        self.guard.keep(_claim_of(run), None)
        run.outcome = Completed(None) if succeeds else Failed("Boom", "no luck", retryable=True)
        run.step = "store"

    async def _store(self, run: Run, succeeds: bool, slowly: bool) -> None:
        claim, outcome = _claim_of(run), run.outcome
        assert outcome is not None
        run.fact = SCRIBE.ended(run.task_id, run.attempt, self.name, claim.token, outcome, 40)
        _, record = wire.encode(run.fact)
        run.stored = await self.guard.complete(claim, record, succeeded=isinstance(outcome, Completed))
        run.step = "record"

    async def _record(self, run: Run, succeeds: bool, slowly: bool) -> None:
        assert run.fact is not None
        self._append(run, run.fact, "end" if run.stored else "settled", slowly)

    async def _end(self, run: Run, succeeds: bool, slowly: bool) -> None:
        claim = _claim_of(run)
        await self.guard.ended(claim)
        if claim.attempt < run.first_attempt:
            run.claim, run.fact, run.stored, run.step = None, None, False, "claim"
        else:
            run.step = "settled"

    def _append(self, run: Run, fact: AnyFact, then: str, slowly: bool) -> None:
        run.step = "landing"

        def landed() -> None:
            run.step = then
            self._tidy()

        self.diary.send(fact, self.name, landed)
        if not slowly:
            self.diary.land(-1)

    def _tidy(self) -> None:
        self.runs = [run for run in self.runs if run.step != "settled"]


def _claim_of(run: Run) -> Claim:
    assert run.claim is not None
    return run.claim
