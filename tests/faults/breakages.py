"""The fault suite, proven: one line of the product is broken, and the fault that leans on it must be seen to fail.

`python -m tests.faults.breakages` breaks one line after the other, each in a copy of the tree, and runs the test that
must object; it ends with a table, and with 1 if a test did not object. With names it does only those. What needs more
than a line is in `mutants/broken.py`, and in the models' own mutants.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".streamapp", "__pycache__", ".*_cache", "*.egg-info")
SECONDS = 600


class Breakage(NamedTuple):
    """A line of `file` that says `before` says `after` instead; `test` must fail. `fault`: what the test does."""

    fault: str
    file: str
    before: str
    after: str
    test: str


LOST_IS_CONFIRMED = (
    "streamapp/queue/publisher.py",
    'return OutcomeUnknown(f"RabbitMQ did not confirm the job: {describe(error)}")',
    "return None",
)
READ_ON_AT_THE_END = (
    "streamapp/stream/positions.py",
    "            return applied\n        if topic",
    "            return end\n        if topic",
)
"""Lines that more than one fault leans on."""

BREAKAGES = {
    "facts are handed over once": Breakage(
        "brokers stopped, hanging, killed",
        "streamapp/producer/kafka.py",
        "waiting = again + rest",
        "waiting = rest",
        "test_brokers_away.py::test_each_broker_stops_hangs_and_is_killed",
    ),
    "a lost connection is a confirm": Breakage(
        "RabbitMQ killed twenty times",
        *LOST_IS_CONFIRMED,
        "test_brokers_away.py::test_a_broker_is_killed_twenty_times[rabbitmq]",
    ),
    "a lost connection is a confirm, and the power is cut": Breakage(
        "power of RabbitMQ cut",
        *LOST_IS_CONFIRMED,
        "power/test_power_cut.py::test_power_of_rabbitmq_is_cut",
    ),
    "nobody waits for the guard": Breakage(
        "Redis killed twenty times",
        "streamapp/worker/patience.py",
        "            except Unavailable as error:",
        "            except ZeroDivisionError as error:",
        "test_brokers_away.py::test_a_broker_is_killed_twenty_times[redis]",
    ),
    "nobody waits for Kafka": Breakage(
        "roles started before their brokers",
        "streamapp/stream/topics.py",
        "        except Unavailable as error:",
        "        except ZeroDivisionError as error:",
        "test_comings_and_goings.py::test_roles_start_before_their_brokers",
    ),
    "a lost connection is a confirm, and connections are cut": Breakage(
        "connections cut between and within frames",
        *LOST_IS_CONFIRMED,
        "test_network.py::test_connections_are_cut_between_and_within_frames[rabbitmq]",
    ),
    "silence is a confirm": Breakage(
        "network that swallows everything",
        "streamapp/queue/publisher.py",
        'return OutcomeUnknown(f"RabbitMQ did not confirm the job within {self._timeout_seconds:g} s")',
        "return None",
        "test_network.py::test_network_swallows_everything_or_answers_alone_or_is_slow[rabbitmq]",
    ),
    "the group says where to read": Breakage(
        "group reset, tables and changelogs lost",
        *READ_ON_AT_THE_END,
        "test_replay_under_traffic.py::test_group_reset_tables_and_changelogs_lost[diary]",
    ),
    "whoever joins reads on at the end": Breakage(
        "processes join and leave every few seconds",
        *READ_ON_AT_THE_END,
        "test_replay_under_traffic.py::test_processes_join_and_leave_every_few_seconds",
    ),
    "whoever takes over reads on at the end": Breakage(
        "streams stand still beyond their session",
        *READ_ON_AT_THE_END,
        "test_zombies.py::test_streams_stand_still_beyond_their_session",
    ),
    "a worker is its predecessor": Breakage(
        "worker restarted under the same name",
        "streamapp/worker/assembly.py",
        'return f"{instance}-{os.getpid()}-{secrets.token_hex(4)}"',
        "return instance",
        "test_zombies.py::test_worker_comes_back_under_its_old_name",
    ),
    "malformed events stop the fold": Breakage(
        "malformed events",
        "agents/ingest.py",
        "        except Invalid as error:",
        "        except ZeroDivisionError as error:",
        "test_poison_quick.py::test_malformed_events",
    ),
    "broken messages are handed back": Breakage(
        "broken messages in the work queue",
        "streamapp/worker/worker.py",
        "        except Undecodable as error:",
        "        except ZeroDivisionError as error:",
        "test_poison_queue.py::test_broken_messages_in_the_work_queue",
    ),
    "the diary is not flushed": Breakage(
        "power of Kafka cut",
        "streamapp/stream/topics.py",
        'return {"flush.messages": str(flush)} if flush else {}',
        "return {}",
        "power/test_power_cut.py::test_power_of_kafka_is_cut",
    ),
    "torn changelogs are restored": Breakage(
        "power of Kafka cut under processes that live on",
        "streamapp/stream/restore.py",
        "return self.losses > self.marker.losses",
        "return False",
        "power/test_power_cut.py::test_power_of_kafka_is_cut",
    ),
    "tables may be ahead": Breakage(
        "power of Kafka and the streams cut",
        "streamapp/stream/changelog.py",
        "if last[partition] >= end:",
        "if last[partition] >= end + 10**9:",
        "power/test_power_cut.py::test_changelogs_are_cut_and_tables_are_ahead_of_them",
    ),
    "claims are not flushed": Breakage(
        "power of Redis cut",
        "brokers/redis.py",
        'f"appendfsync {_APPENDFSYNC[self.profile]}",',
        '"appendfsync no",',
        "power/test_power_cut.py::test_power_of_redis_is_cut",
    ),
    "a full disk is tried again": Breakage(
        "disk of the tables full",
        "streamapp/stream/write_behind.py",
        "                if no_room(error):",
        "                if no_room(error) and False:",
        "power/test_disk_full.py::test_disk_of_the_tables_is_full",
    ),
    "lost jobs stay lost": Breakage(
        "queue purged, deleted, blocked",
        "streamapp/domain/dispatch.py",
        "if entry.dispatched_at + limits.lost_after_ms >= queue_started_up_to:",
        "if True:",
        "test_work_queue.py::test_queue_purged_deleted_and_blocked",
    ),
    "the machine's clock counts": Breakage(
        "wall clock set",
        "streamapp/clock.py",
        "        return self._origin_ms + self._elapsed_ms()",
        "        return self._clock.now_ms()",
        "test_clock.py::test_wall_clock_is_set_an_hour_ahead_and_an_hour_back",
    ),
    "waiting is dying": Breakage(
        "handlers that take their worker along",
        "streamapp/guard/scripts/claim.lua",
        "      if task.alone == '1' and task.confirmed == '1' then",
        "      if task.alone == '1' then",
        "test_handlers.py::test_handlers_that_take_their_worker_along",
    ),
    "handlers may end the worker": Breakage(
        "handlers that misbehave",
        "streamapp/worker/call.py",
        "        except BaseException as error:  # SystemExit,",
        "        except Exception as error:  # SystemExit,",
        "test_handlers.py::test_handlers_that_misbehave_hurt_nobody_but_their_own_task",
    ),
    "one id, many tasks": Breakage(
        "the same task submitted by many at once",
        "streamapp/domain/identity.py",
        'return _digest("TaskAccepted", task_id, type, digest)',
        'return _digest("TaskAccepted", task_id, type, str(__import__("time").time_ns()))',
        "test_comings_and_goings.py::test_the_same_task_is_submitted_by_many_at_once",
    ),
    "what is handed back is acked": Breakage(
        "roles ended in good order under load",
        "streamapp/worker/pipeline.py",
        "await run.deliveries.pop().requeue()",
        "await run.deliveries.pop().ack()",
        "test_comings_and_goings.py::test_every_role_is_ended_in_good_order_under_load",
    ),
    "nesting has no end": Breakage(
        "malformed submissions",
        "streamapp/wire/json.py",
        "    if too_deep(data, value):",
        "    if too_deep(data, value) and False:",
        "test_poison_quick.py::test_malformed_submissions",
    ),
}


def main(names: Sequence[str]) -> int:
    """Break the lines with these names, or all of them. 1 if a test did not object."""
    missed = []
    for name in names or BREAKAGES:
        begun = time.monotonic()
        objected, told = prove(BREAKAGES[name])
        print(f"{'red  ' if objected else 'GREEN'}  {time.monotonic() - begun:5.0f} s  {name}: {told}", flush=True)
        missed += [] if objected else [name]
    return int(bool(missed))


def prove(breakage: Breakage) -> tuple[bool, str]:
    """Whether the test fails with the line broken, and the last thing that it says."""
    with tempfile.TemporaryDirectory(prefix="streamapp-broken-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(PROJECT, tree, ignore=LEFT_OUT)
        file = tree / breakage.file
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(breakage.before, breakage.after), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-m", "long or not long", f"tests/faults/{breakage.test}"],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    errors = [line for line in done.stdout.splitlines() if line.startswith("E ")]
    return done.returncode == 1, (errors or done.stdout.splitlines() or [done.stderr])[0][:160]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
