"""The broken products of the fault suite are asked as the product is: one that cannot answer proves nothing."""

import subprocess
import sys

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
