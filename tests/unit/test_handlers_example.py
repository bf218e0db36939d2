"""The example of a user's own type and handler, loaded as the settings load it."""

import pytest

from streamapp.handlers import PermanentFailure
from streamapp.tasktypes.loading import load_types
from streamapp.tasktypes.shipped import TYPES
from tests.support.handlers import context, run, running, settings_with

MODULE = "examples.tasks_of_your_own"


async def test_the_example_runs_from_the_settings_and_takes_effect_once() -> None:
    settings = settings_with(tasks={"types": [MODULE], "handlers": [MODULE]})
    types = (*TYPES, *load_types(settings.tasks.types, "STREAMAPP_TASKS__TYPES"))
    async with running(settings, types) as (handlers, environment):
        for attempt in (1, 2):
            result = await run(
                handlers, "INVOICE_DUE", {"invoice": "2025-17", "cents": 4200}, context(environment, attempt=attempt)
            )
            assert result == {"booked": "2025-17"}
        booked = environment.resources[MODULE].execute("select * from due").fetchall()
        assert booked == [("task-1", "2025-17", 4200)]
        with pytest.raises(PermanentFailure, match="more than nothing"):
            await run(handlers, "INVOICE_DUE", {"invoice": "2025-18", "cents": 0}, context(environment))
        with pytest.raises(PermanentFailure, match="/cents"):
            await run(handlers, "INVOICE_DUE", {"invoice": "2025-18"}, context(environment))
