"""Configuration files: what is wrong is told by file, line and key, all of it at once."""

from __future__ import annotations

import json
from itertools import pairwise

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.config import Configuration
from tachograph.schemas.document import MAX_CONFIG_BYTES, configuration_schema, load_configuration
from tachograph.schemas.errors import ConfigurationError


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(text, file="tacho.yaml")
    return [str(problem) for problem in caught.value.problems]


CASES = [
    ("version: 2", ["tacho.yaml:1: version: expected 1, got 2"]),
    (
        "ingress:\n  workers: zero\n",
        ["tacho.yaml:2: ingress.workers: expected a value of type integer, got 'zero'"],
    ),
    ("ingress:\n  workers: 0\n", ["tacho.yaml:2: ingress.workers: expected at least 1, got 0"]),
    (
        "kafka:\n\n  # a comment\n  partitions: 9999\n",
        ["tacho.yaml:4: kafka.partitions: expected at most 1024, got 9999"],
    ),
    (
        "ingress:\n  header_timeout: 0\n",
        ["tacho.yaml:2: ingress.header_timeout: expected more than 0, got 0"],
    ),
    ("ingress: 7", ["tacho.yaml:1: ingress: expected a value of type object, got 7"]),
    ("[]", ["tacho.yaml:1: expected a value of type object, got a list of 0"]),
    (
        "connections:\n  - name: a\n    protocol: http\n",
        ["tacho.yaml:2: connections.0.upstream: expected this key, it is missing"],
    ),
    (
        "connections:\n  - name: a\n    protocol: ftp\n    upstream: http://h\n",
        ["tacho.yaml:3: connections.0.protocol: expected one of http, llm, mcp, got 'ftp'"],
    ),
    (
        "connections:\n  - name: a\n    protocol: http\n    upstream: http://u:secret@h\n",
        [
            (
                "tacho.yaml:4: connections.0.upstream: "
                "expected no userinfo, query or fragment: credentials go under `credential`"
            )
        ],
    ),
    ("a: 1\na: 2\n", ["tacho.yaml:2: a: the key stands here twice"]),
    ("a: [", ["tacho.yaml:1: not YAML: expected the node content, but found '<stream end>'"]),
    (
        "ingress:\n\tworkers: 1\n",
        ["tacho.yaml:2: not YAML: found character '\\t' that cannot start any token"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[expected[0] for _, expected in CASES])
def test_what_is_wrong_is_told_with_its_place(text: str, expected: list[str]) -> None:
    """File, line and key; what was expected and what came."""
    assert problems(text) == expected


def test_an_unknown_key_lists_the_known_ones() -> None:
    """A typo is found, and so is what was meant."""
    (problem,) = problems("ingress:\n  listne: {}\n")
    assert problem.startswith("tacho.yaml:2: ingress.listne: unknown key; expected one of ")
    assert "listen" in problem


def test_all_problems_are_told_at_once_in_order() -> None:
    """Nobody mends a file one error a start."""
    found = problems("version: 3\nkafka:\n  partitions: 0\ningress:\n  workers: -1\n")
    assert [problem.split(":")[1] for problem in found] == ["1", "3", "5"]


def test_what_the_models_check_has_a_place_too() -> None:
    """A rule over several settings names where they begin."""
    base = "  - {name: a, protocol: http, upstream: http://h}\n"
    (problem,) = problems("version: 1\nconnections:\n" + base + base)
    assert problem == "tacho.yaml:1: connection or host named twice: a"


def test_secrets_are_never_repeated() -> None:
    """A value under a private key, and any long one, is told by its size."""
    (problem,) = problems("opensearch:\n  password: hunter2-hunter2\n")
    assert "hunter2" not in problem
    (problem,) = problems("ingress:\n  workers: " + "x" * 50 + "\n")
    assert "text of 50 characters" in problem


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_is_the_default(text: str) -> None:
    """No setting is needed."""
    assert load_configuration(text, file="x") == Configuration()


def test_yaml_s_surprises_stay_text() -> None:
    """A date is no date where a text is wanted, and quoted numbers stay text."""
    labels = "{since: 2026-01-01, n: '7'}"
    text = f"connections:\n  - {{name: a, protocol: http, upstream: http://h, labels: {labels}}}\n"
    assert load_configuration(text, file="x").connections[0].labels == {"since": "2026-01-01", "n": "7"}


def test_a_number_beyond_what_is_read_is_no_defect() -> None:
    """Python reads 4,300 digits at most; what has more is told as any other wrong value."""
    with pytest.raises(ConfigurationError, match="text of 5000 characters"):
        load_configuration(f"version: {'1' * 5000}", file="tacho.yaml")


def test_an_anchor_is_one_value_in_two_places() -> None:
    """YAML's own way to repeat oneself works."""
    text = (
        "connections:\n  - &a {name: a, protocol: http, upstream: http://h, timeouts: &t {read: 5}}\n"
        "  - {name: b, protocol: http, upstream: http://h, timeouts: *t}\n"
    )
    assert [item.timeouts.read for item in load_configuration(text, file="x").connections] == [5, 5]


def test_a_file_is_bounded() -> None:
    """A file that is too long is not parsed."""
    assert problems(" " * (MAX_CONFIG_BYTES + 1)) == [
        f"tacho.yaml: expected at most {MAX_CONFIG_BYTES} bytes"
    ]


def test_a_file_without_a_bottom_is_refused() -> None:
    """Thousands of brackets are an error of the file, not of ours."""
    (problem,) = problems("a: " + "[" * 5000 + "]" * 5000)
    assert "nested too deep" in problem


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "a: &a {b: *a}",
        "a: &a [x,x,x,x,x,x,x,x]\n"
        + "".join(f"{n}: &{n} [{','.join([f'*{o}'] * 8)}]\n" for o, n in pairwise("abcdefghi")),
    ],
    ids=["list in itself", "mapping in itself", "eight to the eighth"],
)
def test_anchors_cannot_make_a_file_endless(text: str) -> None:
    """What refers to itself, or multiplies itself, is refused at once."""
    with pytest.raises(ConfigurationError, match=r"nested too deep|at most"):
        load_configuration(text, file="f")


def test_control_characters_are_refused() -> None:
    """What YAML does not take has a reason that a person can act on."""
    (problem,) = problems("a: \x00")
    assert "not YAML" in problem


@given(st.text())
def test_any_text_is_a_configuration_or_refused(text: str) -> None:
    """Nothing but our refusal comes out of loading, and each problem says where."""
    problems: list[str] = []
    try:
        load_configuration(text, file="f.yaml")
    except ConfigurationError as error:
        problems = [str(problem) for problem in error.problems]
    assert all(problem.startswith("f.yaml") for problem in problems)


NAMES = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)


@given(
    st.fixed_dictionaries(
        {"version": st.just(1)},
        optional={
            "ingress": st.fixed_dictionaries({}, optional={"workers": st.integers(1, 256)}),
            "kafka": st.fixed_dictionaries({}, optional={"partitions": st.integers(1, 1024)}),
            "connections": st.lists(
                st.fixed_dictionaries(
                    {
                        "name": NAMES,
                        "protocol": st.sampled_from(["http", "llm", "mcp"]),
                        "upstream": st.just("http://h"),
                    }
                ),
                max_size=3,
                unique_by=lambda item: item["name"],
            ),
        },
    )
)
def test_what_is_written_is_read(value: dict[str, object]) -> None:
    """A configuration comes back through YAML, and through our own JSON of it."""
    config = load_configuration(yaml.safe_dump(value), file="x")
    assert config == Configuration.model_validate(value)
    assert load_configuration(config.model_dump_json(exclude_none=True), file="x") == config


def test_the_schema_is_one_that_validators_take() -> None:
    """JSON Schema 2020-12, and it takes the default."""
    jsonschema.Draft202012Validator.check_schema(configuration_schema())
    default = json.loads(Configuration().model_dump_json())
    assert list(jsonschema.Draft202012Validator(configuration_schema()).iter_errors(default)) == []
