"""In a program's source a word under a secret's name is one of the program; elsewhere it is a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.fields import Field
from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.programs import Program
from tachograph.processors.masking.ruleset import load

PYTHON = """import os

def render(state, §):
    if state.level:
        return None
    %s
    return state
"""
SCRIPT = """const state = load()
function render(user) {
  if (user.name) {
    return user.name;
  }
  %s
}
"""
WORDS = (
    'token = state.push("link_open", "a", 1)',
    'if token == "fieldset_open": pass',
    '_SEND_MESSAGE_TOKEN = "send_message"',
    "auth_token = self.lexer",
    "password = credentials",
    "user, password = credentials, password",
    "client.login(user, passwd, credentials)",
)
VALUES = (
    ('password = "plumtree"', "plumtree"),
    ("client_secret = 'plumtree'", "plumtree"),
    ('token = "9f2c81d0e7a4"', "9f2c81d0e7a4"),
    ("DB_PASSWORD=plumtree", "plumtree"),
    ('api_key = "zQpLmWxRtYvBnKsD"', "zQpLmWxRtYvBnKsD"),
)


@pytest.fixture(scope="module")
def masker() -> Masker:
    return Masker(load(), PseudonymKey("k1", bytes(range(32))))


def masked(masker: Masker, text: str) -> str:
    (out,) = masker.mask([Part("p", "body", text.encode(), "text/plain")])
    assert out.data is not None
    return out.data.decode()


@pytest.mark.parametrize("line", WORDS)
@pytest.mark.parametrize("source", [PYTHON, SCRIPT], ids=["python", "javascript"])
def test_words_of_a_program_stay(masker: Masker, source: str, line: str) -> None:
    """States, kinds, names and calls are no values, and are looked for nowhere."""
    text = source % line
    assert masked(masker, text) == text


@pytest.mark.parametrize(("line", "value"), VALUES)
@pytest.mark.parametrize("source", [PYTHON, SCRIPT], ids=["python", "javascript"])
def test_values_in_a_program_are_masked(masker: Masker, source: str, line: str, value: str) -> None:
    """A quoted password may be any word; any other key is told by its form."""
    assert value not in masked(masker, source % line)


@pytest.mark.parametrize(
    "line", ['password = "sunny"', 'token = "plumtree"', "secret: plumtree", "PASSWORD=sunny"]
)
def test_settings_are_no_program(masker: Masker, line: str) -> None:
    """In a configuration file every value counts."""
    value = line.strip('"').rpartition('"')[2].rpartition(" ")[2].rpartition("=")[2]
    assert value not in masked(masker, f"# settings\nport = 12\n{line}\nname = x\n")


def test_one_line_makes_no_program() -> None:
    """A sentence may begin as a statement does."""
    assert not Program(b"return to sender\nimport os\n").is_source(0)
    assert Program(b"import os\nimport sys\n").is_source(0)


def test_lines_are_looked_at_once_a_block() -> None:
    """However many values stand there."""
    program = Program(b"token = 'a'\n" * 10_000)
    for at in range(0, 120_000, 12):
        program.is_source(at)
    assert len(program._blocks) <= 120_000 // 512 + 1


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_any_text_can_be_asked_about(text: bytes, one: int, two: int) -> None:
    """No text and no place raises."""
    low, high = sorted((min(one, len(text)), min(two, len(text))))
    Program(text).is_word(Field("token", "TOKEN", low, high))
