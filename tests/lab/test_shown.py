from __future__ import annotations

import pandas as pd

from crisol.lab import shown


def test_a_table_is_shown_with_every_row_column_and_word() -> None:
    """Pandas leaves out the middle of a long table, and cuts a cell at fifty letters."""
    reason = "refuse: " + "fewer than needed, " * 20
    frame = pd.DataFrame({f"column{n}": [f"{reason}{n}"] * 80 for n in range(30)})
    for text in (shown.whole(frame)._repr_html_(), repr(shown.whole(frame))):
        assert "..." not in text
        assert text.count(f"{reason}29") == 80


def test_what_a_stranger_wrote_is_no_markup() -> None:
    assert "<b>" not in shown.whole(pd.DataFrame({"a": ["<b>x"]}))._repr_html_()


def test_a_few_vulnerabilities_are_called_a_smoke_test() -> None:
    def table(count: int) -> pd.DataFrame:
        return pd.DataFrame({"vulnerability": [str(n) for n in range(count)] * 2})

    assert "smoke: figures mean nothing. 3 vulnerabilities" in repr(shown.notice(table(3)))
    assert shown.notice(table(10)) is None
