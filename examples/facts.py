"""Words that the example world talks about; a JSON file named by `EXAMPLE_FACTS` replaces any of them.

The demo puts freshly made credentials here and then looks for them where they must not be.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "api_token": "an-api-token",
        "aws_key_id": "an-aws-key-id",
        "aws_secret": "an-aws-secret",
        "basic_password": "a-basic-password",
        "card": "a-card-number",
        "cookie": "a-cookie",
        "database_password": "a-database-password",
        "github_token": "a-github-token",
        "jwt": "a-signed-token",
        "login_password": "a-login-password",
        "password": "a-password",
        "private_key": "a-private-key",
        "query_key": "a-query-key",
        "set_cookie": "a-session-id",
        "slack_token": "a-slack-token",
        "stripe_key": "a-stripe-key",
    }
)


def load() -> Mapping[str, str]:
    """The defaults with what `EXAMPLE_FACTS` names laid over them."""
    path = os.environ.get("EXAMPLE_FACTS")
    told: dict[str, str] = json.loads(Path(path).read_text()) if path else {}
    return MappingProxyType({**DEFAULTS, **told})
