"""The newest lines come last, as many as asked for; the name of a log may begin with a hyphen."""

from pathlib import Path

from logstats import newest_lines

Path("app.log").write_text("".join(f"line {n}\n" for n in range(1, 8)), encoding="utf-8")
assert newest_lines("app.log", 2) == ("line 6", "line 7")
assert newest_lines("app.log") == ("line 3", "line 4", "line 5", "line 6", "line 7")
assert len(newest_lines("app.log", 50)) == 7
Path("-n").write_text("only\n", encoding="utf-8")
assert newest_lines("-n", 0) == ()
assert newest_lines("-n") == newest_lines(Path("-n"), 1) == ("only",)
