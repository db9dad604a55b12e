"""Hands the saved objects to OpenSearch Dashboards over its own API, or says how a person does it.

The one file that talks to Dashboards. An import replaces objects of the same id and touches no others;
where the security plugin has tenants, they go to the one that everybody sees.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx

from tachograph.sinks.dashboards.build import overview
from tachograph.sinks.errors import OperatorError, Unavailable

__all__ = ["Importer"]

IMPORT_SECONDS = 30.0
_DEFAULT_PREFIX = "tacho"


class Importer:
    """OpenSearch Dashboards at one URL. `login` is (user, password); `transport` replaces the network."""

    def __init__(
        self,
        url: str,
        *,
        login: tuple[str, str] | None = None,
        ca_file: Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._login = login
        self._verify = True if ca_file is None else httpx.create_ssl_context(verify=str(ca_file))
        self._transport = transport

    def run(self, prefix: str) -> int:
        """Import the overview for indices of this prefix; returns how many objects Dashboards took.

        Raises `Unavailable` when it does not answer or says later, `OperatorError` when it refuses.
        """
        bundle = {"file": ("overview.ndjson", overview(prefix), "application/ndjson")}
        try:
            with httpx.Client(
                auth=self._login, verify=self._verify, timeout=IMPORT_SECONDS, transport=self._transport
            ) as client:
                answer = client.post(
                    f"{self._url}/api/saved_objects/_import",
                    params={"overwrite": "true"},
                    headers={"osd-xsrf": "true", "securitytenant": "global"},
                    files=bundle,
                )
        except httpx.HTTPError as error:
            raise Unavailable(f"{type(error).__name__} at {self._url}") from None
        return _read(answer)

    @staticmethod
    def by_hand(prefix: str) -> str:
        """One line that tells a person how to import the bundle."""
        if prefix == _DEFAULT_PREFIX:
            path = files(__package__) / "overview.ndjson"
            return f"in Dashboards: Management, Saved objects, Import, {path}"
        make = f"python -m tachograph.sinks.dashboards.build {prefix} > overview.ndjson"
        return f"{make}; then in Dashboards: Management, Saved objects, Import"


def _read(answer: httpx.Response) -> int:
    if answer.status_code == 429 or answer.status_code >= 500:
        raise Unavailable(f"answered {answer.status_code}")
    if answer.status_code != 200:
        raise OperatorError(
            f"OpenSearch Dashboards refused the import with {answer.status_code}: check"
            " opensearch.dashboards_url and the user's rights"
        )
    try:
        value: dict[str, Any] = answer.json()
        good, count = value["success"], int(value["successCount"])
    except (ValueError, KeyError, TypeError):
        raise OperatorError(
            "what answers at opensearch.dashboards_url is not OpenSearch Dashboards"
        ) from None
    if not good:
        kinds = sorted({str(item.get("error", {}).get("type")) for item in value.get("errors", [])})
        raise OperatorError(
            f"OpenSearch Dashboards took {count} objects and refused others: {', '.join(kinds)}"
        )
    return count
