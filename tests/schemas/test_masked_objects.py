"""OCSF's objects: nothing unknown, and a number and its caption say the same."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tachograph.schemas.masked_objects import HttpHeader, Product, siblings_agree


def test_what_is_not_known_is_refused() -> None:
    """An analyst's mapping is never surprised by a field, nor by another type."""
    Product(name="Tachograph", vendor_name="Tachograph")
    for more in ({"color": "red"}, {"name": 1}):
        with pytest.raises(ValidationError):
            Product.model_validate({"name": "Tachograph", "vendor_name": "Tachograph"} | more)


def test_an_object_cannot_be_changed() -> None:
    """An event that was checked stays as it was checked."""
    header = HttpHeader(name="Accept", value="*/*")
    with pytest.raises(ValidationError, match="frozen"):
        header.value = "text/html"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("number", "caption", "agree"), [(4, "Service", True), (4, "User", False), (99, "?", False)]
)
def test_a_number_and_its_caption_say_the_same(number: int, caption: str, agree: bool) -> None:
    """OCSF's siblings: `type_id` is for machines, `type` for people."""

    class Pair:
        type_id, type = number, caption

    if agree:
        siblings_agree(Pair(), {"type": {4: "Service"}})
        return
    with pytest.raises(ValueError, match="type_id and type disagree"):
        siblings_agree(Pair(), {"type": {4: "Service"}})
