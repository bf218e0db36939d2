"""The only door to Redis: a piece of work takes effect once.

In: who wants to run which attempt of which task. Out: a closed set of answers, decided by Lua scripts in one round trip
each. Fails closed: without Redis, or with a Redis that has forgotten, nothing is answered and so nothing runs. Never
touches Kafka or RabbitMQ; the authority on what happened stays the diary, from which the guard can be rebuilt.
"""

from streamapp.guard.claims import Answer, Claim, Claimed, Claims, Doomed, GuardNotReady, Held, Known, Superseded
from streamapp.guard.guard import Guard
from streamapp.guard.inspection import GuardInspection, StandingClaim
from streamapp.guard.live import JOB_STATES, JobState, LiveJob, WorkerRegistration
from streamapp.guard.rebuild import ClaimRecord, claims_of, next_epoch

__all__ = [
    "JOB_STATES",
    "Answer",
    "Claim",
    "ClaimRecord",
    "Claimed",
    "Claims",
    "Doomed",
    "Guard",
    "GuardInspection",
    "GuardNotReady",
    "Held",
    "JobState",
    "Known",
    "LiveJob",
    "StandingClaim",
    "Superseded",
    "WorkerRegistration",
    "claims_of",
    "next_epoch",
]
