"""Tasks with their whole history, as the diary's stand-in tells them."""

from typing import Any

from tests.ui.content import FLAKY, LARGE, NASTY, NASTY_ID, PERMANENT, REJECTED, RUNNING, ago, limits

Json = dict[str, Any]

WORKERS = ("host-1-4711-0a1b2c30", "host-2-4712-0a1b2c31")
POLICY = {
    "maxAttempts": 3,
    "delaySeconds": 1.0,
    "multiplier": 2.0,
    "maxDelaySeconds": 3600.0,
    "timeoutSeconds": 60.0,
    "jitter": 0.0,
}


class History:
    """Facts of one task, added in order; partition 3, offsets from 1000."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.facts: list[Json] = []
        self.attempts: dict[int, Json] = {}
        self.anomalies: list[Json] = []

    def at(self, after: float) -> str:
        return ago(self.begun - after)

    def add(
        self, fact: str, after: float, attempt: int | None = None, worker: str | None = None, **detail: Any
    ) -> None:
        """One fact, `after` seconds from the first."""
        offset = 1000 + 7 * len(self.facts)
        source = f"/streamapp/{'worker' if worker else 'dispatch' if attempt else 'api'}/host-1"
        self.facts.append(
            {
                "fact": fact,
                "partition": 3,
                "offset": offset,
                "at": self.at(after),
                "id": f"9f4dcc3b5aa765d61d8327deb882{offset}",
                "source": source,
                "attempt": attempt,
                "worker": worker,
                "detail": detail,
            }
        )
        if attempt is not None:
            self._gather(fact, after, attempt, worker, detail)

    def odd(self, reason: str) -> None:
        """The last fact contradicts the state."""
        last = self.facts[-1]
        self.anomalies.append({"partition": 3, "offset": last["offset"], "fact": last["fact"], "reason": reason})

    def _gather(self, fact: str, after: float, number: int, worker: str | None, detail: Json) -> None:
        one = self.attempts.setdefault(
            number, {"attempt": number, "scheduledAt": None, "dispatchedAt": None, "starts": []}
        )
        if fact == "TaskRetryScheduled":
            one |= {"scheduledAt": self.at(after), "reason": detail["reason"]}
        elif fact == "TaskDispatched":
            one["dispatchedAt"] = self.at(after)
        elif fact == "TaskExecutionStarted":
            one["starts"].append({"worker": worker, "at": self.at(after)})
        elif fact in ("TaskExecutionCompleted", "TaskExecutionFailed"):
            one.setdefault("outcomes", []).append({"fact": fact, "worker": worker, "at": self.at(after), **detail})

    def view(self, task_id: str, state: str, **more: Any) -> Json:
        """The answer about the task."""
        last = self.facts[-1]
        ended = state in ("COMPLETED", "FAILED_PERMANENTLY")
        view = {
            "taskId": task_id,
            "state": state,
            "type": "WEBHOOK_DELIVERY",
            "attempt": max(self.attempts, default=0),
            "failures": sum(fact["fact"] == "TaskExecutionFailed" for fact in self.facts),
            "acceptedAt": self.facts[0]["at"],
            "endedAt": last["at"] if ended else None,
            "notBefore": None,
            "payload": {"url": "http://127.0.0.1:9/hook", "body": {"event": "opened", "number": 17}},
            "result": {"status": 200} if state == "COMPLETED" else None,
            "policy": POLICY,
            "origin": {"kind": "event", "topic": "consume-event", "partition": 0, "offset": 42},
            "attempts": [self.attempts[number] for number in sorted(self.attempts)],
            "facts": self.facts,
            "anomalies": self.anomalies,
            "duplicates": 1,
            "factsNotKept": 0,
            "requeues": 0,
            "expected": {"what": "nothing", "by": None},
            "position": {"topic": "task-lifecycle", "partition": 3, "offset": last["offset"]},
            **limits(),
        }
        return view | more


def _failed(
    history: History, after: float, attempt: int, *, worker: str, message: str = "the receiver answered 503"
) -> None:
    detail = {
        "epoch": 1,
        "claim": attempt,
        "durationMs": 26,
        "errorType": "Http503",
        "message": message,
        "retryable": True,
    }
    history.add("TaskExecutionFailed", after, attempt, worker, **detail)


def flaky() -> Json:
    """Fails twice, loses a worker once, and is completed; then another worker tells another end."""
    history = History(30)
    history.add("TaskAccepted", 0, type="WEBHOOK_DELIVERY", origin="event")
    history.add("TaskDispatched", 0.82, 1, queue="task-execution")
    history.add("TaskExecutionStarted", 0.9, 1, WORKERS[0], epoch=1, claim=1, redelivered=False)
    _failed(history, 0.926, 1, worker=WORKERS[0])
    history.add("TaskRetryScheduled", 0.95, 2, notBefore=0, reason="Http503", failures=1)
    history.facts[-1]["detail"]["notBefore"] = history.at(1.93)
    history.add("TaskDispatched", 1.96, 2, queue="task-execution")
    history.add("TaskExecutionStarted", 2.1, 2, WORKERS[0], epoch=1, claim=2, redelivered=False)
    history.add("TaskExecutionStarted", 12.4, 2, WORKERS[1], epoch=1, claim=3, redelivered=True)
    _failed(history, 12.6, 2, worker=WORKERS[1])
    history.add("TaskRetryScheduled", 12.63, 3, notBefore=0, reason="Http503", failures=2)
    history.facts[-1]["detail"]["notBefore"] = history.at(14.6)
    history.add("TaskDispatched", 14.7, 3, queue="task-execution")
    history.add("TaskExecutionStarted", 14.9, 3, WORKERS[1], epoch=1, claim=4, redelivered=False)
    history.add("TaskExecutionCompleted", 15.4, 3, WORKERS[1], epoch=1, claim=4, durationMs=498)
    ended = history.facts[-1]["at"]
    history.add("TaskExecutionCompleted", 16.0, 2, WORKERS[0], epoch=1, claim=2, durationMs=13_890)
    history.odd("an outcome after the end does not count")
    return history.view(FLAKY, "COMPLETED", endedAt=ended)


def running() -> Json:
    history = History(14)
    history.add("TaskAccepted", 0, type="WEBHOOK_DELIVERY", origin="event")
    history.add("TaskDispatched", 0.01, 1, queue="task-execution")
    history.add("TaskExecutionStarted", 4, 1, WORKERS[0], epoch=1, claim=1, redelivered=False)
    return history.view(RUNNING, "RUNNING", expected={"what": "outcome", "by": ago(-47)})


def completed_running() -> Json:
    """The same task a moment later."""
    history = History(15)
    history.add("TaskAccepted", 0, type="WEBHOOK_DELIVERY", origin="event")
    history.add("TaskDispatched", 0.01, 1, queue="task-execution")
    history.add("TaskExecutionStarted", 4, 1, WORKERS[0], epoch=1, claim=1, redelivered=False)
    history.add("TaskExecutionCompleted", 15, 1, WORKERS[0], epoch=1, claim=1, durationMs=11_000)
    return history.view(RUNNING, "COMPLETED")


def permanent(*, requeued: bool = False) -> Json:
    history = History(90_000)
    history.add("TaskAccepted", 0, type="WEBHOOK_DELIVERY", origin="http")
    for attempt in (1, 2, 3):
        begun = (0.0, 1.2, 7200.0)[attempt - 1]
        history.add("TaskDispatched", begun + 0.02, attempt, queue="task-execution")
        history.add(
            "TaskExecutionStarted",
            begun + 0.05,
            attempt,
            WORKERS[attempt % 2],
            epoch=1,
            claim=attempt,
            redelivered=False,
        )
        _failed(history, begun + 0.11, attempt, worker=WORKERS[attempt % 2])
        if attempt < 3:
            history.add(
                "TaskRetryScheduled", begun + 0.13, attempt + 1, notBefore=0, reason="Http503", failures=attempt
            )
            history.facts[-1]["detail"]["notBefore"] = history.at((1.1, 7199.0)[attempt - 1])
    history.add("TaskFailedPermanently", 7200.3, 3, reason="Http503: 3 of 3 attempts used up")
    if requeued:
        history.add("TaskRequeued", 89_999, 4, actor="anna", reason="the receiver is back")
        return history.view(
            PERMANENT, "ACCEPTED", requeues=1, origin={"kind": "http"}, expected={"what": "dispatch", "by": ago(-9)}
        )
    return history.view(PERMANENT, "FAILED_PERMANENTLY", origin={"kind": "http"})


def nasty() -> Json:
    history = History(5)
    history.add("TaskAccepted", 0, type=NASTY, origin="http")
    history.add("TaskDispatched", 0.1, 1, queue=NASTY)
    history.add("TaskExecutionStarted", 0.2, 1, NASTY, epoch=1, claim=1, redelivered=False)
    _failed(history, 0.3, 1, worker=NASTY, message=NASTY)
    history.odd(NASTY)
    history.add("TaskRetryScheduled", 0.4, 2, notBefore=ago(-5), reason=NASTY, failures=1)
    payload = {NASTY: NASTY, "deep": {"list": [NASTY, {"__proto__": NASTY}]}}
    due = {"what": "retry", "by": ago(-5)}
    return history.view(
        NASTY_ID, "RETRY_SCHEDULED", type=NASTY, payload=payload, result=NASTY, expected=due, notBefore=ago(-5)
    )


def large() -> Json:
    history = History(60)
    history.add("TaskAccepted", 0, type="REPORT", origin="http")
    history.add("TaskDispatched", 0.02, 1, queue="task-execution")
    history.add("TaskExecutionStarted", 0.05, 1, WORKERS[0], epoch=1, claim=1, redelivered=False)
    history.add("TaskExecutionCompleted", 0.1, 1, WORKERS[0], epoch=1, claim=1, durationMs=48)
    return history.view(LARGE, "COMPLETED", type="REPORT", payload={"text": "x" * 200_000, "end": NASTY})


def rejected() -> Json:
    """A submission that was refused: there is no type, no policy, no attempt."""
    history = History(20)
    errors = [{"pointer": "/payload/email", "message": "an address is wanted"}]
    history.add("TaskRejected", 0, reason="invalid submission", errors=errors, origin="http")
    nothing = dict.fromkeys(("type", "policy", "origin", "payload", "acceptedAt", "endedAt"))
    return history.view(REJECTED, "REJECTED", **nothing)


def plain(task_id: str) -> Json:
    history = History(60)
    history.add("TaskAccepted", 0, type="WEBHOOK_DELIVERY", origin="http")
    return history.view(task_id, "ACCEPTED", expected={"what": "dispatch", "by": ago(-9)})
