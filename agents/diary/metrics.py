"""What the diary holds, as metrics: totals by partition at every scrape, and how far it is behind.

In: the diary's tables. Out: samples (`streamapp.metrics.diary`). Reads, and never writes.
"""

from collections.abc import Collection

from agents.diary.agent import Diary
from streamapp.clock import Clock
from streamapp.metrics import Metrics
from streamapp.metrics.diary import DiaryMetrics
from streamapp.stream.freshness import Freshness


def measure(
    diary: Diary,
    metrics: Metrics,
    freshness: Freshness,
    types: Collection[str],
    clock: Clock,
) -> DiaryMetrics:
    """Tell of the partitions that `diary` holds. What else it keeps of them may be added to what is returned.

    Args:
        diary: whose tables are read.
        metrics: those of the process.
        freshness: how far it is behind.
        types: the task types that are told apart.
        clock: by which a task is overdue.
    """
    totals, indexes = diary.totals, diary.indexes
    return DiaryMetrics(
        metrics,
        totals.table.held,
        totals.stored,
        freshness,
        types,
        lambda partition: indexes.overdue(partition, clock.now_ms()),
    )
