"""The diary: folds every fact into views, and answers questions about them.

In: record batches of the diary topic. Out: its own tables, and HTTP answers. Produces no fact, calls neither RabbitMQ
nor Redis, causes nothing: it may be deleted and rebuilt at any time.
"""

from agents.diary.agent import Diary, register
from agents.diary.pages import Pages
from agents.diary.web import DiaryWeb, add_routes

__all__ = ["Diary", "DiaryWeb", "Pages", "add_routes", "register"]
