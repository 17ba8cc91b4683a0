"""An upload may come as any bytes-like object, such as the memoryview that a database driver returns."""

from settings import read_settings

document = "<settings><mail><host>größe.example</host></mail></settings>"
encoded = document.encode()
for content in (document, encoded, bytearray(encoded), memoryview(encoded), memoryview(bytearray(encoded))):
    assert read_settings(content).value("mail/host") == "größe.example", type(content)
