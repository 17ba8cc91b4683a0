"""Cut and refused documents leave nothing behind, in every thread; escapes are undone once."""

import random
import string
import threading

from settings import MAX_BYTES, SettingsError, read_settings

SEED = 0

rng = random.Random(SEED)
root, outer, inner, key, text = (
    f"{letter}{''.join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 8)))}" for letter in "roikt"
)
escaped = f"&amp;lt;{text}&amp;amp;&#38;gt; &#x26;{text}; &quot;"
plain = f'&lt;{text}&amp;&gt; &{text}; "'
document = (
    f"<{root}><{outer} {key}='{escaped}'><{inner}>{escaped}</{inner}></{outer}><{inner}/></{root}>".encode()
)
broken = [
    *(document[:length] for length in range(0, len(document), 7)),
    document + document,
    document + b"x",
    f"<{root} {key}='1' {key}='2'/>".encode(),
    f"<{root} {key}='&{text};'/>".encode(),
    f"<{root}>&#0;</{root}>".encode(),
    b"\xff" + document,
    f"<!DOCTYPE {root}".encode(),
]
done = []


def work():
    """Alternate between documents that are refused and others."""
    for content in broken:
        try:
            read_settings(content)
        except SettingsError:
            continue
        raise AssertionError(content[:60])
    try:
        read_settings(f'<!DOCTYPE {root} [<!ENTITY {text} "{key}">]><{root}>&{text};</{root}>'.encode())
    except SettingsError:
        pass
    for _ in range(2):
        settings = read_settings(content=document)
        assert (settings.name, settings.text, settings.attributes) == (root, "", {})
        assert settings.find(path=f"{outer}").attributes == {key: plain}
        assert settings.value(path=f"{outer}/{inner}", default="") == plain
        assert [section.name for section in settings.sections] == [outer, inner]
        assert settings.value(f"{inner}/{outer}", default=text) == text
    done.append(True)


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3
assert read_settings(document.ljust(MAX_BYTES)).name == root
