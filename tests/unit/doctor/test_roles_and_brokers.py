"""What is said of roles, topics, queues, Redis, epoch and workers, and of what the diary noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.doctor import Check, Finding, Silent, Verdict, brokers, healthy, noticed, roles
from streamapp.doctor.brokers import Depth, RedisSays, Registered
from streamapp.doctor.noticed import Noticed
from streamapp.doctor.roles import DiarySays, Group
from streamapp.doctor.verdicts import GRAVITY, verdict_of, worst

GONE = Silent("Kafka at kafka:9092: gone")


def group(name: str, members: int = 1, behind: int = 0) -> Group:
    return Group(name, tuple(f"m{number}" for number in range(members)), behind)


@pytest.mark.parametrize("name", ["ingest", "dispatch", "diary"])
def test_a_role_is_played_together_or_alone(name: str) -> None:
    for groups in ([group("all"), group(name, 0)], [group("all", 0), group(name, 2, 7)]):
        assert roles.role(name, groups).verdict is Verdict.OK
    nobody = roles.role(name, [group("all", 0), group(name, 0)])
    assert nobody.verdict is Verdict.WRONG
    assert nobody.says.endswith(roles.DOES[name])
    assert nobody.do


def test_two_ways_of_dispatching_at_once_are_wrong_and_two_of_the_others_are_not() -> None:
    assert roles.role("dispatch", [group("all"), group("dispatch")]).verdict is Verdict.WRONG
    assert roles.role("dispatch", [group("all", 3), group("dispatch", 0)]).verdict is Verdict.OK
    assert roles.role("diary", [group("all"), group("diary")]).verdict is Verdict.OK


def test_a_role_far_behind_is_worth_a_warning() -> None:
    assert roles.role("ingest", [group("all", behind=roles.MANY_BEHIND)]).verdict is Verdict.WARNING
    assert roles.role("ingest", [group("all", behind=roles.MANY_BEHIND - 1)]).verdict is Verdict.OK
    assert "1,234 records behind" in roles.role("ingest", [group("all", behind=1234)]).says


def test_kafka_that_does_not_answer_leaves_roles_and_topics_unjudged_and_says_why() -> None:
    for check in (roles.role("ingest", GONE), roles.topics(GONE)):
        assert check.verdict is Verdict.UNKNOWN
        assert GONE.says in check.says


def test_a_topic_that_breaks_a_rule_is_wrong_and_says_what_to_do() -> None:
    assert roles.topics({"task-lifecycle": None, "consume-event": None}).verdict is Verdict.OK
    found = roles.topics({"task-lifecycle": "set retention.ms=-1", "consume-event": None})
    assert (found.verdict, [item.says for item in found.findings]) == (Verdict.WRONG, ["set retention.ms=-1"])


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (DiarySays(), Verdict.OK, ""),
        (DiarySays(reasons=("tables are restored",)), Verdict.WRONG, "not ready: tables are restored"),
        (DiarySays(stale=True), Verdict.WRONG, "stale"),
        (DiarySays(missing=(1, 3)), Verdict.WRONG, "partitions 1, 3"),
        (DiarySays(behind=9_999), Verdict.WARNING, "9,999 facts are not folded"),
        (Silent("refused"), Verdict.WRONG, ""),
    ],
)
def test_the_diary_says_how_it_is(answer: DiarySays | Silent, verdict: Verdict, words: str) -> None:
    found = roles.diary([group("all")], answer)
    assert found.verdict is verdict
    assert words in "".join(item.says for item in found.findings)
    assert bool(found.do) == (verdict is not Verdict.OK)


def test_a_diary_without_members_is_wrong_whatever_answers() -> None:
    assert roles.diary([group("all", 0)], DiarySays()).verdict is Verdict.WRONG
    assert roles.diary(GONE, DiarySays()).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("work", "dead", "verdict", "words"),
    [
        (Depth(3, 1), Depth(0, 0), Verdict.OK, []),
        (Depth(3, 0), Depth(0, 0), Verdict.WRONG, ["no worker takes jobs from q"]),
        (Depth(0, 0, exists=False), Depth(0, 0), Verdict.WRONG, ["queue q does not exist"]),
        (Depth(0, 1), Depth(0, 0, exists=False), Verdict.WRONG, ["queue q.dead-letter does not exist"]),
        (Depth(0, 1), Depth(2, 0), Verdict.WARNING, ["2 messages in q.dead-letter"]),
    ],
)
def test_queues(work: Depth, dead: Depth, verdict: Verdict, words: list[str]) -> None:
    found = brokers.queues({"q": work}, {"q.dead-letter": dead})
    assert found.verdict is verdict
    assert len(found.findings) == len(words)
    assert all(word in item.says for word, item in zip(words, found.findings, strict=True))


def test_brokers_that_do_not_answer_leave_their_checks_unjudged() -> None:
    checks = [
        brokers.queues(GONE, {}),
        brokers.redis(GONE),
        brokers.epoch(GONE, 1),
        brokers.epoch(1, GONE),
        brokers.workers(GONE),
    ]
    assert [check.verdict for check in checks] == [Verdict.UNKNOWN] * 5
    assert all(GONE.says in check.says for check in checks)


def test_redis() -> None:
    assert brokers.redis(RedisSays()).verdict is Verdict.OK
    assert brokers.redis(RedisSays(("evicts",))).verdict is Verdict.WRONG
    assert brokers.redis(RedisSays(shown=False)).verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("guards", "newest", "verdict", "words"),
    [
        (3, 3, Verdict.OK, "that of the newest starts"),
        (4, 3, Verdict.OK, "only under 3"),
        (1, None, Verdict.OK, "nothing has started"),
        (2, 3, Verdict.WRONG, "old copy"),
        (None, 3, Verdict.WRONG, "no epoch"),
        (None, None, Verdict.WRONG, "no epoch"),
    ],
)
def test_epoch(guards: int | None, newest: int | None, verdict: Verdict, words: str) -> None:
    found = brokers.epoch(guards, newest)
    assert found.verdict is verdict
    assert words in found.says
    assert ("guard rebuild" in found.do) == (verdict is Verdict.WRONG)


def test_workers() -> None:
    assert brokers.workers([]).verdict is Verdict.WRONG
    found = brokers.workers([Registered("a", 2, 5), Registered("b", 0, 5)])
    assert (found.verdict, found.says) == (Verdict.OK, "2 registered, 2 of 10 handlers run")


@pytest.mark.parametrize("check", [noticed.stuck, noticed.anomalies, noticed.unreadable])
def test_what_the_diary_has_noticed_is_a_warning_and_never_more(check: object) -> None:
    assert callable(check)
    assert check(Noticed(0, True)).verdict is Verdict.OK
    found = check(Noticed(500, False, [Finding("odd", "t", explained=True)]))
    assert found.verdict is Verdict.WARNING
    assert found.says.startswith("500 or more ")
    assert check(GONE).verdict is Verdict.UNKNOWN


verdicts = st.lists(st.sampled_from(list(Verdict)))


@given(verdicts)
def test_healthy_means_nothing_is_wrong_and_nothing_was_left_unjudged(given_verdicts: list[Verdict]) -> None:
    checks = [Check("c", verdict, "") for verdict in given_verdicts]
    assert healthy(checks) == (not {Verdict.WRONG, Verdict.UNKNOWN} & set(given_verdicts))
    assert worst(given_verdicts) in (given_verdicts or [Verdict.OK])
    assert all(GRAVITY.index(verdict) <= GRAVITY.index(worst(given_verdicts)) for verdict in given_verdicts)


@given(st.lists(st.booleans()))
def test_one_unexplained_finding_makes_a_check_wrong(explained: list[bool]) -> None:
    found = verdict_of([Finding("odd", explained=one) for one in explained])
    assert found is (Verdict.WRONG if not all(explained) else Verdict.WARNING if explained else Verdict.OK)


def test_a_check_is_written_as_json_with_plain_words() -> None:
    document = Check("c", Verdict.WRONG, "s", "d", (Finding("odd", "t"),)).document()
    assert document == {
        "name": "c",
        "verdict": "wrong",
        "says": "s",
        "do": "d",
        "findings": [{"says": "odd", "taskId": "t", "explained": False}],
    }
