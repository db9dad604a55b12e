"""Every place where only its name makes a secret: formats, statements, command lines, headers, sentences.

In each text of places.json `§` stands for the secret; nothing of it may be left in the masked part. What once
leaked stays in that table.
"""

from pathlib import Path

import orjson
import pytest

from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import load

TABLE = orjson.loads((Path(__file__).parent / "places.json").read_bytes())
WORD, ODD, SPECIAL = "plumtree", "Zq9P!x4v", "Zq#7;pW$x9"
"""A word, a password, and one with every mark that a careless reader stops at."""
LOOSE = ("prose", "prompt")
"""Where a word can be any word of the sentence."""
QUOTED = ("csv", "yaml", "env", "json", "json-table", "xml", "ndjson", "headers", "multipart", "sql", "sse")
"""Where a format says where a value ends, whatever marks it holds."""
CLEAN = (
    "The password must be at least 12 characters, and the token expires after 44 minutes.",
    "Rotate the API key every 42 days; the secret is to keep it short.",
    "Enter the key on page 5 of the manual, then the pin of the card, please.",
    "def login(user: str, password: str, token: str | None = None) -> Session: ...",
    "SELECT token_count, key_id FROM usage WHERE org_id = 6708 AND created_at > '2026-01-14' LIMIT 448",
    '{"type":"object","properties":{"password":{"type":"string"}},"required":["user","password"],"x":[["a"]]}',
    '{"usage":{"input_tokens":12,"output_tokens":3},"max_tokens":100,"stop":[["a","b"]]}',
    "password: string\ntoken: <token>\nsecret: ${SECRET}\napi_key = os.environ['API_KEY']\n",
    "name, password and token are columns\nof the table\n",
    "- `--password-stdin` reads the password from standard input\n- use the --token flag or $TOKEN\n",
    "user,name,age\nbob,Bob,12\n",
    "<p>Forgot your password? <a href='/reset'>Reset it</a></p>",
    "kind: ConfigMap\ndata:\n  colour: blue\n",
)


@pytest.fixture(scope="module")
def masker() -> Masker:
    return Masker(load(), PseudonymKey("k1", bytes(range(32))))


def values(place: str) -> list[str]:
    if place == "number":
        return ["483920"]
    return [ODD, *([] if place in LOOSE else [WORD]), *([SPECIAL] if place in QUOTED else [])]


@pytest.mark.parametrize("place", TABLE)
def test_no_place_shows_its_secret(masker: Masker, place: str) -> None:
    """Masked, not withheld, and nothing of the secret is left."""
    row = TABLE[place]
    for text in row["texts"]:
        for value in values(place):
            (out,) = masker.mask([Part("p", row["kind"], text.replace("§", value).encode(), row["type"])])
            assert out.data is not None, (text, out.withheld)
            assert value.encode() not in out.data, (text, value)


@pytest.mark.parametrize("text", CLEAN)
def test_texts_about_secrets_stay_as_they_are(masker: Masker, text: str) -> None:
    """A sentence, a schema, a signature or a count is none."""
    (out,) = masker.mask([Part("p", "body", text.encode(), "text/plain")])
    assert out.data == text.encode()


def test_a_secret_column_says_nothing_of_its_neighbours(masker: Masker) -> None:
    """Cells of other columns stay."""
    text = b'id,password,note\n1,plumtree,"a, b"\n2,appletree,c\n'
    (out,) = masker.mask([Part("p", "body", text, "text/csv")])
    assert out.data is not None
    assert out.data.startswith(b"id,password,note\n1,[PASSWORD:")
    assert out.data.endswith(b",c\n")
    assert b'"a, b"' in out.data
