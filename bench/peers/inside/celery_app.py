"""The Celery application that producer and worker share, as its documentation tells one to build it."""

from typing import Any

from celery import Celery

from bench.peers.inside.tasks import NAME, began

PREFETCHED = 250
"""Messages that the worker holds at once, whatever its concurrency: a few hundred milliseconds of no-op tasks."""


def make_app(settings: dict[str, Any]) -> Celery:
    """The application of one run: its queue, its exchange and its results have the run's name."""
    run = settings["run"]
    app = Celery(run, broker=settings["rabbitmq_url"], backend=settings["redis_url"])
    app.conf.update(
        accept_content=["json"],
        # At least once: acknowledged when the result is stored, and given back if a child dies.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        broker_transport_options={"confirm_publish": True},
        broker_connection_retry_on_startup=True,
        task_default_queue=run,
        task_default_queue_type=settings.get("queue_type", "classic"),
        result_backend_transport_options={"global_keyprefix": f"{run}:"},
        result_expires=3600,
        worker_prefetch_multiplier=max(1, PREFETCHED // settings["concurrency"]),
        worker_enable_remote_control=False,
        worker_redirect_stdouts=False,
    )

    @app.task(name=NAME)
    def noop(payload: dict[str, Any], since: float) -> float:
        return began(since)

    return app
