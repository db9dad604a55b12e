"""A path finds its value and nothing beside it, in any well-formed document."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.masker import FieldRules, Masker, Part, PseudonymKey
from tachograph.processors.masking.paths import find
from tachograph.processors.masking.ruleset import Ruleset

DOCUMENT = b'{"a":{"b":["x",{"c":"y\\"z"},3],"d":"n"},"b":"m","rows":[[1,"p"],[2,"q"]]}'


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("a.b.0", ["x"]),
        ("a.b.1.c", ['y\\"z']),
        ("a.b", ["x", 'y\\"z', "3"]),
        ("a.*", ["x", 'y\\"z', "3", "n"]),
        ("rows.*.1", ["p", "q"]),
        ("b", ["m"]),
        ("a.b.7", []),
        ("nope", []),
    ],
)
def test_values_at_a_path(path: str, values: list[str]) -> None:
    """Keys and indices, stars, and everything below."""
    found = find(DOCUMENT, [tuple(path.split("."))])
    assert [DOCUMENT[f.start : f.end].decode() for f in found] == values


@given(
    st.recursive(
        st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=12
    )
)
def test_the_rest_of_the_document_does_not_matter(other: object) -> None:
    """Whatever stands before and after."""
    text = (
        orjson.dumps({"before": other, "k": {"v": "hit"}, "z": other})
        if not _huge(other)
        else b'{"k":{"v":"hit"}}'
    )
    assert [text[f.start : f.end] for f in find(text, [("k", "v")])] == [b"hit"]


def _huge(value: object) -> bool:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True
    return False


def test_a_connection_names_paths() -> None:
    """The masker follows them, and a number becomes a string."""
    masker = Masker(
        Ruleset(()), PseudonymKey("k1", bytes(32)), connection_rules=FieldRules(json_paths=("rows.*.0",))
    )
    (out,) = masker.mask([Part("b", "body", DOCUMENT, "application/json")])
    rows = orjson.loads(out.data or b"")["rows"]
    assert [row[0][:9] for row in rows] == ["[SECRET:k", "[SECRET:k"]
    assert [row[1] for row in rows] == ["p", "q"]
