"""Numbers for Prometheus: what is counted, how, and how it is told. One module for each part that counts.

In: what happens, told by those whom it happens to. Out: text for whoever scrapes `/metrics`. Never decides anything,
and never counts what is about tasks: that is read from the diary's own totals, so that it survives every process.
"""

from streamapp.metrics.instruments import Buckets, Count, Family, Sample, Spread
from streamapp.metrics.registry import Metrics

__all__ = ["Buckets", "Count", "Family", "Metrics", "Sample", "Spread"]
