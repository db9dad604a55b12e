"""Verdicts: one name, one exit code, one meaning each."""

from tachograph.forensics.verdict import Verdict


def test_codes_are_distinct_and_leave_the_commands_own_alone() -> None:
    """0 is good; 1, 2 and 3 are said by every command about itself."""
    codes = [item.code for item in Verdict]
    assert len(set(codes)) == len(codes)
    assert Verdict.COMPLETE.code == 0
    assert all(10 <= code <= 63 for code in codes if code)


def test_words_are_what_vectors_say() -> None:
    """Lower case and hyphens."""
    assert Verdict.SAME_ID_OTHER_BODY.word == "same-id-other-body"
