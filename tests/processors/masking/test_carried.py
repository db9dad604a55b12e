"""What one record of an exchange found is masked in the next, under the same name; words are left alone."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking import carried as module
from tachograph.processors.masking.carried import NOTHING, Carried, carried, carries
from tachograph.processors.masking.findings import Finding
from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import Ruleset

SECRET = b"Zq9Pfoo77"
MASKER = Masker(Ruleset((), ()), PseudonymKey("k1", b"k" * 32), prefilter=False)


def finding(value: bytes, kind: str = "PASSWORD") -> Finding:
    return Finding("field:x", kind, 60, ((0, len(value)),), value)


def told(body: bytes, known: Carried, kind: str = "text/plain") -> bytes | None:
    return MASKER.mask_with([Part("body", "body", body, kind)], known).parts[0].data


def known() -> Carried:
    body = orjson.dumps({"password": SECRET.decode(), "user": "joe"})
    return MASKER.mask_with([Part("body", "body", body, "application/json")], NOTHING).found


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        SECRET.hex().encode(),
        base64.b64encode(b"user:" + SECRET),
        b"%5A" + SECRET[1:],
        b'{"said":"\\u005aq9Pfoo77"}',
        orjson.dumps({"said": orjson.dumps({"it": SECRET.decode()}).decode()}),
    ],
)
def test_a_value_of_the_request_is_masked_in_the_prose_of_its_answer(spelling: bytes) -> None:
    """In every spelling, under the pseudonym that the request has."""
    marker = MASKER.mask([Part("b", "json", b'{"password":"%s"}' % SECRET)])[0].data
    assert marker is not None
    shown = told(b"I set " + spelling + b" for you", known())
    assert shown is not None
    assert orjson.loads(marker)["password"].encode() in shown
    assert told(b"I set " + SECRET + b" for you", NOTHING) == b"I set " + SECRET + b" for you"


def test_the_password_in_basic_credentials_is_carried_too() -> None:
    """The answer that greets the user by it shows it without its user name."""
    coded = base64.b64encode(b"joe:" + SECRET).decode()
    head = Part("headers", "headers", orjson.dumps([["authorization", f"Basic {coded}"]]))
    found = MASKER.mask_with([head], NOTHING).found
    shown = told(b"hello " + SECRET, found)
    assert shown is not None
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("PASSWORD", b"sunshine", True),
        ("PASSWORD", b"abc12", False),
        ("SECRET", b"Johnson", True),
        ("SECRET", b"include", False),
        ("COOKIE", b"english", False),
        ("COOKIE", b"dark-blue", False),
        ("COOKIE", b"en-US,en;q=0.8", False),
        ("COOKIE", b"Ab3dE6gHi9", True),
        ("TOKEN", b"qzkfjwpxmvtrabcd", True),
        ("API_KEY", b"1234", False),
        ("API_KEY", b"1234567", False),
        ("CREDIT_CARD", b"4242424242424242", True),
        ("EMAIL", b"joe@example.com", True),
        ("AUTHORIZATION", b"[gateway-credential]", False),
    ],
)
def test_what_says_enough_to_be_looked_for(kind: str, value: bytes, said: bool) -> None:
    """Words and short numbers only where a name says that they are secret."""
    assert carries(kind, value) is said


def test_too_many_values_are_refused_and_not_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by bytes; what is refused holds none of them."""
    many = [finding(b"value-%06d" % number) for number in range(20)]
    assert len(carried(many).secrets) == 20
    monkeypatch.setattr(module, "MAX_SECRETS", 19)
    assert carried(many) == Carried(refused="propagation-limit")
    monkeypatch.setattr(module, "MAX_SECRETS", 20)
    monkeypatch.setattr(module, "MAX_BYTES", carried(many).size - 1)
    assert carried(many) == Carried(refused="propagation-limit")


@given(st.lists(st.binary(min_size=6, max_size=20)), st.randoms(use_true_random=False))
def test_the_order_of_findings_does_not_show(values: list[bytes], rng: object) -> None:
    """Every run carries the same, whatever found it first."""
    findings = [finding(value) for value in values]
    shuffled = list(findings)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert carried(findings) == carried(shuffled)


def test_no_value_is_in_a_repr() -> None:
    """They live in memory only."""
    found = known()
    assert found.secrets
    assert found.size >= len(SECRET)
    assert SECRET.decode() not in repr(found) + repr(found.secrets[0])
