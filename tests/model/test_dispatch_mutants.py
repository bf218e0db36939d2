"""The model proves itself: every broken dispatcher is caught by a short life, and the product lives it well."""

import pytest

from tests.model.mutant import HONEST, Mutant
from tests.model.mutants import MUTANTS
from tests.model.mutants_of_requeue import MUTANTS_OF_REQUEUE
from tests.model.mutants_of_tables import MUTANTS_OF_TABLES
from tests.model.programs import PROGRAMS, REGROWN, ZOMBIE, live

LIVES = 80
"""Lives of one program differ by their dice; so many are tried. The one that is hidden best shows in every eighth."""


@pytest.mark.parametrize("mutant", MUTANTS + MUTANTS_OF_TABLES + MUTANTS_OF_REQUEUE, ids=lambda mutant: mutant.name)
def test_broken_dispatcher_is_caught(mutant: Mutant) -> None:
    program = PROGRAMS[mutant.name]
    seen = next((seed for seed in range(LIVES) if live(mutant, seed, program) is not None), None)
    assert seen is not None, f"{mutant.name} got away with it in {LIVES} lives"
    assert live(HONEST, seen, program) is None


def test_zombie_that_gets_its_partitions_back_reads_what_the_owner_wrote() -> None:
    """Red while a store noted its own last row as read up to: 22 of 120 lives."""
    assert [wrong for seed in range(40) if (wrong := live(HONEST, seed, ZOMBIE))] == []


def test_old_files_do_not_go_on_from_a_changelog_that_was_cut_and_has_grown_again() -> None:
    """Red while they went on from where they ended, whatever lay there: 75 of 80 lives."""
    assert [wrong for seed in range(40) if (wrong := live(HONEST, seed, REGROWN))] == []
