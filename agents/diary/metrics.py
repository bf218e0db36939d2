"""What the diary holds, as metrics: totals by partition at every scrape, and how far it is behind.

In: the diary's tables. Out: samples (`streamapp.metrics.diary`). Reads, and never writes.
"""

from collections.abc import Callable, Mapping

from agents.diary.agent import Diary
from streamapp.metrics import Metrics
from streamapp.metrics.diary import DiaryMetrics
from streamapp.stream.freshness import Freshness


def measure(
    diary: Diary,
    metrics: Metrics,
    freshness: Freshness,
    overdue: Callable[[int], Mapping[str, int] | None] | None = None,
) -> DiaryMetrics:
    """Tell of the partitions that `diary` holds. What else it keeps of them may be added to what is returned.

    Args:
        diary: whose tables are read.
        metrics: those of the process.
        freshness: how far it is behind.
        overdue: the stuck tasks of a partition by what is expected of them; None where nobody keeps a list.
    """
    totals = diary.totals
    return DiaryMetrics(metrics, totals.table.held, totals.get, freshness, overdue)
