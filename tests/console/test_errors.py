"""One tree: each refusal has its status, and the operator's fault its exit code."""

from tachograph.console import errors


def test_every_refusal_has_a_status_and_a_title() -> None:
    """What a page or a problem document says."""
    told = [getattr(errors, name)("why") for name in errors.__all__]
    assert all(400 <= each.status < 600 and each.title and each.detail == "why" for each in told)
    assert errors.OperatorError.exit_code == 2
