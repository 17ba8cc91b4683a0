"""Texts are literal, may hold blanks and punctuation, and count lines; the log may have an odd name."""

from pathlib import Path

from logstats import count_lines

Path("app.log").write_text(
    "disk full: /dev/sda1\nuser's disk full\na;b & c | d\n(x) [y] {z} *.txt\nfoo.bar\nfooXbar\n-v flag\n",
    encoding="utf-8",
)
expected = {
    "disk full": 2,
    "user's": 1,
    "a;b & c | d": 1,
    "(x) [y]": 1,
    "*.txt": 1,
    "foo.bar": 1,
    "-v": 1,
    "nothing": 0,
    "> /dev": 0,
    "/dev/sda1": 1,
    "": 7,
}
for log in ("app.log", "-c", "my log"):
    Path(log).write_bytes(Path("app.log").read_bytes())
    for text, lines in expected.items():
        assert count_lines(log, text) == lines, (log, text)
