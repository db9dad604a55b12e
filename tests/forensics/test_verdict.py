"""Verdicts: one name, one exit code, one meaning each."""

from tachograph.forensics.verdict import Verdict


def test_codes_are_distinct_and_leave_the_commands_own_alone() -> None:
    """0 is good; 1, 2 and 3 every command says of itself: refused, used wrongly, a part is down."""
    codes = [item.code for item in Verdict]
    assert len(set(codes)) == len(codes)
    assert (Verdict.COMPLETE.code, Verdict.REDUCED.code) == (0, 4)
    assert all(10 <= code <= 63 for code in codes if code not in (0, 4))


def test_words_are_what_vectors_say() -> None:
    """Lower case and hyphens."""
    assert Verdict.SAME_ID_OTHER_BODY.word == "same-id-other-body"
