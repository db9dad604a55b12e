"""`tacho escrow keygen|open` and `tacho reveal`: two holders together prove one removed value; each opening
is an access that Kafka has acknowledged before anything is shown.
"""

from __future__ import annotations

import base64
import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tachograph.cli import settings
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.escrow.files import new_file, read_file, write_new
from tachograph.cli.output import note
from tachograph.cli.settings import ConfigOption
from tachograph.console.views import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from tachograph.cli.settings import Settings
    from tachograph.forensics.reveal import Proof
    from tachograph.forensics.verify.report import Report
    from tachograph.schemas.escrow import EscrowRecord, Share

__all__ = ["register"]

_PANEL = "Evidence"
SEED_BYTES = 32
MAX_SHARE_BYTES = 4096
MAX_TYPE = 64
"""Characters of a value's type in what is recorded."""
UidArgument = Annotated[str, typer.Argument(metavar="UID", help="The document's uid.")]
IndexArgument = Annotated[int, typer.Argument(min=0, metavar="INDEX", help="Its place in `removed`, from 0.")]
TrustOption = Annotated[
    Path | None, typer.Option("--trust", metavar="FILE", help="With --bundle: whose bundles are believed.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="The escrow of removed values: its holders' side.")
    group.command("keygen")(keygen)
    group.command("open")(open_)
    app.add_typer(group, name="escrow", rich_help_panel=_PANEL)
    app.command("reveal", rich_help_panel=_PANEL)(reveal)


def keygen(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The private key; a new file.")],
) -> None:
    """Make a holder's key pair: the private key into a file of its own, the public one is printed."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from tachograph.schemas.escrow import holder_id, public_text

    seed = os.urandom(SEED_BYTES)
    public = X25519PrivateKey.from_private_bytes(seed).public_key()
    write_new(out, base64.b64encode(seed) + b"\n")
    typer.echo(public_text(public))
    note(f"{out}: made, of holder {holder_id(public)}. Keep it away from the other holder's, and a copy.")


def open_(
    uid: UidArgument,
    index: IndexArgument,
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The holder's private key.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The share; a new file.")],
    config: ConfigOption = None,
) -> None:
    """Open one holder's share of one value; it is worth nothing without the other's. This is recorded."""
    told, name = settings.load(config), _uid(uid)
    from tachograph.cli.escrow.lookup import escrowed
    from tachograph.schemas.escrow import open_share

    new_file(out)
    record = escrowed(told, name, index)
    share = open_share(record, index, _private(key))
    _record(told, record.session, f"holder {share.holder} opened a share of value {index} of {name}")
    write_new(out, share.model_dump_json().encode() + b"\n")
    note(f"{out}: the share of holder {share.holder} for value {index} of {name}.")


def reveal(  # noqa: PLR0913, PLR0917  each is an option
    uid: Annotated[str | None, typer.Argument(metavar="UID", help="The document's uid.")] = None,
    index: Annotated[
        int | None, typer.Argument(min=0, metavar="INDEX", help="Its place in `removed`, from 0.")
    ] = None,
    share_of: Annotated[
        list[Path] | None,
        typer.Option("--share-of", metavar="FILE", help="A holder's private key. Once for each holder."),
    ] = None,
    share: Annotated[
        list[Path] | None,
        typer.Option("--share", metavar="FILE", help="In its place, a share from `tacho escrow open`."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="The value's bytes; a new file.")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE", help="What proves it to others; a new file.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Check such a proof; needs --bundle.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="FILE", help="Take the document from a bundle.")
    ] = None,
    trust: TrustOption = None,
    config: ConfigOption = None,
) -> None:
    """Show one value that masking removed, and prove it by the document's commitment. This is recorded.

    Without --output the value goes to the terminal, and nowhere else.
    """
    if check is not None:
        _check(check, bundle, trust)
        return
    if uid is None or index is None:
        raise WrongUse("name a document and a value: tacho reveal UID INDEX; or tacho reveal --check FILE")
    if not (output or proof or sys.stdout.isatty()):
        raise WrongUse("standard output is no terminal: say --output FILE for the value, or --proof FILE")
    for file in (output, proof):
        new_file(file)
    told = settings.load(config)
    found, report = _revealed(told, _uid(uid), index, ((share_of or []), (share or [])), (bundle, trust))
    if proof is not None:
        write_new(proof, found.model_dump_json().encode() + b"\n")
    if output is not None:
        write_new(output, found.plain)
    elif sys.stdout.isatty():
        typer.echo(visible(found.plain.decode("utf-8", "backslashreplace")))
    _judged(f"value {index} of {found.uid}, a {found.type}. The access is recorded.", report)


def _revealed(
    told: Settings,
    uid: str,
    index: int,
    given: tuple[list[Path], list[Path]],
    source: tuple[Path | None, Path | None],
) -> tuple[Proof, Report | None]:
    """The value as the document commits to it, recorded before it is given back; what its bundle is worth."""
    from tachograph.cli.escrow.lookup import bundled, escrowed, stored
    from tachograph.forensics.reveal import proof_of
    from tachograph.schemas.escrow import HOLDERS, open_share, open_value

    keys, files = given
    if len(keys) + len(files) != HOLDERS:
        raise WrongUse("both holders are needed: one --share-of or --share for each")
    shares = [_share(file) for file in files]
    private = [_private(file) for file in keys]
    bundle, trust = source
    document: Mapping[str, Any]
    document, report = bundled(bundle, trust, uid) if bundle else (stored(told, uid), None)
    record: EscrowRecord = escrowed(told, uid, index)
    shares += [open_share(record, index, key) for key in private]
    if {item.index for item in shares} != {index}:
        raise Refused(f"the shares are not of value {index}: open them again")
    proof = proof_of(document, index, *open_value(record, shares))
    holders = " and ".join(sorted(item.holder for item in shares))
    how = f"value {index} of {uid}, a {proof.type[:MAX_TYPE]}, by holders {holders}"
    if report is not None:
        how += f", from a bundle that is {report.verdict.word}"
    _record(told, _session(document), how)
    return proof, report


def _judged(text: str, report: Report | None) -> None:
    """Say what fits, and whether that is proven; ends with the exit code of a bundle's verdict."""
    from tachograph.forensics.verdict import Verdict

    code = 0 if report is None else report.verdict.code
    doubtful = Verdict.REDUCED.code < code < Verdict.SESSION_MISSING.code
    note(f"{'Fits, and is not proven' if doubtful else 'Proven'}: {text}")
    if report is not None:
        note(f"The bundle: {report.verdict.word}, {report.verdict.meaning}.")
        raise typer.Exit(code)


def _check(file: Path, bundle: Path | None, trust: Path | None) -> None:
    from tachograph.cli.escrow.lookup import bundled
    from tachograph.forensics.reveal import MAX_PROOF_BYTES, Proof

    if bundle is None:
        raise WrongUse("--check needs --bundle FILE, which has the document, and --trust FILE")
    proof = Proof.decode(read_file(file, most=MAX_PROOF_BYTES), file=str(file))
    document, report = bundled(bundle, trust, proof.uid)
    proof.check(document)
    _judged(f"value {proof.index} of {proof.uid}, a {proof.type} of {len(proof.plain)} bytes.", report)


def _record(told: Settings, session: str, how: str) -> None:
    from tachograph.cli.replay.access import record_access

    record_access(told, session, action="reveal", how=how)


def _session(document: Mapping[str, Any]) -> str:
    from tachograph.forensics.reveal import session_of

    try:
        return str(uuid.UUID(session_of(document)))
    except ValueError:
        raise Refused("the document names no session that the access could be recorded in") from None


def _private(file: Path) -> X25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from tachograph.processors.keyfile import read_key

    return X25519PrivateKey.from_private_bytes(read_key(file))


def _share(file: Path) -> Share:
    from tachograph.schemas.errors import MalformedRecord
    from tachograph.schemas.escrow import Share

    try:
        return Share.decode(read_file(file, most=MAX_SHARE_BYTES))
    except MalformedRecord as error:
        raise WrongUse(f"{file}: {error}") from None


def _uid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise WrongUse(f"expected a document's uid, got {text[:40]!r}: `tacho search` shows them") from None
