"""After data that is cut short the next frames are read, in every thread; empty texts, lists and data are frames or none."""

import threading

from frames import Frame, FrameError, command_frame, frame, list_frame, read_frames, read_list, text_frame

data = text_frame("") + list_frame([]) + list_frame(["", "é"]) + command_frame("stop") + command_frame("set", "a b")
results = []


def work():
    """Read what is cut short, and then what is not."""
    for cut in (1, 2, 5, len(data) - 1):
        try:
            list(read_frames(data[:cut]))
        except FrameError:
            continue
        raise AssertionError(cut)
    for kind in (b"", b"TT"):
        try:
            frame(kind, b"")
        except FrameError:
            continue
        raise AssertionError(kind)
    for payload in (b"", b"\x01", b"\x02\x01a"):
        try:
            read_list(payload)
        except FrameError:
            continue
        raise AssertionError(payload)
    results.append(list(read_frames(data)))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
text, none, two, stop, command = results[0]
assert results == [results[0]] * 3
assert (text, stop, command) == (Frame(b"T", b""), Frame(b"C", b"stop"), Frame(b"C", b"set a b"))
assert (read_list(none.payload), read_list(payload=two.payload)) == ([], ["", "é"])
assert list(read_frames(b"")) == [] and frame(kind=b"X", payload=b"\0\xff") == b"X\0\x02\0\xff"
reader = read_frames(text_frame("a") + b"T")
assert next(reader) == Frame(b"T", b"a")
