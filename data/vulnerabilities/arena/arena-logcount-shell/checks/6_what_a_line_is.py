"""Lines end with a line feed alone: a meter that is drawn over and over, or a form feed, stays one line."""

from pathlib import Path

from logstats import count_lines, summarise

Path("build.log").write_bytes(
    b"load 10%\rload 50%\rload 100%\nunpack 50%\runpack 100%\ndone 100%\n\x0cload again\x0cload 0%\n"
)
for text, lines in {"load": 2, "100%": 3, "unpack": 1, "%": 4, "": 4}.items():
    assert count_lines("build.log", text) == lines, text
    assert summarise(".", "build.log", [text]).counts == {text: lines}
