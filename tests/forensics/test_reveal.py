"""A proof is one only with its document."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.errors import NotProven, OperatorError
from tachograph.forensics.reveal import Proof, proof_of, session_of
from tachograph.schemas.commitments import removed_block, value_salt

KEY, UID = b"k" * 32, "11111111-1111-5111-8111-111111111111"
SALT = value_salt(KEY, UID, 1)


def document(*values: bytes) -> dict[str, Any]:
    removed = removed_block([("TOKEN", None, value) for value in values], KEY, UID)
    return {"unmapped": {"tacho": {"uid": UID, "session": "s"} | removed}}


@given(st.binary())
def test_a_value_with_its_salt_is_proven_to_anybody(value: bytes) -> None:
    """Whatever its bytes are, by the file alone."""
    proof = proof_of(document(b"other", value), 1, SALT, value)
    again = Proof.decode(proof.model_dump_json().encode(), file="p")
    again.check(document(b"other", value))
    assert (again.plain, again.type) == (value, "TOKEN")


@pytest.mark.parametrize(
    ("index", "salt", "value"),
    [
        (1, SALT, b"SECRET"),
        (0, SALT, b"secret"),
        (1, bytes(32), b"secret"),
        (2, SALT, b"secret"),
        (-1, SALT, b""),
    ],
)
def test_what_the_document_does_not_say_is_not_proven(index: int, salt: bytes, value: bytes) -> None:
    """Another value, salt or place; and no error shows a value."""
    with pytest.raises(NotProven) as error:
        proof_of(document(b"other", b"secret"), index, salt, value)
    assert "secret" not in str(error.value).lower()


@pytest.mark.parametrize("change", [{"type": "PASSWORD"}, {"commit": "0" * 64}, {"uid": UID[:-1] + "2"}])
def test_a_proof_that_says_something_else_is_none(change: dict[str, str]) -> None:
    """Its other fields count too."""
    proof = proof_of(document(b"other", b"secret"), 1, SALT, b"secret")
    with pytest.raises(NotProven, match="names another"):
        Proof.model_validate(proof.model_dump() | change).check(document(b"other", b"secret"))


@pytest.mark.parametrize("value", [{}, {"unmapped": 1}, {"unmapped": {"tacho": {"removed": [3]}}}])
def test_documents_of_another_form_prove_nothing(value: dict[str, Any]) -> None:
    """They are a verdict, not a traceback."""
    with pytest.raises(NotProven):
        proof_of(value, 0, SALT, b"")


def test_a_file_that_is_no_proof_is_said() -> None:
    """Without a word of what is in it."""
    good = orjson.loads(proof_of(document(b"other", b"x"), 1, SALT, b"x").model_dump_json())
    for bad in (b"", b"{}", orjson.dumps(good | {"value": "secret!"}), orjson.dumps(good | {"v": 2})):
        with pytest.raises(OperatorError, match="not a proof") as error:
            Proof.decode(bad, file="p")
        assert "secret" not in str(error.value)


def test_a_documents_session_is_told() -> None:
    """For the record of the access."""
    assert session_of(document()) == "s"
