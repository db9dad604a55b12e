"""All data of a Kubernetes secret is secret, whatever its keys are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.manifests import find


def found(text: str) -> list[str]:
    data = text.encode()
    return [data[f.start : f.end].decode() for f in find(data)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("kind: Secret\ndata:\n  a: x1\n  b: |\n    y1\n", ["x1", "y1"]),
        ("kind: ConfigMap\ndata:\n  a: x\n", []),
        ('{"kind":"Secret","data":{"a":"x"},"metadata":{"name":"n"}}', ["x"]),
        ('{"data":{"a":"x"},"kind":"Secret"}', ["x"]),
        ('{"kind":"List","data":{"a":"x"}}', []),
    ],
)
def test_manifests(text: str, values: list[str]) -> None:
    """YAML and JSON, in any order; other kinds stay."""
    assert found(text) == values


@given(st.text(alphabet='kind: Secrta\n{}",x', max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """No text raises, and what is found lies in it."""
    data = text.encode()
    assert all(0 <= f.start < f.end <= len(data) for f in find(data))


@pytest.mark.parametrize(
    "text",
    [
        b'{"blob":"{"kind":"Secret","data":{"any":"plumtree"}}"}',
        b'[{"text":"{"a":{"b":1},"data":{"any":"plumtree"},"kind":"Secret"}"},{"x":"y"}]',
    ],
)
def test_a_manifest_that_was_a_string(text: bytes) -> None:
    """A layer up it stands between quotes that are none of its own."""
    assert [text[f.start : f.end] for f in find(text)] == [b"plumtree"]


def test_manifests_without_end_are_read_once() -> None:
    """However many begin in one another."""
    assert not list(find(b'"{"kind":"Secret",' * 20_000))
