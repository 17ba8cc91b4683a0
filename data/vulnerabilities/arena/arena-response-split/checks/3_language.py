"""The language is in a header and in a cookie that lasts a year."""

from responder import choose_language

for language in ("de", "pt-BR", "zh-Hant-TW"):
    lines = choose_language(language, "/shop").to_bytes().decode("ascii").split("\r\n")
    assert f"Content-Language: {language}" in lines
    assert f"Set-Cookie: language={language}; Max-Age=31536000; Path=/" in lines
    assert "Location: /shop" in lines
