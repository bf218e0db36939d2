"""Names: plain without a namespace, and two installations never meet."""

from hypothesis import given
from hypothesis import strategies as st

from streamapp.wire.names import Names

namespaces = st.from_regex(r"\A[A-Za-z0-9._-]{0,12}\Z") | st.sampled_from(["", "streamapp", "task", "a-streamapp"])
ROLES = ("all", "ingest", "dispatch", "diary")


def _all(namespace: str) -> set[str]:
    names = Names(namespace)
    topics = {names.lifecycle_topic, names.events_topic}
    exchanges = {names.exchange, names.dead_letter_exchange}
    queues = {names.queue("task-execution"), names.dead_letter_queue("task-execution")}
    return topics | exchanges | queues | {names.guard_prefix} | {names.app_id(role) for role in ROLES}


def test_without_a_namespace_the_names_are_those_of_the_documentation():
    names = Names()
    assert (names.lifecycle_topic, names.events_topic) == ("task-lifecycle", "consume-event")
    assert (names.exchange, names.dead_letter_exchange) == ("streamapp.jobs", "streamapp.dead-letters")
    assert names.queue("task-execution") == "task-execution"
    assert names.dead_letter_queue("task-execution") == "task-execution.dead-letter"
    assert names.guard_prefix == "streamapp:"
    assert [names.app_id(role) for role in ROLES] == [
        "streamapp",
        "streamapp-ingest",
        "streamapp-dispatch",
        "streamapp-diary",
    ]


def test_a_namespace_stands_before_every_name():
    assert all(name.startswith("blue-") for name in _all("blue"))


@given(namespaces)
def test_no_two_things_of_one_installation_share_a_name(namespace):
    assert len(_all(namespace)) == 11


@given(namespaces, namespaces)
def test_two_installations_share_no_name(left, right):
    if left != right:
        assert not _all(left) & _all(right)
        assert not Names(left).guard_prefix.startswith(Names(right).guard_prefix)
