"""Tags stand between blanks or single commas, keep their order and appear once."""

from pages import parse_tags

assert parse_tags("") == parse_tags("   ") == ()
assert parse_tags("travel") == ("travel",)
assert parse_tags("travel, food,Lisbon") == ("travel", "food", "lisbon")
assert parse_tags("  one two ,three  , four ") == ("one", "two", "three", "four")
assert parse_tags("b a B") == ("b", "a")
assert parse_tags("café_2 größe\tx,") == ("café_2", "größe", "x")
assert len(parse_tags(", ".join(f"tag{n}" for n in range(200)))) == 200
