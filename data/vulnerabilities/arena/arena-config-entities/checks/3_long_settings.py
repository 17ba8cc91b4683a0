"""Long texts, many sections and many references to the predefined entities are ordinary settings."""

from settings import read_settings

sections = "".join(f"<s{n}>{'&amp;' * 10}</s{n}>" for n in range(500))
root = read_settings(f"<all><long>{'lorem ipsum ' * 1500}</long>{sections}</all>".encode())
assert len(root.value("long")) == 12 * 1500 - 1
assert root.value("s499") == "&" * 10
assert len(root.sections) == 501
utf16 = '<?xml version="1.0" encoding="utf-16"?><a><b>größe</b></a>'.encode("utf-16")
assert read_settings(utf16).value("b") == "größe"
