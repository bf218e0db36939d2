"""A broken dispatcher, and how it is let loose in the model."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from tests.model.dispatcher import Parts


@dataclass(frozen=True)
class Mutant:
    """Other parts, or other things in place of the product's: (module or class, name, what is there instead)."""

    name: str
    parts: Parts = field(default_factory=Parts)
    patches: tuple[tuple[Any, str, Any], ...] = ()

    @contextmanager
    def loose(self) -> Iterator[None]:
        """While the mutant is about."""
        with ExitStack() as stack:
            for place, name, instead in self.patches:
                stack.enter_context(patch.object(place, name, instead))
            yield


HONEST = Mutant("the product as it is")
