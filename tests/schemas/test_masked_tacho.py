"""What OCSF has no place for: all of it documented, and the capture header among it."""

from __future__ import annotations

from tachograph.schemas.event import Header
from tachograph.schemas.masked_tacho import Tacho


def test_every_field_of_ours_says_what_it_is() -> None:
    """OCSF documents its own; what stands under `unmapped.tacho` is documented in our JSON Schema."""
    silent = [name for name, field in Tacho.model_fields.items() if not field.description]
    assert set(silent) == set(Header.model_fields)


def test_the_whole_header_has_its_place() -> None:
    """Each field of the capture header stands under `unmapped.tacho` by its own name."""
    assert Header.model_fields.keys() <= Tacho.model_fields.keys()
