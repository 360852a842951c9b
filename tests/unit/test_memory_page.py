"""The published memory figures: complete, up to date, and the estimate within 15% of the exact forecast."""

from __future__ import annotations

import pytest

from docs.make_memory import CONFIGURATIONS, PAGE, WITHIN, Configuration, exact, fast, kept, page, versions

_CHEAP = "Llama-3.2-1B: full bfloat16, 2 x 1,024"


@pytest.mark.parametrize("row", CONFIGURATIONS, ids=lambda row: row.key)
def test_the_estimate_is_near_the_exact_forecast(row: Configuration) -> None:
    found = fast(row)
    assert found.total - found.context == pytest.approx(kept()["bytes"][row.key], rel=WITHIN)


def test_the_page_is_what_the_figures_say_for_twenty_configurations() -> None:
    assert len(CONFIGURATIONS) >= 20
    assert any("experts" in row.words for row in CONFIGURATIONS)
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m docs.make_memory`"
    assert kept()["versions"] == versions(), "run `python -m docs.make_memory --exact`"


@pytest.mark.slow
@pytest.mark.parametrize("row", CONFIGURATIONS, ids=lambda row: row.key)
def test_every_published_figure_is_computed_again(row: Configuration) -> None:
    assert exact(row) == pytest.approx(kept()["bytes"][row.key], rel=0.001)


def test_a_published_figure_is_computed_again() -> None:
    row = next(row for row in CONFIGURATIONS if row.key == _CHEAP)
    assert exact(row) == pytest.approx(kept()["bytes"][row.key], rel=0.001)
