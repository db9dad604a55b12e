"""The reader: what was written comes back as values; everything else is a verdict."""

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import EXPORTER, SESSION, STRANGER, bundle, resigned, sealed, story

from tachograph.forensics.bundle import reader
from tachograph.forensics.bundle.content import write_bundle
from tachograph.forensics.bundle.reader import Exporters, Refused, read_bundle
from tachograph.forensics.verdict import Verdict
from tachograph.schemas.merkle import MAX_PROOF

TRUSTED = Exporters((EXPORTER.key,))
FILES = bundle(sealed(story())).files()
HASH = "0a" * 32


def test_what_was_written_comes_back() -> None:
    """Lines, checkpoints, steps, custody."""
    log = sealed(story())
    opened = read_bundle(write_bundle(bundle(log), EXPORTER), TRUSTED)
    assert opened.session == str(SESSION)
    assert opened.lines == tuple(log.lines())
    assert [item.note for item in opened.checkpoints] == log.notes()
    assert opened.consistency == tuple(log.steps())
    assert opened.custody[0]["by"] == "auditor"


def test_a_stranger_is_not_read() -> None:
    """Before anything that they wrote is looked at."""
    with pytest.raises(Refused) as refused:
        read_bundle(resigned({}, STRANGER), TRUSTED)
    assert refused.value.verdict is Verdict.EXPORTER_UNKNOWN


@given(
    st.sampled_from(["leaves.jsonl", "proofs.jsonl", "keys.json", "custody.jsonl"]), st.binary(max_size=80)
)
def test_no_content_is_a_traceback(name: str, data: bytes) -> None:
    """Whatever a trusted exporter writes into a file."""
    with pytest.raises(Refused) as refused:
        read_bundle(resigned({**FILES, name: data}), TRUSTED)
    assert refused.value.verdict is Verdict.CONTENT_MALFORMED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["leaf", "log", "record", "path", "v"]), inner)
    ),
)


@given(st.dictionaries(st.sampled_from(["leaf", "log", "record", "checkpoint", "path"]), JSON))
def test_no_line_is_a_traceback(value: dict[str, object]) -> None:
    """Objects that nearly are lines."""
    import orjson

    line = orjson.dumps(value, option=orjson.OPT_SORT_KEYS) + b"\n"
    for name in ("leaves.jsonl", "proofs.jsonl", "custody.jsonl"):
        with pytest.raises(Refused):
            read_bundle(resigned({**FILES, name: line}), TRUSTED)


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ([], True),
        ([HASH, HASH], True),
        ([f"{HASH} {HASH}"], False),
        ([HASH, f"{HASH} {HASH}", ""], False),
        ([HASH + " "], False),
        ([HASH[:-1], HASH + "0"], False),
        ([HASH.upper()], False),
        ([HASH, 7], False),
        (HASH, False),
        ([HASH] * (MAX_PROOF + 1), False),
    ],
)
def test_a_path_is_a_list_of_hashes_each_an_item(path: object, fits: bool) -> None:
    """They are looked at together, and still none may hide in another."""
    if fits:
        assert reader._path(path, "here") == tuple(map(bytes.fromhex, cast("list[str]", path)))
    else:
        with pytest.raises(Refused):
            reader._path(path, "here")
