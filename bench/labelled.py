"""Labelled texts of our own, from a seed: secrets and personal data where they stand, and what looks alike.

One row: {"id", "text", "secrets": [[start, end, type]]}, offsets in characters.

Formats are the providers' public ones; no text is taken from anywhere.
"""

import base64
import json
import random
import uuid
from collections.abc import Iterator

from tachograph.processors.masking.samples import filled

SECRETS = {
    "GITHUB": "ghp_{alnum:36}",
    "ANTHROPIC": "sk-ant-api03-{b64url:93}AA",
    "AWS": "AKIA{b32:16}",
    "GITLAB": "glpat-{alnum:20}",
    "STRIPE": "sk_live_{alnum:24}",
    "SLACK": "xoxb-{digits:12}-{digits:12}-{alnum:24}",
    "HUGGINGFACE": "hf_{alpha:34}",
    "NPM": "npm_{alnum:36}",
    "JWT": "{jwt}",
    "DIGITALOCEAN": "dop_v1_{hex:64}",
    "PASSWORD": "{alnum:14}",
}
CONTEXTS = {
    "json": '{{"id": 7, "{name}": "{value}", "ok": true}}',
    "env": "export {upper}={value}\nexport LANG=C",
    "yaml": "service:\n  {name}: {value}\n  port: 8080",
    "code": '{name} = "{value}"\nprint("done")',
    "query": "GET /v1/items?page=2&{name}={value}&sort=asc HTTP/1.1",
    "log": '2026-01-02 INFO config loaded {name}="{value}" in 12 ms',
    "json in json": '{{"arguments": "{{\\"{name}\\": \\"{value}\\"}}"}}',
}
NAMES = {"PASSWORD": "password"}
PERSONAL = ("EMAIL", "CREDIT_CARD", "IBAN")
_WORDS = [
    "the",
    "order",
    "was",
    "sent",
    "to",
    "them",
    "on",
    "time",
    "and",
    "nobody",
    "asked",
    "for",
    "a",
    "token",
    "or",
    "a",
    "key",
    "to",
    "it",
]


def luhn(digits: str) -> str:
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def iban(country: str, account: str) -> str:
    number = "".join(str(int(letter, 36)) for letter in account + country + "00")
    return f"{country}{98 - int(number) % 97:02d}{account}"


def personal(kind: str, source: random.Random) -> str:
    digits = "".join(source.choices("0123456789", k=18))
    if kind == "EMAIL":
        return f"{filled('{alpha:7}', source.randrange(1 << 30)).lower()}@mail-{digits[:3]}.net"
    return luhn("4" + digits[:14]) if kind == "CREDIT_CARD" else iban("DE", digits)


def clean(source: random.Random) -> str:
    """What a careless rule takes for a secret."""
    digest = f"{source.getrandbits(160):040x}"
    return source.choice((
        f'{{"id": "{uuid.UUID(int=source.getrandbits(128), version=4)}", "max_tokens": 4096}}',
        f"commit {digest}\nAuthor: nobody",
        f"sha256:{source.getrandbits(256):064x}",
        " ".join(source.choices(_WORDS, k=20)),
        '{"password": {"type": "string", "description": "of the account"}}',
        "export API_KEY=${API_KEY}\nexport TOKEN=<your-token>",
        f"order 2026-{source.randrange(10**9)}: 12 pieces, 2026-01-02T10:11:12Z",
        base64.b64encode(source.randbytes(60)).decode() + " image data",
        "password = os.environ['DB_PASSWORD']",
    ))  # fmt: skip


def rows(count: int, seed: int = 1) -> Iterator[dict[str, object]]:
    """A third of them clean."""
    source = random.Random(seed)
    for number in range(count):
        kind = source.choice((*SECRETS, *PERSONAL)) if number % 3 else ""
        text, labels = clean(source), []
        if kind:
            value = (
                filled(SECRETS[kind], source.randrange(1 << 30))
                if kind in SECRETS
                else personal(kind, source)
            )
            name = NAMES.get(kind, "api_key" if kind in SECRETS else "contact")
            shape = source.choice(list(CONTEXTS.values()))
            text = f"{text}\n{shape.format(name=name, upper=name.upper(), value=value)}"
            at = text.rindex(value)
            labels = [[at, at + len(value), kind]]
        yield {"id": str(number), "text": text, "secrets": labels}


def score(labelled: list[dict[str, object]], found: dict[str, list[tuple[int, int]]]) -> dict[str, float]:
    """Recall (one span covers the secret), precision (a span touches one), clean texts touched."""
    total = hit = spans = right = clean_rows = touched = 0
    for row in labelled:
        places = found.get(str(row["id"]), [])
        secrets: list[tuple[int, int, str]] = row["secrets"]  # type: ignore[assignment]  # as `rows` has it
        spans += len(places)
        right += sum(any(a < e and b > s for s, e, _ in secrets) for a, b in places)
        total += len(secrets)
        hit += sum(any(a <= s and e <= b for a, b in places) for s, e, _ in secrets)
        clean_rows += not secrets
        touched += bool(places and not secrets)
    return {
        "recall": round(hit / max(1, total), 4),
        "recall_secrets": _recall(labelled, found, personal_data=False),
        "recall_personal": _recall(labelled, found, personal_data=True),
        "precision": round(right / max(1, spans), 4),
        "clean_touched": round(touched / max(1, clean_rows), 4),
    }


def _recall(
    labelled: list[dict[str, object]], found: dict[str, list[tuple[int, int]]], *, personal_data: bool
) -> float:
    hits = []
    for row in labelled:
        secrets: list[tuple[int, int, str]] = row["secrets"]  # type: ignore[assignment]  # as `rows` has it
        places = found.get(str(row["id"]), [])
        hits += [
            any(a <= s and e <= b for a, b in places)
            for s, e, kind in secrets
            if (kind in PERSONAL) is personal_data
        ]
    return round(sum(hits) / max(1, len(hits)), 4)


if __name__ == "__main__":
    for row in rows(900):
        print(json.dumps(row))
