"""Whose keys are believed: those of a policy file, or those of the deployment, read from its key files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tachograph.cli.errors import WrongUse
from tachograph.cli.evidence.deletion_key import deletion_signer
from tachograph.cli.patient_file import read_at_most
from tachograph.schemas.heartbeat import gateway_name

if TYPE_CHECKING:
    from tachograph.cli.settings import Settings
    from tachograph.forensics.verify.policy import TrustPolicy
    from tachograph.schemas.note import NoteSigner

__all__ = ["own_policy", "read_policy", "signing"]


def own_policy(told: Settings) -> dict[str, Any]:
    """What the deployment itself signs with: logs, gateways, deletions; nobody who exports."""
    return {
        "version": 1,
        "logs": [{"key": key} for key in _log_keys(told, told.configuration.kafka.partitions)],
        "exporters": [],
        **_gateways(told),
        "deletions": _deleters(told),
    }


def read_policy(path: Path) -> TrustPolicy:
    """A policy file; raises `WrongUse`, or the `OperatorError` of whoever parses it."""
    from tachograph.forensics.verify.policy import MAX_POLICY_BYTES, TrustPolicy

    try:
        text = read_at_most(path, MAX_POLICY_BYTES + 1).decode()
    except OSError as error:
        raise WrongUse(f"{path}: cannot be read ({error.strerror}); `tacho trust` prints a policy") from None
    except UnicodeDecodeError:
        raise WrongUse(f"{path}: expected UTF-8 text") from None
    return TrustPolicy.parse(text, file=str(path))


def signing(name: str, file: Path) -> NoteSigner:
    """Whoever holds this key file, under this name."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tachograph.processors.keyfile import read_key
    from tachograph.schemas.note import NoteSigner

    return NoteSigner(name, Ed25519PrivateKey.from_private_bytes(read_key(file)))


def _deleters(told: Settings) -> list[dict[str, str]]:
    """Nobody where there is no key: a deployment that never deletes needs none."""
    there = (told.base / told.configuration.keys.deletion_file).exists()
    return [{"key": str(deletion_signer(told).key)}] if there else []


def _gateways(told: Settings) -> dict[str, Any]:
    """Nothing where no gateway signs: then heartbeats cannot be asked for."""
    file = told.base / told.configuration.keys.signing_file
    if not file.exists():
        return {}
    name = gateway_name(told.configuration.kafka.topic_prefix)
    return {"gateways": [{"key": str(signing(name, file).key)}]}


def _log_keys(told: Settings, partitions: int) -> list[str]:
    from tachograph.processors.sealing.worker import origin_of, signer_of

    signers = signer_of(told.base / told.configuration.keys.log_file)
    sealing, topics = told.configuration.sealing, told.configuration.kafka.topics
    return [str(signers(origin_of(sealing, topics, number)).key) for number in range(partitions)]
