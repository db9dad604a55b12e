"""What counts as a secret, and that none shows."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.credentials.errors import SecretUnreadable
from tachograph.credentials.secret import MAX_SECRET_BYTES, Secret, decoded

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


@pytest.mark.parametrize("data", ["s3cret", b"s3cret\n", " s3cret\r\n", b"\ts3cret"])
def test_white_space_around_a_secret_does_not_count(data: bytes | str) -> None:
    """Editors and `echo` leave a line feed."""
    assert decoded(data, "here") == "s3cret"


def test_a_certificate_has_many_lines() -> None:
    """PEM is the only secret that has."""
    assert decoded(PEM + "\n", "here") == PEM


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (" \r\n", "empty"),
        ("s3cret\r\ninjected: header", "one line"),
        ("s3cret\0", "printable"),
        ("s3cr\u00e9t", "printable ASCII"),
        ("s3cr\u00e9t".encode(), "printable ASCII"),
        ("\ufeffs3cret".encode(), "printable ASCII"),
        (PEM + "\n\x1b[2J", "PEM"),
        ("s3cret" + "x" * MAX_SECRET_BYTES, "at most"),
    ],
    ids=["nothing", "blank", "two lines", "NUL", "text", "UTF-8", "BOM", "escape in PEM", "huge"],
)
def test_what_is_no_secret_is_refused_without_showing_it(data: bytes | str, reason: str) -> None:
    """A header could not carry it, or it would become a second one."""
    with pytest.raises(SecretUnreadable, match=reason) as refusal:
        decoded(data, "file x")
    assert "s3cr" not in str(refusal.value)
    assert "file x" in str(refusal.value)


@given(st.binary(max_size=200))
def test_whatever_is_taken_is_safe_in_a_header(data: bytes) -> None:
    """No control character, nothing beyond ASCII, whatever came; PEM aside."""
    try:
        text = decoded(data, "here")
    except SecretUnreadable:
        return
    assert text == text.strip()
    assert text.isascii()
    assert text.isprintable() or text.startswith("-----BEGIN ")


def test_no_repr_shows_a_value() -> None:
    """Neither the current one nor those before it."""
    assert repr(Secret("s3cret", "version 2", ("older",))) == "Secret(version='version 2')"


_LOGGING = """
import logging, structlog, sys
from tachograph.{room}.logs import log_to_stderr
from tachograph.credentials.secret import Secret
log_to_stderr()

def inject(value, secret):
    headers = [("authorization", "Bearer " + value)]
    raise ValueError("expected a header, got none") from KeyError(len(headers))

secret = Secret("".join(["s3", "cret", "-value"]))
try:
    inject(secret.text, secret)
except ValueError:
    structlog.get_logger("ours").error("told", secret=secret, exc_info=True)
    logging.getLogger("theirs").exception("failed %r", secret)
inject(secret.text, secret)
"""


@pytest.mark.parametrize("room", ["ingress", "processors"])
def test_no_traceback_shows_what_variables_held(room: str) -> None:
    """Neither in a log line of ours, nor in a library's, nor where an exception ends the process."""
    done = subprocess.run(
        [sys.executable, "-c", _LOGGING.replace("{room}", room)], capture_output=True, text=True, check=False
    )
    assert "s3cret-value" not in done.stdout + done.stderr
    assert done.stderr.count("ValueError") >= 2, done.stderr
