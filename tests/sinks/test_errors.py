"""Errors of the sink by whose fault they are."""

from tachograph.sinks import errors


def test_every_error_is_drawn_in_the_tree() -> None:
    """The module's docstring names each class that it exports."""
    assert [name for name in errors.__all__ if name not in (errors.__doc__ or "")] == []


def test_a_dependency_that_is_down_ends_with_3() -> None:
    """Exit codes: 1 refused, 2 wrong use, 3 a part that it needs is down."""
    assert errors.DependencyDown("").exit_code == 3
    assert errors.SecretUnreadable("").exit_code == 2
    assert errors.NotProvisioned("").exit_code == errors.DeadLetterFlood("").exit_code == 1


def test_a_refusal_keeps_status_and_kind() -> None:
    """The loop decides by status; the text says both."""
    refusal = errors.CallRefused(413, "too-large")
    assert (refusal.status, refusal.kind) == (413, "too-large")
    assert str(refusal) == "OpenSearch answered 413 too-large"
