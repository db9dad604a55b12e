"""`tacho mask` keeps its contract: spans in characters of the input, no secret in any answer."""

import io

import orjson
import pytest
import typer
from typer.testing import CliRunner

from tachograph.cli.mask import CharacterOffsets, explained, mask, masked_lines, pseudonym_key
from tachograph.processors.masking.errors import ConfigurationError
from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import load

SECRET = "ghp" + "_" + "q7Lp2vXz9RtB4mNcq7Lp2vXz9RtB4mNcAbCd"
RULES = load(strict=False)
MASKER = Masker(RULES, PseudonymKey("k1", bytes(32)))
app = typer.Typer()
app.command()(mask)


def test_jsonl_spans_are_character_offsets() -> None:
    """Multi-byte characters before and after a secret do not shift it."""
    text = f"grün 😀 {SECRET} ende ü"
    (answer,) = masked_lines(MASKER, io.BytesIO(orjson.dumps({"id": 7, "text": text}) + b"\n\n"))
    assert answer["id"] == 7
    ((span),) = answer["spans"]  # type: ignore[misc]  # a list of one
    assert text[span["start"] : span["end"]] == SECRET
    assert (span["type"], span["rule"]) == ("GITHUB_TOKEN", "github-token")
    assert str(answer["text"]).startswith("grün 😀 [GITHUB_TOKEN:k1.")


def test_a_bad_line_is_named() -> None:
    """Not a traceback, and not its content."""
    with pytest.raises(ConfigurationError, match="line 2: expected"):
        list(masked_lines(MASKER, io.BytesIO(b'{"id":1,"text":"a"}\n{"id":2}\n')))


def test_explain_says_why_and_never_what() -> None:
    """Place, type, size, rule and its description."""
    content = f"a\nkey {SECRET}".encode()
    (masked,) = MASKER.mask([Part("x", "text", content)])
    (line,) = explained(masked, content, RULES)
    assert line.startswith("2:5  GITHUB_TOKEN  40 bytes  github-token  GitHub token")
    assert SECRET not in line


def test_plain_mode_masks_standard_input() -> None:
    """One text in, one text out, and the reason on standard error when asked."""
    result = CliRunner().invoke(app, ["--explain"], input=f"use {SECRET}\n")
    assert result.exit_code == 0
    assert SECRET not in result.output
    assert "[GITHUB_TOKEN:run." in result.stdout
    assert "github-token" in result.stderr


def test_binary_input_is_refused() -> None:
    """Exit code 1 and the reason."""
    result = CliRunner().invoke(app, ["--jsonl"], input='{"id":1}\n')
    assert result.exit_code == 2
    assert "error: standard input, line 1" in result.stderr


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that two runs compare; a bad one is refused without being shown."""
    monkeypatch.setenv("TACHO_PSEUDONYM_KEY", "ab" * 32)
    assert pseudonym_key().of("T", b"x") == pseudonym_key().of("T", b"x")
    monkeypatch.setenv("TACHO_PSEUDONYM_KEY", "nothex")
    with pytest.raises(ConfigurationError, match="64 hex digits"):
        pseudonym_key()


def test_offsets_count_characters() -> None:
    """Continuation bytes are none."""
    place = CharacterOffsets("aü😀b".encode())
    assert [place[i] for i in (0, 1, 3, 7, 8)] == [0, 1, 2, 3, 4]
