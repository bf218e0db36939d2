"""A Faust app in numbers: what it holds is told at every scrape, beside what is counted of its agents.

In: an app without agents yet. Out: `/metrics` among its routes.
"""

from streamapp.metrics.exposition import add_route
from streamapp.metrics.stream import StreamMetrics
from streamapp.metrics.vitals import Vitals
from streamapp.stream.doors import Doors
from streamapp.stream.engine import StreamApp


def measure(app: StreamApp, vitals: Vitals) -> None:
    """Count what `app` does in the metrics of its process, and serve them. To be called before agents register."""
    app.measured = StreamMetrics(vitals.metrics)
    app.measured.watch(
        lambda: app.settled,
        lambda: {table.name: len(table.held()) for table in app.batch_tables},
        lambda: len(app.positions.standing_still),
    )
    app.residents.append(Doors(vitals))
    app.routes.append(lambda router: add_route(router, vitals.metrics))
