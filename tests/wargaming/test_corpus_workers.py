"""The workers of a corpus build end with their parent, however it ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

# Two workers that say who they are and then wait for ever.
BUILD = """
import os, time
from crisol.wargaming.corpus import _pool
if __name__ == "__main__":
    with _pool(2) as pool:
        print(*pool.map(pid, range(2)), flush=True)
        time.sleep(600)
"""
WORK = "import os, time\ndef pid(_):\n    time.sleep(1)\n    return os.getpid()\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(number: int, tmp_path: os.PathLike[str]) -> None:
    folder = os.fspath(tmp_path)
    with open(f"{folder}/work.py", "w", encoding="utf-8") as file:  # noqa: PTH123 - a path of any kind
        file.write(WORK)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as file:  # noqa: PTH123 - a path of any kind
        file.write("from work import pid\n" + BUILD)
    parent = subprocess.Popen([sys.executable, f"{folder}/build.py"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = {int(word) for word in parent.stdout.readline().split()}
    assert workers
    held = [os.pidfd_open(worker) for worker in workers]
    parent.send_signal(number)
    parent.wait()
    for descriptor in held:
        # Readable once the worker has ended.
        assert select.select([descriptor], [], [], 30.0)[0]
        os.close(descriptor)
    parent.stdout.close()


# One worker of two works for ever, and SIGTERM is an exception as in the command line.
BUSY = """
import signal, sys, time
from crisol.wargaming.corpus import _pool
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with _pool(2) as pool:
        print(*pool.map(pid, range(2)), flush=True)
        pool.submit(time.sleep, 600).result()
"""


def test_a_build_that_is_ended_waits_for_no_shard(tmp_path: os.PathLike[str]) -> None:
    folder = os.fspath(tmp_path)
    with open(f"{folder}/work.py", "w", encoding="utf-8") as file:  # noqa: PTH123 - a path of any kind
        file.write(WORK)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as file:  # noqa: PTH123 - a path of any kind
        file.write("from work import pid\n" + BUSY)
    parent = subprocess.Popen([sys.executable, f"{folder}/build.py"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    parent.stdout.readline()
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(timeout=60) == 143
    parent.stdout.close()
