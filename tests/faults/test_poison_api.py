"""Ten thousand malformed submissions at the api under load: each is refused, and told why; nothing else happens."""

import io
import time
from random import Random

import aiohttp
import pytest

from streamapp.domain.facts import TaskRejected
from tests.faults.arena import Arena
from tests.faults.judge import judge
from tests.faults.poison.asking import Answers, ask_all, description_of, say_all
from tests.faults.poison.broken_json import CANARY, Document, text_of
from tests.faults.poison.entrance import MAX_PAYLOAD_BYTES, SUBMISSIONS, payload_of
from tests.faults.poison.promises import accepted_over_http
from tests.faults.poison.raw_requests import RAW, body_too_large
from tests.faults.poison.reporting import count_families, measured
from tests.faults.poison.requests import JSON, MAX_BATCH, ONE, wrong_requests
from tests.faults.poison.watching import milliseconds, resident_mebibytes

SEED = 20_261_124
COUNT = 10_000
DESCRIBED, RAW_EACH, HEAVY = 2_000, 60, 8
FAULT = "10,000 malformed submissions"
MAX_BODY_BYTES = 4 * 1024 * 1024
MAY_GROW_MEBIBYTES = 48
"""Some of the largest bodies under way, and what the allocator keeps of them; 10,000 bodies that leaked are more."""
NARROW = {"API__MAX_BATCH": str(MAX_BATCH), "API__MAX_BODY_BYTES": str(MAX_BODY_BYTES)}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("ring", [NARROW], indirect=True)
async def test_ten_thousand_malformed_submissions(ring: Arena) -> None:
    (api,) = ring.members.of("api")
    url, process = api.process.url, api.process
    chance, answers, warm = Random(SEED), Answers(), Answers()
    description = await description_of(url)
    raw = [family(chance, "raw") for family in RAW for _ in range(RAW_EACH)]
    raw += [too_large for too_large in body_too_large(MAX_BODY_BYTES).values() for _ in range(HEAVY)]
    described = description.wrong_requests(chance, DESCRIBED)
    asked, good = wrong_requests(chance, "wrong", COUNT - len(raw) - len(described), HEAVY)
    first, _ = wrong_requests(Random(SEED + 1), "first", 500, HEAVY)
    await ask_all(url, [item for item in first if item.status != 207], warm, description)
    before, begun = resident_mebibytes(process.process.pid), _now()
    async with ring.fault(FAULT, "poison") as incident:
        await ask_all(url, [*asked, *described], answers, description)
        await say_all(url, raw, answers)
        incident.injected = answers.families.total()
    after, ended = resident_mebibytes(process.process.pid), _now()
    accepted_over_http(ring, map(SUBMISSIONS.right, good), begun - 1)
    accepted_over_http(ring, await _at_the_limits(url), ended)
    count_families(ring, FAULT, answers.families)
    verdict = await judge(ring)
    told = ring.evidence / "answers.jsonl"
    figures = {
        "api, MiB before": before,
        "api, MiB after": after,
        "good requests beside, median ms": milliseconds(told, begun, ended, 0.5),
        "good requests beside, p99 ms": milliseconds(told, begun, ended, 0.99),
        "seconds": (ended - begun) // 1000,
    }
    measured(FAULT, figures)
    assert "\n".join([*warm.complaints, *answers.complaints][:20]) == ""
    assert answers.families.total() == COUNT
    assert verdict.findings == []
    assert all(400 <= status < 500 or status == 207 for status in answers.statuses), answers.statuses
    rejected = {fact.task_id for fact in ring.witness.facts_of(TaskRejected)}
    assert rejected >= {item.recorded for item in asked if item.recorded is not None}
    assert after - before <= MAY_GROW_MEBIBYTES, figures
    assert ring.members.deaths.total() == 0
    assert process.troubles() == []
    assert CANARY not in process.text()


async def _at_the_limits(url: str) -> list[Document]:
    """Payloads and a body that are just as large as they may be are accepted. What was submitted."""
    submitted = []
    async with aiohttp.ClientSession() as session:
        for size in (MAX_PAYLOAD_BYTES - 1, MAX_PAYLOAD_BYTES, 100):
            document = {**SUBMISSIONS.right(f"at-the-limit-{size}"), "payload": payload_of(size)}
            body = text_of(document)
            if size == 100:
                body += b" " * (MAX_BODY_BYTES - len(body))
            async with session.post(url + ONE, data=io.BytesIO(body), headers=JSON) as response:
                assert response.status == 202, await response.text()
            submitted.append(document)
    return submitted


def _now() -> int:
    return time.time_ns() // 1_000_000
