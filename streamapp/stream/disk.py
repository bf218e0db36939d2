"""A disk that is full: how it shows, and what follows.

RocksDB refuses every further write of a table that has met it, also when there is room again, until its files are
opened anew. So the process ends, and whoever starts it again goes on.
"""

import errno
import os
from typing import NoReturn

from streamapp.telemetry import describe, get_log

log = get_log(__name__)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def no_room(error: Exception) -> bool:
    """Whether a disk is full, or the share of it that may be used. RocksDB's own errors say so in words only."""
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    return type(error) is Exception and any(os.strerror(number) in str(error) for number in NO_ROOM)


def end_without_room(error: Exception) -> NoReturn:
    """Say what to do, and end the process with status 1, at once: on its way out Faust would acknowledge the batch.

    Nothing is lost: what is not in the tables is in the topic, and read again from where the tables have got to.
    """
    log.error(
        "no room for the tables, this process ends: make room where the error says, or move the folder of "
        "STREAMAPP_DATA_DIRECTORY to a larger disk, and start it again; it goes on from what is stored",
        error=describe(error),
    )
    os._exit(1)
