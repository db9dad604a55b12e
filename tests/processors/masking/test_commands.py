"""Options that take a secret are known by their program."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.commands import Commands
from tachograph.processors.masking.fields import DEFAULT_FIELDS, FieldMatcher

HINTS = rb"pass|secret|token|key|pin|credential"
FINDER = Commands(HINTS, FieldMatcher(DEFAULT_FIELDS).keys.match)


def found(text: str) -> list[str]:
    data = text.encode()
    return [data[f.start : f.end].decode() for f in FINDER.find(data)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("sshpass -p plum ssh h", ["plum"]),
        ("curl -s -u bob:plum https://x", ["plum"]),
        ("mysql -u root -pplum db", ["plum"]),
        ('["redis-cli", "-a", "plum"]', ["plum"]),
        ("echo plum | sudo -S ls", ["plum"]),
        ("tool --password=plum", ["plum"]),
        ("cp -p a b", []),
        ("use the --token flag", []),
    ],
)
def test_commands(text: str, values: list[str]) -> None:
    """Glued, quoted, in lists of arguments; other programs' options stay."""
    assert found(text) == values


@given(st.text(alphabet="curl -u:pasword=\"'\n|x1", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """No text raises, and what is found lies in it."""
    data = text.encode()
    assert all(0 <= f.start < f.end <= len(data) for f in FINDER.find(data))
