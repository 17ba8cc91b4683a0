"""Settings from XML documents that customers upload."""

from dataclasses import dataclass, field
from xml.parsers import expat

MAX_BYTES = 64_000
MAX_DEPTH = 20


class SettingsError(ValueError):
    """A document that holds no settings."""


@dataclass
class Section:
    """An element: its attributes, its text and the sections in it."""

    name: str
    attributes: dict = field(default_factory=dict)
    text: str = ""
    sections: list = field(default_factory=list)

    def find(self, path):
        """Return the section at a path such as "mail/host", or None."""
        section = self
        for name in path.split("/"):
            section = next((inner for inner in section.sections if inner.name == name), None)
            if section is None:
                return None
        return section

    def value(self, path, default=""):
        """Return the text of the section at the path."""
        section = self.find(path)
        return default if section is None else section.text.strip()


class Builder:
    """Builds sections from the events of the parser."""

    def __init__(self):
        self.root = Section("")
        self._open = [self.root]

    def start(self, name, attributes):
        """Begin a section."""
        if len(self._open) > MAX_DEPTH:
            raise SettingsError(f"more than {MAX_DEPTH} levels")
        section = Section(name, attributes)
        self._open[-1].sections.append(section)
        self._open.append(section)

    def end(self, name):
        """End a section."""
        self._open.pop()

    def text(self, data):
        """Add text to the open section."""
        self._open[-1].text += data


def read_settings(content):
    """Return the root section of a document."""
    if len(content) > MAX_BYTES:
        raise SettingsError(f"more than {MAX_BYTES} bytes")
    builder = Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise SettingsError(f"not settings: {error}") from None
    return builder.root.sections[0]
