"""Verdicts: one name, one exit code, one meaning each."""

from tachograph.forensics.verdict import Verdict


def test_codes_are_distinct_and_leave_the_commands_own_alone() -> None:
    """0 is good; 1 and 2 every command says of itself. 3 is a part that is down: `verify` has none."""
    codes = [item.code for item in Verdict]
    assert len(set(codes)) == len(codes)
    assert (Verdict.COMPLETE.code, Verdict.REDUCED.code) == (0, 3)
    assert all(10 <= code <= 63 for code in codes if code not in (0, 3))


def test_words_are_what_vectors_say() -> None:
    """Lower case and hyphens."""
    assert Verdict.SAME_ID_OTHER_BODY.word == "same-id-other-body"
