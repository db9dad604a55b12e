"""SAML's times, in one form."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.identity.saml.instants import instant
from tachograph.identity.saml.strict_xml import Unreadable


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999))
def test_a_time_in_utc_is_read_to_the_microsecond(seconds: int, micros: int) -> None:
    """With a fraction of a second as with none."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    assert instant(f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}") == pytest.approx(moment.timestamp(), abs=1e-6)
    assert instant(f"\n{moment:%Y-%m-%dT%H:%M:%SZ} ") == moment.replace(microsecond=0).timestamp()


@pytest.mark.parametrize(
    "told",
    ["", "now", "2030-01-01", "2030-01-01T00:00:00", "2030-01-01T00:00:00+00:00", "2030-13-01T00:00:00Z",
     "2030-01-01T24:00:00Z", "0000-01-01T00:00:00Z", "2030-01-01T00:00:00.Z", "２030-01-01T00:00:00Z"],
)  # fmt: skip
def test_what_is_no_time_in_utc_is_refused(told: str) -> None:
    """A zone that is guessed is a window that is wrong."""
    with pytest.raises(Unreadable):
        instant(told)
