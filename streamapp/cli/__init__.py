"""The operators' command line: `streamapp COMMAND`.

A composition root: it may use every door. What it says of tasks comes from the diary. Exit codes: 0 all is well, 1 the
thing asked about is not well or failed, 2 the command or a setting is wrong.
"""

from streamapp.cli.commands import main

__all__ = ["main"]
