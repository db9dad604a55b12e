"""Headers: one JSON list of pairs, rewritten once so that every value's place is known.

Secret headers lose their value, but keep what says how they were used: the scheme of an Authorization, the
names of cookies and the attributes of a Set-Cookie. All other values are scanned like any text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.fields import Field, marker_type, normal_name
from tachograph.processors.masking.named import NamedValues
from tachograph.processors.masking.validators import has_digit
from tachograph.processors.masking.views import Range

# Only schemes that are known: of "s3cret x" the first word is no scheme.
_SCHEME = re.compile(
    rb"(?i)\A((?:basic|bearer|digest|negotiate|ntlm|kerberos|hoba|mutual|oauth2?|scram-sha-[0-9]+"
    rb"|vapid|dpop|gnap|privatetoken"
    rb"|concealed|token|api-?key|key|jwt|splunk|ssws|bot|hawk|mac|aws|aws4-hmac-sha256"
    rb"|goog4-rsa-sha256|signature|sharedkey"
    rb"|sharedkeylite|sharedaccesssignature|genie-?key|flyv1|zoho-oauthtoken|googlelogin"
    rb"|deepl-auth-key|user|client|custom|klaviyo-api-key))[ ]+(?=\S)"
)
# In JSON a quote is \\": a quoted value may hold semicolons.
_COOKIE = re.compile(rb'(?:\A|;)\s*(?:([^=;]*)=\s*)?(\\"(?:[^\\]|\\[^"])*\\"[^;]*|[^;]*)')
_ATTRIBUTES = frozenset({
    "path", "domain", "expires", "max_age", "secure", "httponly", "http_only", "samesite", "same_site",
    "priority",
    "partitioned", "version", "comment", "port", "discard",
})  # fmt: skip
_FOLDED = re.compile(rb",\s*[^=;,\s]+=\s*([^;]*)")
"""A second cookie in one Set-Cookie, as proxies join them."""
_UUID = re.compile(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_CLAIMS = ("x_tacho_", "x_claude_code_")
_TOKEN68 = re.compile(rb"(?:\A|,)\s*[A-Za-z][\w-]*[ ]+([^\s,=\"]{4,}=*)\s*(?=,|\Z)")
_PARAMETER = re.compile(rb'([\w*-]+)\s*=\s*(?:\\"((?:[^\\]|\\[^"])*)\\"|([^\s,"\\]+))')
_CHALLENGE = frozenset(
    {"nonce", "opaque", "nextnonce", "cnonce", "rspauth", "response", "a2", "salt", "data", "sid"}
)
_SUBPROTOCOL = re.compile(rb"[^\s,]+")
_BEARING = re.compile(
    rb"(?i)\A(?:.*[._-])?(?:bearer|access_token|token|authorization|auth|jwt|api-?key|apikey"
    rb"|secret|session|ticket)\Z"
)
_BORNE = re.compile(
    rb"(?i)\A(.*?(?:bearer\.authorization\.k8s\.io|bearer|token|auth(?:orization)?|key|secret|jwt"
    rb"|session|ticket)[.=:_-])(.{4,})\Z"
)
MIN_SUBPROTOCOL_SECRET = 16
_HARMLESS = frozenset({b"", b"null"})


@dataclass(frozen=True, slots=True)
class HeaderContent:
    """The canonical JSON, the pieces to read as header lines, and the values that are secret by name."""

    data: bytes
    lines: tuple[Range | bytes, ...]
    fields: tuple[Field, ...]


def parse(data: bytes, named: NamedValues) -> HeaderContent:
    """Read a JSON list of [name, value] pairs; Withheld("invalid-headers") for anything else."""
    try:
        pairs = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Withheld("invalid-headers") from None
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise Withheld("invalid-headers")
    out = [b"["]
    lines: list[Range | bytes] = []
    fields: list[Field] = []
    position = 1
    for index, (name, value) in enumerate(pairs):
        raw_name, raw_value = orjson.dumps(name), orjson.dumps(value)
        out.append((b",[" if index else b"[") + raw_name + b"," + raw_value + b"]")
        name_at = position + (2 if index else 1)
        value_at = name_at + len(raw_name) + 1
        position = value_at + len(raw_value) + 1
        inner = (value_at + 1, value_at + len(raw_value) - 1)
        # A header that is secret by name is read without its colon: no rule for cookies or
        # credentials in text is to cover the cookie names and the scheme that stay.
        secret = named.is_header(name)
        colon = b" is " if secret else b": "
        lines += [(name_at + 1, name_at + len(raw_name) - 1), colon, inner, b"\n"]
        if secret:
            fields += _secret_parts(name, raw_value[1:-1], inner[0])
    out.append(b"]")
    return HeaderContent(b"".join(out), tuple(lines), tuple(fields))


def _is_pair(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)


def _secret_parts(name: str, value: bytes, at: int) -> Iterator[Field]:
    """The secret stretches of a secret header's value, which begins at `at`."""
    plain = normal_name(name)
    base = plain.rstrip("0123456789").rstrip("_") if plain[-1:].isdigit() else plain
    if base.endswith(("set_cookie", "set_cookies")):
        yield from _cookies(name, value, at, setting=True)
    elif base.endswith(("cookie", "cookies")):
        yield from _cookies(name, value, at, setting=False)
    elif base.endswith("_authenticate"):
        yield from _challenges(name, value, at)
    elif plain.replace("_", "") == "secwebsocketprotocol":
        yield from _subprotocols(name, value, at)
    elif plain.startswith(_CLAIMS) and _UUID.fullmatch(value):
        return  # names a session and opens nothing
    elif value.strip() not in _HARMLESS:
        scheme = _SCHEME.match(value) if "authorization" in plain else None
        start = scheme.end() if scheme else 0
        yield Field(name, marker_type(name), at + start, at + len(value))


def _cookies(name: str, value: bytes, at: int, *, setting: bool) -> Iterator[Field]:
    # A cookie without a name is all value (RFC 6265bis 5.6).
    for count, match in enumerate(_COOKIE.finditer(value)):
        start, end = match.span(2)
        label = normal_name((match[1] or match[2]).decode("utf-8", "replace"))
        if setting and count and label in _ATTRIBUTES:
            folded = _FOLDED.search(value, start, end)
            if folded is None:
                continue
            start, end = folded.span(1)
        if value[start:end].strip():
            yield Field(name, "COOKIE", at + start, at + end)


def _challenges(name: str, value: bytes, at: int) -> Iterator[Field]:
    """What a challenge carries beside its words: tokens of Negotiate and NTLM, nonces (RFC 9110 11.6.1)."""
    for match in _TOKEN68.finditer(value):
        yield Field(name, "TOKEN", at + match.start(1), at + match.end(1))
    for match in _PARAMETER.finditer(value):
        label = normal_name(match[1].decode("utf-8", "replace"))
        group = 2 if match[2] is not None else 3
        if match[group] and (
            label in _CHALLENGE or any(word in label for word in ("token", "secret", "password"))
        ):
            yield Field(name, "TOKEN", at + match.start(group), at + match.end(group))


def _subprotocols(name: str, value: bytes, at: int) -> Iterator[Field]:
    """Browsers cannot set headers on a WebSocket, so tokens travel among the names of subprotocols."""
    bearing = False
    for match in _SUBPROTOCOL.finditer(value):
        item, start = match[0], match.start()
        borne = _BORNE.match(item)
        if borne and not bearing:
            start += borne.end(1)
        elif not (
            bearing or (len(item) >= MIN_SUBPROTOCOL_SECRET and has_digit(item) and item.lower() != item)
        ):
            bearing = bool(_BEARING.match(item))
            continue
        bearing = False
        yield Field(name, "TOKEN", at + start, at + match.end())
