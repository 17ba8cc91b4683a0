"""A draft comes back with its notes: texts, numbers, None and lists."""

from sessions import Draft, load_draft, save_draft

notes = {"gift": True, "lines": ["to the left", "2nd floor"], "tip": 1.5, "voucher": None, "größe": 3}
restored = load_draft(save_draft(Draft("Hauptstraße 3", notes)))
assert restored == Draft("Hauptstraße 3", notes)
