"""The worker of the Celery peer: `celery worker` with prefork children, which says when it is ready."""

from typing import Any

from celery.signals import worker_ready

from bench.peers.inside import talk
from bench.peers.inside.celery_app import make_app


def main() -> None:
    """Work until told to stop."""
    settings = talk.settings()
    app = make_app(settings)
    talk.end_with_starter()

    def ready(**_: Any) -> None:
        talk.say("ready")

    worker_ready.connect(ready, weak=False)
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    pool = ["--pool=prefork", f"--concurrency={settings['concurrency']}", f"--hostname={settings['run']}@%h"]
    app.worker_main(["worker", *pool, *quiet])


if __name__ == "__main__":
    main()
