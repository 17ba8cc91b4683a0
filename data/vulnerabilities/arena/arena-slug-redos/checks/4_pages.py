"""A page has an address and a stripped title; one without title is refused."""

from pages import Page, PageError, create

page = create("city-guide", "  City guide ", "travel, food")
assert page == Page("city-guide", "City guide", ("travel", "food"))
assert page.address == "/wiki/city-guide"
try:
    create("a", " ")
except PageError as error:
    assert "title" in str(error)
else:
    raise AssertionError("a page without a title")
