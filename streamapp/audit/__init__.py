"""The audit: whether a history keeps the promises, judged from the diary and from what was seen outside the system.

In: evidence (`evidence`): the whole diary, and whatever else was written down by clients, handlers and taps. Out: a
report (`report`) with a sentence and a witness for everything that should not be. Pure: reads and writes no broker.
"""

from streamapp.audit.evidence import Evidence, Line, read_folder
from streamapp.audit.report import Report, audit

__all__ = ["Evidence", "Line", "Report", "audit", "read_folder"]
