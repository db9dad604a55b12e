"""Where it is worth looking: one quick pattern for a family of rules that have no keyword of their own.

A gate is part of a rule's meaning, as keywords are: a rule is looked for only around its gate's matches. One
pass over a text serves all rules behind a gate.
"""

GATES: dict[str, str] = {
    # Telephone, card and account numbers, addresses: seven characters of digits and separators.
    "digits": r"[0-9][0-9 ().-]{5}",
    "colons": r"[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]",
    # A run as long as keys are.
    "long": r"[A-Za-z0-9]{24}",
    # A telling name, something that assigns, and a value of ten characters.
    "assignment": (
        r"(?i)(?:key|token|tkn|secret|passw|passphrase|pwd|credential|auth|login|private|access)"
        r"[A-Za-z0-9_]*[\"'\x60\])]{0,3}(?:\s{1,3}(?:string|str))?\s{0,12}(?:=>|:{0,3}=|[.?+|]=|==|:|\|\||,)"
        r"(?:\s{0,8}|[ \t]{0,24})[\"'\x60(]{0,3}[^\s\"'\x60<>(){}\[\],;\\|&]{10}"
    ),
    "spoken": r"(?i)(?:key|token|secret|private|access|password)[ ]?[ -][A-Za-z0-9][A-Za-z0-9_.=+/-]{14}",
}
