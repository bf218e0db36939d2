"""The broken products of the fault suite are asked as the product is: one that cannot answer proves nothing."""

import subprocess
import sys

import pytest

from tests.faults.breakages import BREAKAGES, PROJECT

ASKED = """
import inspect
from streamapp.guard.claims import Claims
from streamapp.guard.guard import Guard
from tests.faults.mutants import broken

broken.guard_off()
wanted, found = (inspect.signature(kind.claim).parameters.values() for kind in (Claims, Guard))
plain = lambda parameters: [(each.name, each.default) for each in parameters]
print(plain(wanted) == plain(found))
"""


def test_guard_that_is_off_takes_every_question_that_a_worker_asks() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize("name", BREAKAGES)
def test_line_that_is_to_be_broken_is_there_and_its_test_too(name: str) -> None:
    breakage = BREAKAGES[name]
    assert (PROJECT / breakage.file).read_text(encoding="utf-8").count(breakage.before) == 1
    file, _, test = breakage.test.partition("::")
    assert f"def {test.partition('[')[0]}(" in (PROJECT / "tests" / "faults" / file).read_text(encoding="utf-8")
