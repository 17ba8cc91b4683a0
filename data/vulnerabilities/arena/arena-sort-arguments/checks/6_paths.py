"""Names may be paths of pathlib, alone and among texts, in any collection that has a length."""

import random
import string
from collections import deque
from pathlib import Path

from reports import count_lines, report, sorted_lines

SEED = 0

rng = random.Random(SEED)
folder, first, second = ("".join(rng.choices(string.ascii_letters, k=rng.randint(5, 9))) for _ in range(3))
Path(folder).mkdir()
inner, plain = Path(folder, f"{first}.txt"), f"{second}.txt"
inner.write_text("b\na\n")
Path(plain).write_text("c\n")
for names in ([inner, plain], (inner.absolute(), plain), deque([plain, inner])):
    result = report(names)
    assert result.lines == ("a", "b", "c"), result
    assert result.counts == {name: 1 if name == plain else 2 for name in names}, result
assert sorted_lines([inner], reverse=True) == ("b", "a")
assert count_lines(inner) == 2
