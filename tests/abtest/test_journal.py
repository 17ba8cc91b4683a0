"""The journal: what was acknowledged reaches the store exactly once, whatever is killed and when."""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crisol.abtest import MemoryStore
from crisol.abtest.journal import Journal, JournaledStore, Replay
from crisol.backends.postgres import PostgresStore
from crisol.errors import InputError, StoreError
from support.trials import NOW, closing, make_trial, private_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crisol.records import Trial
    from crisol.servers import PostgresServer


class Unreliable(MemoryStore):
    """A store that is away when told so; it fails before or after it has kept the trials."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: NOW)
        self.away = self.forgetful = False
        self.order: list[str] = []

    def append(self, trials: Sequence[Trial]) -> int:
        """Fail before or after the trials are kept, or keep them."""
        if self.away:
            raise StoreError("away")
        self.order += [trial.id for trial in trials]
        count = super().append(trials)
        if self.forgetful:
            raise StoreError("connection lost after the commit")
        return count


def test_trials_wait_while_the_store_is_away_and_arrive_in_order(tmp_path: Path) -> None:
    inner, journal = Unreliable(), Journal(tmp_path / "j")
    store = JournaledStore(inner, journal, clock=lambda: NOW)
    trials = [make_trial(i) for i in range(5)]
    assert store.append(trials[:1]) == 1
    assert journal.empty
    inner.away = True
    assert [store.append([trial]) for trial in trials[1:4]] == [0, 0, 0]
    assert not journal.empty
    inner.away = False
    assert store.append(trials[4:]) == 1
    assert journal.empty
    assert inner.order == [trial.id for trial in trials]


def test_a_lost_answer_doubles_nothing(tmp_path: Path) -> None:
    inner = Unreliable()
    store = JournaledStore(inner, Journal(tmp_path / "j"), clock=lambda: NOW)
    inner.forgetful = True
    store.append([make_trial(1)])
    store.append([make_trial(2)])
    inner.forgetful = False
    assert store.replay() == Replay(2, 0)
    assert store.replay() == Replay(0, 0)
    assert Counter(trial.id for trial in inner.read()) == Counter(make_trial(i).id for i in (1, 2))


def test_a_bad_trial_never_enters_the_journal(tmp_path: Path) -> None:
    inner, journal = Unreliable(), Journal(tmp_path / "j")
    inner.away = True
    with pytest.raises(InputError):
        JournaledStore(inner, journal, clock=lambda: NOW).append(
            [make_trial(1, created_at=NOW.replace(year=2040))]
        )
    assert journal.empty


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(cut=st.integers(0, 10**6))
def test_a_torn_tail_costs_only_the_trial_that_was_not_acknowledged(tmp_path: Path, cut: int) -> None:
    """Cut anywhere in the last line: the lines before it and those written later arrive, nothing else."""
    path = tmp_path / "torn"
    journal = Journal(path)
    path.unlink(missing_ok=True)
    journal.write([make_trial(1), make_trial(2)])
    whole = path.stat().st_size
    journal.write([make_trial(3)])
    os.truncate(path, whole + cut % (path.stat().st_size - whole))
    journal.write([make_trial(4)])
    inner = Unreliable()
    assert journal.replay(inner.append) == Replay(3, 0)
    assert inner.order == [make_trial(i).id for i in (1, 2, 4)]


@pytest.mark.parametrize("damage", [b"X", b"\x00", b"\xff"])
def test_a_damaged_line_is_set_aside_and_holds_nobody_up(tmp_path: Path, damage: bytes) -> None:
    journal = Journal(tmp_path / "j")
    journal.write([make_trial(i) for i in range(3)])
    lines = journal.path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:40] + damage + lines[1][41:]
    journal.path.write_bytes(b"".join(lines))
    inner = Unreliable()
    assert journal.replay(inner.append) == Replay(2, 1)
    assert inner.order == [make_trial(0).id, make_trial(2).id]
    assert (tmp_path / "j.rejected").read_bytes() == lines[1]
    assert journal.empty


def test_a_disk_that_refuses_is_said_and_not_acknowledged(tmp_path: Path) -> None:
    inner = Unreliable()
    inner.away = True
    (tmp_path / "j").mkdir()
    with pytest.raises(StoreError, match="journal"):
        JournaledStore(inner, Journal(tmp_path / "j"), clock=lambda: NOW).append([make_trial(1)])


def test_a_journal_that_cannot_be_read_is_an_error_of_the_store(tmp_path: Path) -> None:
    occupied = tmp_path / "folder"
    occupied.write_text("")
    with pytest.raises(StoreError, match="journal"):
        JournaledStore(MemoryStore(), Journal(occupied / "j")).replay()


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.trials import NOW, make_trial
from crisol.abtest.journal import Journal, JournaledStore
from crisol.backends.postgres import PostgresStore
inner = PostgresStore(sys.argv[2], seconds=0.3, clock=lambda: NOW)
store = JournaledStore(inner, Journal(Path(sys.argv[3])), clock=lambda: NOW)
i = int(sys.argv[4])
while True:
    store.append([make_trial(i), make_trial(i + 1)])
    # One small write to a pipe is whole or absent: this is the acknowledgement.
    sys.stdout.write(f"{i}\\n{i + 1}\\n")
    sys.stdout.flush()
    i += 2
"""


@pytest.mark.integration
def test_kill_minus_9_of_writer_and_server_loses_nothing_acknowledged_and_doubles_nothing(
    postgres_server: Callable[..., PostgresServer], tmp_path: Path
) -> None:
    server = postgres_server()
    rng = random.Random(20_260_517)
    journal = tmp_path / "trials.journal"
    acknowledged: set[int] = set()
    for round_ in range(8):
        first = round_ * 1_000_000
        command = [
            sys.executable,
            "-c",
            WRITER,
            str(Path(__file__).parents[1]),
            server.dsn,
            str(journal),
            str(first),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            seen = [next(writer.stdout) for _ in range(rng.randrange(2, 40, 2))]
            if round_ % 2:
                server.kill()
                # The writer goes on acknowledging, into the journal now; what the pipe still holds came
                # before.
                while Journal(journal).empty:
                    seen.append(next(writer.stdout))
                if round_ % 4 == 3:
                    server.restart()
                    seen += [next(writer.stdout) for _ in range(rng.randrange(2, 20, 2))]
            deadline = time.monotonic() + rng.uniform(0.0, 0.02)
            while time.monotonic() < deadline:
                pass
            writer.send_signal(signal.SIGKILL)
            seen += writer.stdout.readlines()
        acknowledged |= {int(line) for line in seen if line.endswith("\n")}
        if server.process is None or server.process.poll() is not None:
            server.restart()
    with closing(PostgresStore(server.dsn, seconds=10.0, clock=lambda: NOW)) as inner:
        JournaledStore(inner, Journal(journal), clock=lambda: NOW).replay()
        kept = Counter(trial.id for trial in inner.read())
        tally = inner.tallies()[()]
    assert {make_trial(i).id for i in acknowledged} <= kept.keys()
    assert set(kept.values()) == {1}
    assert tally.n + tally.inconclusive == len(kept)


def test_several_processes_share_one_journal(tmp_path: Path) -> None:
    """Writers in four processes, one file: every line arrives whole, once."""
    code = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.trials import make_trial
from crisol.abtest.journal import Journal
journal = Journal(Path(sys.argv[2]))
for i in range(int(sys.argv[3]), int(sys.argv[3]) + 50):
    journal.write([make_trial(i)])
"""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(Path(__file__).parents[1]), str(tmp_path / "j"), str(n * 50)]
        )
        for n in range(4)
    ]
    assert [process.wait(timeout=120) for process in started] == [0] * 4
    inner = Unreliable()
    assert Journal(tmp_path / "j").replay(inner.append) == Replay(200, 0)
    assert sorted(inner.order) == sorted(make_trial(i).id for i in range(200))


def test_writers_are_not_held_up_by_a_replay_and_what_they_add_goes_with_it(tmp_path: Path) -> None:
    """The store takes its time over the first trial.

    A second one is acknowledged meanwhile, and follows it.
    """
    journal = Journal(tmp_path / "j")
    journal.write([make_trial(1)])
    taken: list[str] = []

    def slow(trials: Sequence[Trial]) -> int:
        if not taken:
            journal.write([make_trial(2)])
        taken.extend(trial.id for trial in trials)
        return len(trials)

    assert journal.replay(slow) == Replay(2, 0)
    assert taken == [make_trial(1).id, make_trial(2).id]
    assert journal.empty


def test_a_store_that_goes_away_in_the_middle_gets_everything_again(tmp_path: Path) -> None:
    inner, journal = Unreliable(), Journal(tmp_path / "j")
    journal.write([make_trial(i) for i in range(1_500)])

    def breaks(trials: Sequence[Trial]) -> int:
        if len(trials) < 1_000:
            raise StoreError("away")
        return inner.append(trials)

    with pytest.raises(StoreError, match="away"):
        journal.replay(breaks)
    assert journal.replay(inner.append) == Replay(1_500, 0)
    assert len(list(inner.read())) == 1_500


@pytest.mark.parametrize("error", [OSError("disk of the store"), TimeoutError("store is slow")])
def test_an_error_of_the_operating_system_in_the_store_is_none_of_the_journal(
    error: OSError, tmp_path: Path
) -> None:
    """``replay`` passes on what ``append`` raises as it is, and keeps all trials."""
    inner, journal = Unreliable(), Journal(tmp_path / "j")
    journal.write([make_trial(1)])

    def breaks(_: Sequence[Trial]) -> int:
        raise error

    with pytest.raises(type(error)) as raised:
        journal.replay(breaks)
    assert raised.value is error
    assert journal.replay(inner.append) == Replay(1, 0)


@pytest.mark.parametrize("ahead", [1.0, 3_600.0, 1e9])
def test_a_trial_written_while_the_clock_was_ahead_holds_nobody_up(ahead: float, tmp_path: Path) -> None:
    """It is dated now when it is replayed: refused for ever, it would keep all behind it from the store."""
    inner, journal = MemoryStore(clock=lambda: NOW), Journal(tmp_path / "journal")
    late = NOW + dt.timedelta(seconds=ahead)
    journal.write([make_trial(0, created_at=late), make_trial(1)])
    store = JournaledStore(inner, journal, clock=lambda: NOW)
    assert store.replay().replayed == 2
    assert journal.empty
    assert {trial.id for trial in inner.read()} == {make_trial(number).id for number in range(2)}
    assert all(trial.created_at <= NOW for trial in inner.read())


WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.trials import NOW, make_trial
from crisol.abtest.journal import Journal
from crisol.backends.postgres import PostgresStore
store, journal = PostgresStore(sys.argv[2], clock=lambda: NOW), Journal(Path(sys.argv[3]))
for i in range(int(sys.argv[4]), int(sys.argv[4]) + 30):
    journal.write([make_trial(i)])
    journal.replay(store.append)
store.close()
"""


@pytest.mark.integration
def test_workers_that_write_and_replay_one_journal_lose_and_double_nothing(
    postgres_dsn: str, tmp_path: Path
) -> None:
    """Each hands over whatever is there, its own or another's, while the others go on writing."""
    with ExitStack() as stack:
        dsn = private_schema(postgres_dsn, stack)
        command = [sys.executable, "-c", WORKER, str(Path(__file__).parents[1]), dsn, str(tmp_path / "j")]
        started = [subprocess.Popen([*command, str(n * 30)]) for n in range(3)]
        assert [process.wait(timeout=120) for process in started] == [0] * 3
        store = stack.enter_context(closing(PostgresStore(dsn, clock=lambda: NOW)))
        assert sorted(trial.id for trial in store.read()) == sorted(make_trial(i).id for i in range(90))
    assert Journal(tmp_path / "j").empty


@pytest.mark.parametrize(
    "text", [b"[]", b"null", b'"x"', b"[" * 200_000, b'{"a":' * 50_000, b"{}", b"9" * 10_000]
)
def test_a_whole_line_that_holds_no_trial_is_set_aside(text: bytes, tmp_path: Path) -> None:
    """A line with a right checksum is not trusted either, and must not hold up those behind it."""
    journal, store = Journal(tmp_path / "j"), MemoryStore(lambda: NOW)
    journal.write([make_trial(1)])
    with journal.path.open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(text), text))
    journal.write([make_trial(2)])
    assert journal.replay(store.append) == Replay(2, 1)
    assert (tmp_path / "j.rejected").read_bytes().endswith(text + b"\n")
