"""The diary: folds every fact into views, and answers questions about them.

In: record batches of the diary topic. Out: its own tables, and HTTP answers. Produces no fact, calls neither RabbitMQ
nor Redis, causes nothing: it may be deleted and rebuilt at any time.
"""

from agents.diary.agent import Diary, register
from agents.diary.dashboard import Dashboard
from agents.diary.metrics import measure
from agents.diary.web import DiaryWeb

__all__ = ["Dashboard", "Diary", "DiaryWeb", "measure", "register"]
