"""After a log that is missing the next one is read, in every thread; no texts have no counts, and the folder stays."""

import os
import threading
from pathlib import Path

from logstats import LogError, Summary, count_lines, newest_lines, summarise

Path("app.log").write_text("a\nb\n\na b\n", encoding="utf-8")
results = []


def work():
    """Ask for what is not there, and then for what is."""
    for function, arguments in ((count_lines, ("absent", "a")), (newest_lines, ("absent",)), (count_lines, (".", ""))):
        try:
            function(*arguments)
        except LogError:
            pass
    results.append((count_lines(log="app.log", text="a"), newest_lines(log="app.log", amount=2)))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [(2, ("", "a b"))] * 3
assert summarise(folder=".", name="app.log", texts=[], amount=1) == Summary("app.log", {}, ("a b",))
assert summarise(".", "app.log", ["a", "a"]).counts == {"a": 2}
assert sorted(os.listdir()) == ["app.log"]
