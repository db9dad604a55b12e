"""The room's errors are one tree, and say what they were told."""

import pytest

from tachograph.identity.errors import IdentityError, IssuerFailed, KeysUnreadable, LoginRefused, Unproven


@pytest.mark.parametrize("kind", [Unproven, LoginRefused, IssuerFailed, KeysUnreadable])
def test_every_error_is_one_of_the_rooms(kind: type[IdentityError]) -> None:
    """Whoever catches the base catches all, and reads the detail."""
    with pytest.raises(IdentityError) as caught:
        raise kind("why")
    assert (caught.value.detail, str(caught.value)) == ("why", "why")
