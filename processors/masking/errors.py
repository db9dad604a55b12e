"""What can go wrong while masking, named by whose fault it is.

MaskingError
├── ConfigurationError   the operator's: a rule file, a field rule or a key that cannot be used
│   ├── RuleError        names file, line and rule
│   └── PseudonymKeyError  a pseudonym key that is too short or has no usable id
└── Withheld             the content's: it cannot be masked with certainty, so it is not passed on

A message never holds a value that was, or could be, a secret.
"""


class MaskingError(Exception):
    """The root: catch this to catch everything the masking room raises on purpose."""


class ConfigurationError(MaskingError):
    """The operator must change something before masking can start."""


class RuleError(ConfigurationError):
    """One rule cannot be used; the message names file, line, rule, what was expected and what came."""

    def __init__(self, message: str, *, file: str = "", line: int = 0, rule: str = "") -> None:
        self.file, self.line, self.rule = file, line, rule
        where = f"{file}:{line}: " if file else ""
        named = f"rule {rule!r}: " if rule else ""
        super().__init__(f"{where}{named}{message}")


class PseudonymKeyError(ConfigurationError):
    """The pseudonym key cannot protect what it is meant to protect."""


class Withheld(MaskingError):
    """This content must not be passed on; `reason` is a short code that is safe to store and to count."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
