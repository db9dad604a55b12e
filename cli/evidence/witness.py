"""`tacho witness FILE`: cosign checkpoints of other teams' logs, with a configuration and key of its own."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tachograph.cli.errors import WrongUse
from tachograph.cli.output import note, ready
from tachograph.cli.patient_file import read_at_most

if TYPE_CHECKING:
    from tachograph.schemas.note import NoteSigner
    from tachograph.schemas.witness_settings import WitnessConfiguration

__all__ = ["register"]

SEED_BYTES = 32
_OWNER_ONLY = 0o600
_EXAMPLE = """a file such as

name: witness.example.org/1          # of your own, for ever
listen: {host: 0.0.0.0, port: 8089}
logs:                                # from those whose logs you watch: `tacho trust`, under `logs`
- tachograph/tacho/0+0a1b2c3d+...

makes a witness; see docs/evidence.md"""


def register(app: typer.Typer, *, panel: str) -> None:
    """Add the command."""
    app.command("witness", rich_help_panel=panel)(witness)


def witness(
    file: Annotated[Path, typer.Argument(help="Its configuration: name, logs, listen, key_file, state.")],
    key: Annotated[bool, typer.Option("--key", help="Only print its verifier key, and end.")] = False,
) -> None:
    """Watch other teams' logs: cosign their checkpoints as long as they only ever grow (C2SP tlog-witness).

    Needs no Kafka. Makes its key at the first start, and prints `ready {json}` with it when it serves.
    """
    settings = _load(file)
    signer = _signer(settings, file.absolute().parent)
    if key:
        typer.echo(str(signer.key))
        return
    from tachograph.credentials.process import keep_memory_private
    from tachograph.forensics.witness import serve

    keep_memory_private()
    serve.run(settings, base=file.absolute().parent, signer=signer, on_ready=ready)


def _load(file: Path) -> WitnessConfiguration:
    from tachograph.schemas.document import MAX_CONFIG_BYTES, load_model
    from tachograph.schemas.witness_settings import WitnessConfiguration

    try:
        text = read_at_most(file, MAX_CONFIG_BYTES + 1).decode()
    except OSError as error:
        raise WrongUse(f"{file}: cannot be read ({error.strerror}); {_EXAMPLE}") from None
    except UnicodeDecodeError:
        raise WrongUse(f"{file}: expected UTF-8 text") from None
    return load_model(text, WitnessConfiguration, file=str(file))


def _signer(settings: WitnessConfiguration, base: Path) -> NoteSigner:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tachograph.processors.keyfile import read_key
    from tachograph.schemas.note import NoteSigner, SignatureKind

    path = base / settings.key_file
    if not path.exists():
        _make_key(path, state=base / settings.state)
    private = Ed25519PrivateKey.from_private_bytes(read_key(path))
    return NoteSigner(settings.name, private, SignatureKind.COSIGNATURE)


def _make_key(path: Path, *, state: Path) -> None:
    if any(state.glob("*.checkpoint")):
        raise WrongUse(
            f"{path}: is not there, and {state} has what was cosigned with it: restore it, or name another"
            " `state` and be another witness"
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(number, "wb") as file:
            file.write(base64.b64encode(os.urandom(SEED_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise WrongUse(f"{path}: cannot be made ({error.strerror}); see `key_file`") from None
    note(f"{path}: made. Keep a copy: whoever trusts this witness trusts this key.")
