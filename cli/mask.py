"""`tacho mask`: mask standard input offline, with the processors' rules.

Left out, unless `--strict` asks for them, are the rules for what only looks like a secret; the processors
always use those. Connections' own field names are not known here.

Plain mode reads all of standard input as one text. `--jsonl` reads `{"id", "text"}` a line and answers
`{"id", "text", "spans": [{"start", "end", "type", "rule"}]}`, offsets in characters of the input text.
Content that cannot be masked is withheld: `"text": null, "withheld": reason`, and the exit code is 1.
"""

import os
import secrets
import sys
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from tachograph.processors.masking.errors import ConfigurationError
from tachograph.processors.masking.masker import MaskedPart, Masker, Part
from tachograph.processors.masking.pseudonyms import PseudonymKey
from tachograph.processors.masking.ruleset import Ruleset, load

KEY_VARIABLE = "TACHO_PSEUDONYM_KEY"
EXIT_REFUSED = 1
EXIT_WRONG_USE = 2


def pseudonym_key() -> PseudonymKey:
    """The key (hex) of the environment, else one for this run only: then pseudonyms compare within one
    output.
    """
    given = os.environ.get(KEY_VARIABLE)
    if not given:
        return PseudonymKey("run", secrets.token_bytes(32))
    try:
        return PseudonymKey("env", bytes.fromhex(given))
    except ValueError:
        raise ConfigurationError(
            f"{KEY_VARIABLE}: expected at least 64 hex digits, got something else"
        ) from None


def character_offsets(content: bytes) -> "CharacterOffsets":
    """Byte offsets of UTF-8 content to character offsets."""
    return CharacterOffsets(content)


class CharacterOffsets:
    """How many characters come before a byte of one UTF-8 text."""

    def __init__(self, content: bytes) -> None:
        self._continuation = (
            [] if content.isascii() else [i for i, byte in enumerate(content) if byte & 0xC0 == 0x80]
        )

    def __getitem__(self, offset: int) -> int:
        return offset - bisect_left(self._continuation, offset)


def _spans(content: bytes, masked: MaskedPart) -> list[dict[str, object]]:
    place = CharacterOffsets(content)
    return [
        {"start": place[s.start], "end": place[s.end], "type": s.type, "rule": s.rule} for s in masked.spans
    ]


def _line(masker: Masker, number: int, line: bytes) -> dict[str, object]:
    """The answer to one line; raises ConfigurationError naming the line for anything else."""
    try:
        row = orjson.loads(line)
        text = row["text"].encode("utf-8", "surrogatepass")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(
            f'standard input, line {number}: expected {{"id", "text"}}, got other'
        ) from None
    (masked,) = masker.mask([Part("text", "text", text)])
    answer: dict[str, object] = {"id": row.get("id"), "text": None, "spans": _spans(text, masked)}
    if masked.data is None:
        return answer | {"withheld": masked.withheld}
    return answer | {"text": masked.data.decode()}


def masked_lines(masker: Masker, source: BinaryIO) -> Iterator[dict[str, object]]:
    """One answer for each line that is not blank."""
    for number, line in enumerate(source, 1):
        if line.strip():
            yield _line(masker, number, line)


def explained(masked: MaskedPart, content: bytes, ruleset: Ruleset) -> Iterator[str]:
    """Which rule masked what and why, a line each; never the value."""
    why = {rule.id: rule.description for rule in ruleset.rules}
    for span in masked.spans:
        line = content.count(b"\n", 0, span.start) + 1
        column = span.start - content.rfind(b"\n", 0, span.start)
        reason = why.get(
            span.rule, "the field rules name it secret" if span.rule.startswith("field:") else ""
        )
        yield f"{line}:{column}  {span.type}  {span.end - span.start} bytes  {span.rule}  {reason}".rstrip()


def _whole(masker: Masker, ruleset: Ruleset, *, explain: bool) -> int:
    content = sys.stdin.buffer.read()
    (masked,) = masker.mask([Part("stdin", "text", content)])
    if masked.data is None:
        typer.echo(f"withheld: {masked.withheld}", err=True)
        return EXIT_REFUSED
    sys.stdout.buffer.write(masked.data)
    sys.stdout.buffer.flush()
    if explain:
        for line in explained(masked, content, ruleset):
            typer.echo(line, err=True)
    return 0


def _jsonl(masker: Masker) -> int:
    refused = False
    for answer in masked_lines(masker, sys.stdin.buffer):
        refused |= answer["text"] is None
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()
    return EXIT_REFUSED if refused else 0


def mask(
    rules: Annotated[
        list[Path] | None,
        typer.Option(help="A rule file in gitleaks' TOML layout, on top of our pack; repeatable."),
    ] = None,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say on standard error which rule masked what.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Also what only looks like a secret, as the processors do.")
    ] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read {"id", "text"} a line, answer with spans.')
    ] = False,
) -> None:
    """Mask standard input offline: our rules but the strict ones (--strict: all, as the processors do)."""
    try:
        ruleset = load(rules or (), strict=strict)
        masker = Masker(ruleset, pseudonym_key())
        code = _jsonl(masker) if jsonl else _whole(masker, ruleset, explain=explain)
    except ConfigurationError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_WRONG_USE) from None
    raise typer.Exit(code)


if __name__ == "__main__":
    typer.run(mask)
