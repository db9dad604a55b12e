"""The planted credentials: real formats, repeatable, and each said to be secret where it is."""

import base64
import json
import re
from random import Random

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tachograph.cli.demo.leaks import WINDOW
from tachograph.cli.demo.plant import facts, plant, upstream_credential
from tachograph.examples.facts import DEFAULTS

PLANTED = {item.name: item for item in plant(Random(7))}


def test_the_same_seed_plants_the_same() -> None:
    """A run can be repeated."""
    assert plant(Random(7)) == plant(Random(7))
    assert plant(Random(7)) != plant(Random(8))


def test_every_word_of_the_example_world_is_planted() -> None:
    """No placeholder stays one."""
    assert facts(plant(Random(1))).keys() == DEFAULTS.keys()


def test_the_formats_are_the_providers() -> None:
    """What a scanner would take for real."""
    forms = {
        "aws_key_id": r"AKIA[A-Z2-7]{16}",
        "github_token": r"ghp_[0-9A-Za-z]{36}",
        "slack_token": r"xoxb-\d{12}-\d{13}-[0-9A-Za-z]{24}",
        "stripe_key": r"sk_live_[0-9A-Za-z]{24}",
        "card": r"4\d{15}",
    }
    for name, form in forms.items():
        assert re.fullmatch(form, PLANTED[name].text), name
    assert re.fullmatch(r"sk-ant-api03-[\w-]{93}AA", upstream_credential(Random(1)).text)


def test_the_card_number_passes_its_check() -> None:
    """ISO/IEC 7812: the sum is a multiple of ten."""
    digits = [int(digit) for digit in reversed(PLANTED["card"].text)]
    total = sum(digits[0::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    assert total % 10 == 0


def test_the_private_key_is_one() -> None:
    """It loads; what all such keys have in common is not called secret."""
    pem = PLANTED["private_key"].text
    assert load_pem_private_key(pem.encode(), None)
    other = {item.name: item for item in plant(Random(8))}["private_key"].text
    assert not any(part[:WINDOW] in other for part in PLANTED["private_key"].secret)


def test_the_token_is_a_jwt_of_which_the_header_is_not_secret() -> None:
    """Anybody's JWT begins like this."""
    head, body, _ = PLANTED["jwt"].text.split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == "HS256"
    assert not any(part in head for part in PLANTED["jwt"].secret)
    assert json.loads(base64.urlsafe_b64decode(body + "=="))


def test_each_secret_part_is_long_enough_to_be_looked_for() -> None:
    """Shorter than one window it could be found by chance."""
    for item in PLANTED.values():
        assert all(len(part) >= WINDOW and part in item.text.replace("\n", "") for part in item.secret), item


def test_a_credential_is_not_shown() -> None:
    """`repr` names it only."""
    assert PLANTED["stripe_key"].text not in repr(PLANTED["stripe_key"])
