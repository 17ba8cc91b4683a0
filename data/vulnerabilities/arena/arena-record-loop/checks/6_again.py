"""What is cut anywhere is refused, and the whole is read again and again, in every thread."""

import random
import string
import threading

from announce import MAX_NAME, AnnounceError, Announcement, read_announcement, read_name, read_options

SEED = 0

rng = random.Random(SEED)
labels = ["".join(rng.choices(string.ascii_letters, k=rng.randint(2, 12))) for _ in range(3)]
long = rng.choice(string.ascii_letters) * rng.randint(100, 180)
parts = [bytes([len(label)]) + label.encode() for label in labels]
options = b"".join(bytes([kind, 1]) + b"%06d" % kind for kind in rng.sample(range(1, 256), k=12))
values = {options[place]: options[place + 2 : place + 8] for place in range(0, len(options), 8)}
name = b"".join(parts) + b"\x00"
whole = name + options + b"\x00\x02" + b"\0a".ljust(14, b"\0")
data = parts[0] + b"\x00" + parts[1] + b"\xc0\x00" + parts[2] + bytes([0xC0, len(parts[0]) + 1])
start = len(data) - len(parts[2]) - 2
good = {*range(len(name), len(name) + len(options) + 1, 8), len(whole)}
done = []


def refused(read, *arguments):
    """Tell whether data is refused."""
    try:
        read(*arguments)
    except AnnounceError:
        return True
    return False


def work():
    """Alternate between data that is refused and whole announcements."""
    for length in range(len(whole) + 1):
        assert refused(read_announcement, whole[:length]) == (length not in good), length
    for position in (0, start):
        assert refused(read_name, data[:-1], position) == bool(position)
    assert refused(read_name, data, len(data))
    too_long = bytes([len(long)]) + long.encode()
    for _ in range(2):
        assert refused(read_name, too_long * 3 + b"\x00", 0)
        assert read_name(data=data, position=start) == (
            ".".join([labels[2], labels[1], labels[0]]),
            len(data),
        )
        assert read_name(too_long + b"\x00", 0) == (long, len(long) + 2)
        answer = read_announcement(data=whole)
        assert answer == Announcement(".".join(labels), {**values, 0: b"\0a"}), answer
        assert list(answer.options) == [*values, 0]
        assert read_options(data=whole, position=len(whole)) == {}
    done.append(True)


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3
assert len(read_name((b"\x01x" * (MAX_NAME // 2 + 1)) + b"\x00", 0)[0]) == MAX_NAME
