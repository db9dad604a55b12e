"""Field rules: names whose values are secret whatever they look like. What matches by name needs no pattern.

Names are compared in one spelling: lower case, Latin letters without their accents, words joined by `_`
(`X-Api-Key`, `xApiKey` and `x_api_key` are one name). Capitals may divide words or not: `X-JFrog-Art-Api` is
`x_j_frog_art_api` and `x_jfrog_art_api`, and either counts. A rule may hold `*`; the first rule list that
knows a name decides.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_JOINT = re.compile(r"[^a-z0-9]+")
_ANY_JOINT = re.compile(r"[\W_]+")
_UNDIVIDED = str.maketrans({"ł": "l", "đ": "d", "ø": "o", "ß": "ss", "ı": "i", "æ": "ae"})
"""Latin letters that Unicode does not take apart."""
_NUMBERED = re.compile(r"_?v?[0-9]{1,4}\Z")
MIN_NUMBERED = 5
"""Shorter names with a number behind them are something else: pin2, pan1."""
MAX_NAME = 128
"""Longer names are content, not names."""

_PARTS = re.compile(r"[^\W_]+")
_WORD = re.compile(
    r"[A-Z]{1,14}[0-9]{0,4}|[A-Z]{0,4}[a-z]{2,20}(?:[A-Z]{1,4}[a-z]{2,20}){0,5}[A-Z]{0,4}[0-9]{0,4}"
    r"|[a-z][0-9]{0,4}|[0-9]{1,4}"
)
MAX_WORD = 32

_ELSEWHERE = (
    "contraseña", "contrasenya", "hasło", "lösenord", "passord", "adgangskode", "salasana", "heslo", "jelszó",
    "şifre", "parolă", "mật_khẩu", "пароль", "κωδικός", "סיסמה", "كلمة_المرور", "كلمة_السر", "رمز_عبور",
    "पासवर्ड", "รหัสผ่าน", "パスワード", "暗証番号", "密码", "密碼", "口令", "비밀번호", "암호",
)  # fmt: skip
"""Passwords in other languages than English."""

# The marker's type for a name, by what the name holds; the first that fits.
_TYPES = (
    ("CVV", ("cvv", "cvc", "security_code")),
    ("SSN", ("ssn", "social_security")),
    ("OTP", ("otp", "mfa", "two_factor", "2fa", "verification_code")),
    ("PASSWORD", ("pass", "pwd", "kennwort", "contrasena")),
    ("PIN", ("pin",)),
    ("COOKIE", ("cookie", "session")),
    ("AUTHORIZATION", ("authorization", "authenticat")),
    ("PRIVATE_KEY", ("private_key", "privatekey")),
    ("API_KEY", ("key",)),
    ("TOKEN", ("token", "jwt", "bearer")),
    ("SECRET", ("secret", "credential", "signature")),
    ("CREDIT_CARD", ("card", "pan")),
    ("IBAN", ("iban",)),
    ("EMAIL", ("email",)),
    ("DATE_OF_BIRTH", ("birth", "dob")),
)


@dataclass(frozen=True, slots=True)
class FieldRules:
    """Names by place. `json_keys` also hold for form fields, XML elements, SQL columns and MCP tool
    arguments.

    `json_paths` are dotted paths from the root, `*` for any key or index (`params.arguments.code`,
    `rows.*.3`). `keep` names never count as secret by their name alone.
    """

    header_names: tuple[str, ...] = ()
    query_names: tuple[str, ...] = ()
    json_keys: tuple[str, ...] = ()
    json_paths: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    def with_more(self, other: "FieldRules | None") -> "FieldRules":
        """These rules and a connection's own."""
        if other is None:
            return self
        return FieldRules(
            self.header_names + other.header_names,
            self.query_names + other.query_names,
            self.json_keys + other.json_keys,
            self.json_paths + other.json_paths,
            tuple(name for name in self.keep if name not in other.json_keys) + other.keep,
        )


@dataclass(frozen=True, slots=True)
class Field:
    """A secret by its name: text[start:end]; `quote_at` is where a quote for a bare number can be copied
    from.
    """

    name: str
    type: str
    start: int
    end: int
    quote_at: int = -1


_SECRET_NAMES = (
    "password", "*_password", "password_*", "passwd", "*_passwd", "passphrase", "*_passphrase", "pwd",
    "*_pwd", "pass", "*_pass", "userpass", "dbpass", "mypassword", "*password", "*passwd", "kennwort",
    "contrasena", "passwort", "*_passwort", "mot_de_passe", "motdepasse", "senha", "wachtwoord", "parola",
    "kubeconfig", "secret", "*_secret", "secrets", "secret_*", "*_secret_*", "*clientsecret", "*secretkey",
    "token", "*_token", "tokens_*", "token_secret", "token_value", "*accesstoken", "*authtoken",
    "*refreshtoken", "*idtoken", "*apitoken", "jwt", "*_jwt", "bearer", "*_bearer", "api_key", "*_api_key",
    "apikey", "*_apikey", "*apikey", "api_keys", "apikeys", "access_key", "*_access_key", "accesskey",
    "*accesskey", "account_key", "shared_access_key", "secret_key", "*_secret_key", "private_key",
    "*_private_key", "privatekey", "signing_key", "*_signing_key", "encryption_key", "*_encryption_key",
    "master_key", "*_master_key", "license_key", "service_key", "*_service_key", "deploy_key", "ssh_key",
    "auth_key", "*_auth_key", "authkey", "subscription_key", "*_subscription_key", "webhook_key",
    "account_sid_secret", "authorization", "proxy_authorization", "x_authorization", "auth", "credential",
    "credentials", "*_credential", "*_credentials", "cookie", "cookies", "set_cookie", "session_cookie",
    "session_secret", "sessionid_secret", "csrf", "xsrf", "connection_string", "*_connection_string",
    "connectionstring", "database_url", "*_database_url", "dsn", "*_dsn", "sas", "*_sas", "sig",
    "x_amz_signature", "x_amz_security_token", "x_amz_credential", "x_goog_signature", "client_assertion",
    "assertion", "saml_response", "saml_assertion", "code_verifier", "pin", "*_pin", "pin_code", "pincode",
    "otp", "*_otp", "otp_code", "totp", "totp_*", "mfa_code", "two_factor_code", "verification_code",
    "recovery_code", "recovery_codes", "backup_codes", "mnemonic", "seed_phrase", "cvv", "cvc", "cvv2",
    "cvc2", "security_code", "card_number", "*_card_number", "cardnumber", "credit_card", "creditcard",
    "*_credit_card", "pan", "iban", "*_iban", "account_number", "bank_account", "*_account_number",
    "routing_number", "sort_code", "ssn", "*_ssn", "social_security", "social_security_number",
    "national_id", "national_insurance_number", "tax_id", "passport", "passport_number", "driver_license",
    "drivers_license", "driving_licence", "date_of_birth", "birth_date", "birthdate", "birthday", "dob",
    "maiden_name", "passwords", "*_passwords", "pass_word", "pw", "*_pw", "passcode", "*_passcode", "root_pw",
    "*_hash_password", "basic_auth", "*_basic_auth", "hmac_key", "*_hmac_key", "private_key_*", "*_key_pem",
    "client_key_data", "client_key", "*_client_key", "storage_key", "*_storage_key", "consumer_key",
    "access_tokens", "auth_tokens", "refresh_tokens", "api_tokens", "jsessionid", "phpsessid",
    "psk", "*_psk", "requirepass", "masterauth",
    "unicode_pwd", "samba_nt_password", "samba_lm_password", "token_id_secret", "binary_security_token",
    "signature_value", "requested_security_token", "security_token", "*_security_token", "access_key_secret",
    "accesskeysecret", "webhook_secret_*", "session_token", "auth_code", "authorization_code", "device_code",
    *_ELSEWHERE, *(f"*_{word}" for word in _ELSEWHERE), "токен", "*_токен", "секрет", "令牌", "密钥",
    "トークン", "토큰",
)  # fmt: skip

DEFAULT_FIELDS = FieldRules(
    header_names=(
        "authorization", "*_authorization", "cookie", "set_cookie", "cookie2", "set_cookie2", "x_api_key",
        "api_key", "apikey", "*_api_key", "*_apikey", "*_token", "*_secret", "*_password", "*_key",
        "*_credential", "*_credentials", "*_signature", "authentication", "www_authenticate_info", "x_auth",
        "x_auth_*", "x_session_*", "x_session", "session", "session_id", "*_session_id", "sid", "*_sid",
        "auth", "x_authentication", "*_authentication", "dpop", "signature", "*_signature_*",
        "x_token_*",
        "*_token_id",
        "*_token_v*", "x_tokens", "*_api_keys", "*_apikey_*", "*_api_key_*", "*_access_key_id", "*_oidc_data",
        "*_oidc_*token", "*_client_principal", "*_otp", "*_pin", "*_cookie", "cookies", "x_tacho_session",
        "x_tacho_agent", "x_tacho_parent", "x_claude_code_session_id", "x_claude_code_agent_id", "*_secret_*",
        "*_sas", "*_hmac", "x_auth2", "*_pass", "*_passwd", "*_pwd", "sec_websocket_protocol",
        "mcp_session_id", "x_csrf*", "x_xsrf*", "x_forwarded_client_cert", "www_authenticate",
        "*_authenticate",
        "proxy_authenticate",
        "x_amz_security_token", "authentication_info", "cf_access_jwt_assertion", "*_jwt", "*_jwt_assertion",
        "x_goog_iap_jwt_assertion", "x_jfrog_art_api", "token", "secret", "password", "jwt",
    ),
    query_names=(
        *_SECRET_NAMES, "key", "code", "x_amz_signature", "signature", "sig", "auth", "session", "sid",
        "session_id",
        "access_token", "id_token", "refresh_token", "ticket", "nonce_secret", "state_token", "magic_link",
    ),
    json_keys=_SECRET_NAMES,
    keep=(
        "token_type", "token_count", "max_token", "next_token", "next_page_token", "page_token", "pagetoken",
        "progress_token", "continuation_token", "eos_token", "bos_token", "pad_token", "stop_token",
        "token_limit", "idempotency_key", "*_idempotency_key", "idempotency_token", "sort_key",
        "partition_key", "routing_key", "primary_key", "foreign_key", "sec_websocket_key", "x_request_key",
        "surrogate_key", "x_cache_key", "cache_key", "prompt_cache_key", "has_password", "password_hint",
        "secret_name", "secret_santa", "passenger", "compass", "bypass", "*_bypass", "token_ids", "token_id",
        "logprob_token", "sec_token_binding", "first_pass", "second_pass", "tests_pass", "max_tokens_pass",
        "sec_fetch_token", "allow_credentials", "access_control_allow_credentials",
    ),
)  # fmt: skip


def normal_name(name: str) -> str:
    """The one spelling in which names are compared."""
    if name.isascii():
        return _JOINT.sub("_", _CAMEL.sub("_", name).lower()).strip("_")
    return _ANY_JOINT.sub("_", _without_accents(_CAMEL.sub("_", name).lower())).strip("_")


def undivided_name(name: str) -> str:
    """The same, where capitals divide no words."""
    return normal_name(name.lower())


def _without_accents(name: str) -> str:
    parts = ((char, unicodedata.normalize("NFKD", char)[:1]) for char in unicodedata.normalize("NFC", name))
    folded = "".join(first if first.isascii() else char for char, first in parts)
    return folded.translate(_UNDIVIDED).lower()


def shown_name(name: str) -> str:
    """The name as it may be told: a client chose it, so what is no word may be a secret, and is `*`."""
    return _PARTS.sub(lambda part: part[0] if _is_word(part[0]) else "*", name[:MAX_NAME])


def _is_word(part: str) -> bool:
    if len(part) > MAX_WORD:
        return False
    return bool(_WORD.fullmatch(part)) or (not part.isascii() and part.isalpha())


def marker_type(name: str) -> str:
    """The marker's type for a field of this name."""
    plain = normal_name(name)
    if not name.isascii() and any(normal_name(word) in plain for word in _ELSEWHERE):
        return "PASSWORD"
    return next((kind for kind, parts in _TYPES if any(part in plain for part in parts)), "SECRET")


class Names:
    """One place's names, compiled; answers are kept, as the same few names come again and again."""

    def __init__(self, names: tuple[str, ...], keep: tuple[str, ...] = ()) -> None:
        exact = {spelt(n) for n in names if "*" not in n for spelt in (normal_name, undivided_name)}
        self._exact = exact | {n.replace("_", "") for n in exact}
        self._wild = _any_of(n for n in names if "*" in n)
        self._keep = _any_of(keep)
        self.match = lru_cache(maxsize=8192)(self._match)

    def _match(self, name: str) -> bool:
        if len(name) > MAX_NAME:
            return False
        spellings = {normal_name(name), undivided_name(name)}
        if any(map(self._keep.match, spellings)):
            return False
        return any(map(self._holds, spellings))

    def _holds(self, plain: str) -> bool:
        if plain in self._exact or self._wild.match(plain):
            return True
        bare = _NUMBERED.sub("", plain)  # password1, API_KEY_2, signature-256, access-token-v2
        return len(bare) >= MIN_NUMBERED and bare != plain and self._match(bare)


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    patterns = dict.fromkeys(_normal_pattern(spelt) for name in names for spelt in (name, name.lower()))
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")


def _normal_pattern(name: str) -> str:
    joint = _JOINT if name.isascii() else _ANY_JOINT
    parts = (_without_accents(_CAMEL.sub("_", part).lower()) for part in name.split("*"))
    return "*".join(joint.sub("_", part) for part in parts)


class FieldMatcher:
    """The field rules of one masker, compiled."""

    def __init__(self, rules: FieldRules) -> None:
        self.headers = Names(rules.header_names, rules.keep)
        self.query = Names((*rules.query_names, *rules.json_keys), rules.keep)
        self.keys = Names(rules.json_keys, rules.keep)
        self.paths = tuple(tuple(path.removeprefix("$.").split(".")) for path in rules.json_paths)
