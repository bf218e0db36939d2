"""Histories to be audited: a good one, written as the system would write it, and the means to break it."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Literal

from streamapp.audit import Evidence, Line
from streamapp.audit.evidence import Answer, Effect, Incident, Published, Wired
from streamapp.domain.dispatch import GiveUp, ScheduleRetry
from streamapp.domain.facts import AnyFact, Origin, Token
from streamapp.domain.outcome import Completed, Failed
from streamapp.domain.policy import Policy, delay_ms
from streamapp.wire import facts, json
from streamapp.wire.scribe import Scribe

BEGIN = 1_800_000_000_000
POLICY = Policy(max_attempts=3, delay_seconds=1.0, timeout_seconds=20)
HTTP = Origin("http")
PAYLOAD = {"note": "x"}
FINGERPRINT = hashlib.sha256(json.canonical({"type": "T", "payload": PAYLOAD})).hexdigest()

Answered = Literal["confirm", "return", "refuse", "silence"]


@dataclass
class History:
    """Everything that was written down, a step at a time; `now` is the time of the next step."""

    now: int = BEGIN
    log: list[Line] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    wire: list[Wired] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    scribe: Scribe = field(default_factory=lambda: Scribe("test", "history", lambda: "2027-01-15T08:00:00.000Z"))

    def evidence(self, **more: object) -> Evidence:
        parts = (self.answers, self.effects, self.published, self.wire, self.incidents)
        answers, effects, published, wire, incidents = parts
        made = Evidence(self.log, answers, None, effects, published, wire, incidents, drained=True)
        return replace(made, **more)  # type: ignore[arg-type]

    def later(self, ms: int = 100) -> int:
        self.now += ms
        return self.now

    def tell(self, fact: AnyFact) -> Line:
        key, value = facts.encode(fact)
        line = Line(0, len(self.log), self.later(), key, value)
        self.log.append(line)
        return line

    def answer(self, task: str = "t", outcome: str = "accepted", fingerprint: str | None = FINGERPRINT) -> None:
        self.answers.append(Answer(self.now, self.later(), task, outcome, None, fingerprint))  # type: ignore[arg-type]

    def accepted(self, task: str = "t", origin: Origin = HTTP) -> Line:
        return self.tell(self.scribe.accepted(task, "T", PAYLOAD, POLICY, origin))

    def submitted(self, task: str = "t") -> None:
        self.accepted(task)
        self.answer(task)

    def publish(self, task: str = "t", attempt: int = 1, *answers: Answered) -> None:
        """Published; the broker confirms it, unless it is said to answer otherwise, or nothing."""
        at = self.later() // 1000 * 1000
        self.published.append(Published(at, f"{task}:{attempt}", task, attempt))
        for event in ("publish", *(answers or ("confirm",))):
            if event != "silence":
                self.wire.append(Wired(self.now, event, 1, f"{task}:{attempt}"))  # type: ignore[arg-type]

    def dispatched(self, task: str = "t", attempt: int = 1) -> Line:
        return self.tell(self.scribe.dispatched(task, attempt, "q"))

    def started(self, task: str = "t", attempt: int = 1, claim: int = 1) -> Line:
        return self.tell(self.scribe.started(task, attempt, f"w{claim}", Token(1, claim), redelivered=claim > 1))

    def effect(self, phase: str, task: str = "t", attempt: int = 1) -> None:
        self.effects.append(Effect(self.later(), task, attempt, "1", phase))  # type: ignore[arg-type]

    def completed(self, task: str = "t", attempt: int = 1, claim: int = 1) -> Line:
        return self.tell(self.scribe.ended(task, attempt, f"w{claim}", Token(1, claim), Completed({}), 5))

    def failed(self, task: str = "t", attempt: int = 1, claim: int = 1, *, retryable: bool = True) -> Line:
        failed = Failed("Boom", "no", retryable=retryable)
        return self.tell(self.scribe.ended(task, attempt, f"w{claim}", Token(1, claim), failed, 5))

    def retry(self, failed: Line, attempt: int = 2, failures: int = 1, early_ms: int = 0, task: str = "t") -> None:
        due = failed.at + delay_ms(POLICY, failures, task) - early_ms
        self.tell(self.scribe.retry_scheduled(task, ScheduleRetry(attempt, due, "Boom", failures), POLICY))
        self.now = max(self.now, due)

    def given_up(self, attempt: int, task: str = "t") -> None:
        self.tell(self.scribe.failed_permanently(task, GiveUp(attempt, "Boom")))

    def requeued(self, task: str = "t", request: str = "r1") -> Line:
        return self.tell(self.scribe.requeued(task, "ann", "mended", request))

    def fell(self, task: str = "t", attempt: int = 1) -> None:
        """An attempt that fails for good, whatever the policy says."""
        self.handed_out(task, attempt)
        self.started(task, attempt)
        self.effect("begin", task, attempt)
        self.failed(task, attempt, retryable=False)
        self.ack(task, attempt)
        self.given_up(attempt, task)

    def ack(self, task: str = "t", attempt: int = 1) -> None:
        self.wire.append(Wired(self.later(), "ack", 1, f"{task}:{attempt}"))

    def fault(self, target: str, before_ms: int = 0, after_ms: int = 0) -> None:
        self.incidents.append(Incident(self.now - before_ms, self.now + after_ms, "kill", target))

    def handed_out(self, task: str = "t", attempt: int = 1) -> None:
        """Published and told, in the right order."""
        self.publish(task, attempt)
        self.dispatched(task, attempt)

    def ran(self, task: str = "t", attempt: int = 1, claim: int = 1) -> None:
        """Started, with its effect."""
        self.started(task, attempt, claim)
        self.effect("begin", task, attempt)
        self.effect("end", task, attempt)

    def whole(self, task: str = "t") -> None:
        """A life that ends well after a failure."""
        self.submitted(task)
        self.handed_out(task)
        self.started(task)
        self.effect("begin", task)
        failed = self.failed(task)
        self.ack(task)
        self.retry(failed, task=task)
        self.handed_out(task, 2)
        self.ran(task, 2)
        self.completed(task, 2)
        self.ack(task, 2)
