"""The seam for ways to log in."""

from tachograph.console.login import Begun, Returned


def test_no_repr_shows_what_passes_through() -> None:
    """Codes, assertions, states and verifiers are secrets."""
    shown = repr(Begun("https://idp/?state=s3cret", "s3cret")) + repr(
        Returned({"code": "s3cret"}, {"a": "s3cret"})
    )
    assert "s3cret" not in shown
