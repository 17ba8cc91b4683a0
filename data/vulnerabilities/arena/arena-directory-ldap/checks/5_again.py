"""After a filter that cannot be read the doors open as before, in every thread; the entries stay as they were given."""

import threading

from directory import Directory, FilterError

entries = [
    {"cn": "Ana Díaz", "badge": "A1", "pin": "1234", "kind": "staff"},
    {"cn": "Bo", "badge": "B2", "pin": "", "kind": "guest"},
]
directory = Directory(entries)
results = []


def work():
    """Ask what cannot be read, and then what can."""
    for text in ("", "(", "(&)", "(cn=x", "cn=x", "(cn=x))", "(&(cn=x)", "(1=2)"):
        try:
            directory.search(text)
        except FilterError:
            continue
        raise AssertionError(text)
    for text in ("(", ")", "\\", "(((", "\0", ")("):
        try:
            assert directory.open_door(text, text) is None
            assert directory.find_people(text) == []
        except FilterError:
            pass
    results.append((directory.open_door(badge="A1", pin="1234"), directory.find_people(part="a d")))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [("Ana Díaz", ["Ana Díaz"])] * 3
assert directory.open_door("", "1234") is None and directory.open_door("A1", "") is None
assert directory.open_door("B2", "") == "Bo" and Directory([]).find_people("") == []
assert directory.search("(|(cn=bo)(!(kind=guest)))") == entries
assert directory.search("(cn=*\\64\\c3*)") == [] and directory.search("(cn=a\\6ea*)") == entries[:1]
