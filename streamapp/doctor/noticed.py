"""What the diary has noticed: stuck tasks, anomalies and unreadable records of the last hour. Worth a look, not wrong.

In: counts and the first lines of the diary's lists. Out: a check each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streamapp.doctor.verdicts import Check, Finding, Silent, Verdict, unjudged

SHOWN = 10
"""Lines of each list in the answer."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Entries of a list: how many at least, whether these are all, and the first of them."""

    count: int
    complete: bool
    first: Sequence[Finding] = ()


def stuck(found: Noticed | Silent) -> Check:
    """Open tasks that something should have happened to."""
    return _noticed("stuck", found, "tasks are stuck", "`streamapp stuck` lists them, with what each waits for")


def anomalies(found: Noticed | Silent) -> Check:
    """Facts that contradict the state of their task."""
    text = "facts of the last hour contradict the state of their task"
    return _noticed("anomalies", found, text, "`streamapp show TASKID` has the reason of each")


def unreadable(found: Noticed | Silent) -> Check:
    """Records of the topic that are no facts."""
    text = "records of the last hour are no facts"
    return _noticed("unreadable", found, text, "find who else writes into the topic of facts")


def _noticed(name: str, found: Noticed | Silent, text: str, do: str) -> Check:
    if isinstance(found, Silent):
        return unjudged(name, found)
    if not found.count:
        return Check(name, Verdict.OK, f"0 {text}")
    number = f"{found.count:,}" if found.complete else f"{found.count:,} or more"
    return Check(name, Verdict.WARNING, f"{number} {text}", do, tuple(found.first[:SHOWN]))
