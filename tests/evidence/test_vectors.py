"""Every attack has its verdict, in the files here, by both verifiers; and no mutation passes in silence."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import verifier
from attacks import honest
from jsonschema import Draft202012Validator
from make_vectors import CODES, FOLDER, all_vectors, expected
from world import bundle, policy, resigned, sealed, story

from tachograph.forensics.bundle.archive import pack, unpack
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.forensics.verify.verify import verify_bundle

SPEC = Path(__file__).parent.parent.parent / "docs" / "spec"
TABLE: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text())
MAX_LINES, MAX_WIDTH = 510, 110
"""Of the second verifier (docs/adr/0037): no rule of the specification has more than a few lines of it."""
OWN_WORDS = {"custody.jsonl", "keys.json"}
"""What the exporter says of itself: whoever signs may say something else."""
OFFSET = re.compile(rb'"offset":\d+')
"""Where the exporter found a leaf's message: no hash covers it, only the order (docs/spec/log.md)."""
STRIDE = 5
"""Of a bundle that its exporter signs anew, every fifth byte is flipped: each costs a whole verification."""
STATES = ("PRESENT", "EXPIRED", "ERASED", "MISSING")


def trust(value: dict[str, Any]) -> TrustPolicy:
    return TrustPolicy.parse(json.dumps(value), file="trust.json")


@pytest.mark.parametrize("name", TABLE)
def test_both_verifiers_give_the_verdict(name: str) -> None:
    """The verdict, its exit code, and how many records are there, lawfully gone and missing."""
    data, wanted = (FOLDER / f"{name}.tacho").read_bytes(), TABLE[name]
    report = verify_bundle(data, trust(wanted["policy"]))
    assert (report.verdict.word, report.verdict.code) == (wanted["verdict"], wanted["exit_code"])
    counted = (report.verdict.word, {state: report.states[state] for state in STATES})
    assert verifier.judge(data, wanted["policy"]) == counted


def test_the_files_are_those_that_the_script_makes() -> None:
    """Nobody has edited a vector by hand, and none is left over."""
    made = list(all_vectors())
    assert expected(made) == (FOLDER / "expected.json").read_text()
    assert {item.name: item.data for item in made} == {
        path.stem: path.read_bytes() for path in FOLDER.glob("*.tacho")
    }


def test_every_verdict_has_a_vector() -> None:
    """None is only a name, and both verifiers know the same with the same codes."""
    assert {item["verdict"] for item in TABLE.values()} == {item.word for item in Verdict}
    assert verifier.CODES == CODES


def test_the_page_has_the_table() -> None:
    """docs/spec/bundle.md lists each verdict with its exit code and meaning."""
    rows = [f"| {item.code} | `{item.word}` | {item.meaning} |" for item in Verdict]
    assert "\n".join(rows) in (SPEC / "bundle.md").read_text()


def test_the_shapes_are_json_schema() -> None:
    """docs/spec/shapes.json can be read by any validator of JSON Schema 2020-12."""
    shapes = json.loads((SPEC / "shapes.json").read_text())
    Draft202012Validator.check_schema(shapes)
    for shape in shapes["$defs"].values():
        Draft202012Validator.check_schema(shape)


def test_the_second_verifier_is_short_and_its_own() -> None:
    """Lines like all others here: none is longer, none is exempt from format and rules, none is ours."""
    text = (SPEC / "verifier.py").read_text()
    assert len(text.splitlines()) <= MAX_LINES
    assert max(map(len, text.splitlines())) <= MAX_WIDTH
    assert not re.search(r"fmt: |noqa|type: ignore", text)
    assert "import tachograph" not in text
    assert "from tachograph" not in text


def test_no_flipped_byte_passes() -> None:
    """Each byte of a bundle, one after the other."""
    good, rules = honest(), trust(policy())
    passed = []
    for at in range(len(good)):
        data = bytearray(good)
        data[at] ^= 1 << at % 8
        if verify_bundle(bytes(data), rules).verdict is Verdict.COMPLETE:
            passed.append(at)
    assert passed == []


def test_no_flipped_byte_passes_the_second_verifier() -> None:
    """The same by the other one, at every seventh byte."""
    good = honest()
    for at in range(0, len(good), 7):
        data = bytearray(good)
        data[at] ^= 0x20
        assert verifier.judge(bytes(data), policy())[0] != "complete"


@pytest.mark.parametrize("name", ["erased-under-heartbeats", "good-witnessed"])
def test_both_verifiers_agree_on_what_is_flipped_and_signed_for(name: str) -> None:
    """Verdict and states, for a byte here and there of every file."""
    wanted, rules = TABLE[name]["policy"], trust(TABLE[name]["policy"])
    files = {
        file: data
        for file, data in unpack((FOLDER / f"{name}.tacho").read_bytes()).items()
        if not file.startswith("manifest.")
    }
    for file, whole in files.items():
        for at in range(len(file), len(whole), 199):
            data = bytearray(whole)
            data[at] ^= 1 << at % 7
            bad = resigned({**files, file: bytes(data)})
            report = verify_bundle(bad, rules)
            assert verifier.judge(bad, wanted) == (report.verdict.word, report.states), (file, at)


def test_no_flipped_byte_passes_although_it_is_signed_for() -> None:
    """An exporter who lies about one byte of a record, leaf, proof or checkpoint is found out."""
    files, rules = bundle(sealed(story())).files(), trust(policy())
    passed = []
    for name in sorted(set(files) - OWN_WORDS):
        for at in range(0, len(files[name]), STRIDE):
            data = bytearray(files[name])
            data[at] ^= 1
            verdict = verify_bundle(resigned({**files, name: bytes(data)}), rules).verdict
            if verdict is Verdict.COMPLETE and OFFSET.sub(b"", data) != OFFSET.sub(b"", files[name]):
                passed.append((name, at))
    assert passed == []


def test_no_removed_file_passes() -> None:
    """Whether the manifest still names it or is signed anew without it."""
    whole, files, rules = unpack(honest()), bundle(sealed(story())).files(), trust(policy())
    for name in whole:
        fewer = {other: data for other, data in whole.items() if other != name}
        assert verify_bundle(pack(fewer), rules).verdict is not Verdict.COMPLETE
    for name in files:
        fewer = {other: data for other, data in files.items() if other != name}
        assert verify_bundle(resigned(fewer), rules).verdict is not Verdict.COMPLETE


def test_no_swapped_pair_passes() -> None:
    """Two files that change places, whether the manifest is the old one or signed anew."""
    whole, files, rules = unpack(honest()), bundle(sealed(story())).files(), trust(policy())
    for one, two in combinations(whole, 2):
        swapped = {**whole, one: whole[two], two: whole[one]}
        assert verify_bundle(pack(swapped), rules).verdict is not Verdict.COMPLETE
    for one, two in combinations(files, 2):
        swapped = {**files, one: files[two], two: files[one]}
        assert verify_bundle(resigned(swapped), rules).verdict is not Verdict.COMPLETE


def test_no_flipped_byte_of_a_heartbeat_passes_although_it_is_signed_for() -> None:
    """What proves that nothing is missing is as hard to alter as what it is about."""
    files = unpack((FOLDER / "heartbeats.tacho").read_bytes())
    rules = trust(TABLE["heartbeats"]["policy"])
    others = {name: data for name, data in files.items() if not name.startswith("manifest.")}
    passed = []
    for name in (name for name in others if name.startswith("heartbeats/")):
        for at in range(0, len(others[name]), STRIDE):
            data = bytearray(others[name])
            data[at] ^= 1
            if verify_bundle(resigned({**others, name: bytes(data)}), rules).verdict is Verdict.COMPLETE:
                passed.append((name, at))
    assert passed == []
