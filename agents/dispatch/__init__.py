"""Dispatch: the outbox and its pump. Folds the diary into what is due, and hands it to RabbitMQ once it may act.

In: record batches of the diary. Out: jobs in RabbitMQ, and the facts TaskDispatched, TaskRetryScheduled and
TaskFailedPermanently. Runs no task, writes no view of the diary, never touches Redis.
"""

from agents.dispatch.agent import Dispatch, measure, register
from agents.dispatch.pump import Pump

__all__ = ["Dispatch", "Pump", "measure", "register"]
