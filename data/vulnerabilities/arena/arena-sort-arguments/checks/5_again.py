"""After refused names the next report is made, in every thread; the folder stays as it was."""

import os
import random
import string
import threading
from pathlib import Path

from reports import Report, ReportError, count_lines, report, sorted_lines

SEED = 0

rng = random.Random(SEED)
first, second, folder = (
    f"{number}{''.join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 8)))}" for number in range(3)
)
low, high = "a" + first, "b" + second
Path(first).write_text(f"{high}\n{low}\n{high}\n", encoding="utf-8")
Path(folder).mkdir()
Path(folder, second).write_text(f"\n{low}", encoding="utf-8")
before = sorted(os.listdir())
done = []


def work():
    """Ask for names that are refused, and then for others."""
    inner = f"{folder}/{second}"
    for function, argument in (
        (report, [first, ""]),
        (report, [folder, first]),
        (sorted_lines, [first, f"{first}\n"]),
        (count_lines, ""),
        (count_lines, f"*{first}"),
    ):
        try:
            function(argument)
        except ReportError:
            assert sorted_lines(names=[inner, first]) == ("", low, high)
            continue
        raise AssertionError((function, argument))
    assert report(names=[first], reverse=True) == Report((high, low), {first: 3})
    assert report([inner, first], reverse=False).lines == ("", low, high)
    assert count_lines(name=first) == 3
    done.append(True)


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3
assert sorted(os.listdir()) == before
assert Path(first).read_text(encoding="utf-8") == f"{high}\n{low}\n{high}\n"
