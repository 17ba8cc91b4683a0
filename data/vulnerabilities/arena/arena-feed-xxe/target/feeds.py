"""Import of news feeds."""

import io
import xml.sax
from dataclasses import dataclass, field
from xml.sax.handler import ContentHandler, feature_external_ges, feature_namespaces

MAX_BYTES = 1_000_000


class FeedError(Exception):
    """A document that is no readable feed."""


@dataclass
class Entry:
    """One piece of news."""

    title: str = ""
    link: str = ""


@dataclass
class Feed:
    """A feed with its entries."""

    title: str = ""
    entries: list = field(default_factory=list)


class FeedHandler(ContentHandler):
    """Collects a feed from the events of a parser."""

    def __init__(self):
        super().__init__()
        self.feed = Feed()
        self._text = []

    def startElement(self, name, attrs):
        if name == "entry":
            self.feed.entries.append(Entry())
        self._text = []

    def characters(self, content):
        self._text.append(content)

    def endElement(self, name):
        text = "".join(self._text).strip()
        target = self.feed.entries[-1] if self.feed.entries else self.feed
        if name in ("title", "link") and hasattr(target, name):
            setattr(target, name, text)
        self._text = []


class TitleHandler(FeedHandler):
    """Stops after the title of the feed."""

    def endElement(self, name):
        super().endElement(name)
        if name == "title":
            raise StopIteration


def parse(content, handler):
    """Send the events of a document to the handler."""
    if len(content) > MAX_BYTES:
        raise FeedError("the feed is too long")
    reader = xml.sax.make_parser()
    reader.setFeature(feature_namespaces, False)
    reader.setFeature(feature_external_ges, True)
    reader.setContentHandler(handler)
    try:
        reader.parse(io.BytesIO(content))
    except xml.sax.SAXException as error:
        raise FeedError(f"not a feed: {error}") from None


def read_feed(content):
    """Return the feed in a document."""
    handler = FeedHandler()
    parse(content, handler)
    return handler.feed


def preview(content):
    """Return the title of the feed in a document, without reading on."""
    handler = TitleHandler()
    reader = xml.sax.make_parser()
    reader.setFeature(feature_external_ges, True)
    reader.setContentHandler(handler)
    try:
        reader.parse(io.BytesIO(content[:MAX_BYTES]))
    except StopIteration:
        return handler.feed.title
    except xml.sax.SAXException as error:
        raise FeedError(f"not a feed: {error}") from None
    raise FeedError("the feed has no title")
