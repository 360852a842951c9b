"""What the answers of a comparison say beside its losses."""

from __future__ import annotations

from core.runs.scores import Answer, Comparison


def compared(*pairs: tuple[str, str]) -> Comparison:
    """A comparison of the pairs (reference, tuned answer)."""
    answers = tuple(
        Answer(n, (("user", "why?"),), reference, "base", tuned) for n, (reference, tuned) in enumerate(pairs)
    )
    return Comparison(2.0, 1.0, len(answers), answers)


def test_answers_equal_to_their_reference_are_counted_where_there_are_references() -> None:
    assert compared(("so", "so\n"), ("yes", "no")).like_the_reference == 1
    assert compared(("so", "thus")).like_the_reference == 0
    assert compared(("", "thus")).like_the_reference is None
