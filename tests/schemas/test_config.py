"""The configuration: one frozen value with bounds everywhere and no secret in it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tachograph.schemas.config import Configuration, Kafka


def test_an_empty_file_is_a_working_configuration() -> None:
    """Every setting has a default, and the default listens on this machine only."""
    config = Configuration()
    assert config.ingress.listen.host == "127.0.0.1"
    assert config.kafka.topics.raw == "tacho.raw"
    assert config.connections == ()


@pytest.mark.parametrize(
    "value",
    [
        {"version": 2},
        {"ingress": {"listen": {"port": 65_536}}},
        {"ingress": {"listen": {"port": -1}}},
        {"ingress": {"workers": 0}},
        {"ingress": {"spool": {"max_bytes": 1}}},
        {"ingress": {"max_header_bytes": 1}},
        {"ingress": {"header_timeout": 0}},
        {"ingress": {"header_timeout": float("inf")}},
        {"ingress": {"header_timeout": float("nan")}},
        {"kafka": {"topic_prefix": "a b"}},
        {"kafka": {"topic_prefix": "a..b"}},
        {"kafka": {"partitions": 0}},
        {"kafka": {"raw_retention_hours": 0}},
        {"kafka": {"raw_retention_hours": 721}},
        {"opensearch": {"index_prefix": "Upper"}},
        {"opensearch": {"url": "https://admin:pw@search.example.com"}},
        {"opensearch": {"url": "search.example.com:9200"}},
        {"opensearch": {"dashboards_url": "https://d.example.com/?token=x"}},
        {"identity": {"oidc": [{"issuer": "i", "audience": "a", "algorithms": ["none"]}]}},
        {"identity": {"oidc": [{"issuer": "i", "audience": "a", "algorithms": ["HS256"]}]}},
        {"processor": {"hold_bytes": 1}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused(value: dict[str, Any]) -> None:
    """No bound can be configured away, and no algorithm that proves nothing."""
    with pytest.raises(ValidationError):
        Configuration.model_validate(value)


@pytest.mark.parametrize(
    "key", ["sasl.password", "ssl.key.password", "sasl.oauthbearer.client.secret", "ssl.key.pem"]
)
def test_secrets_do_not_stand_in_the_client_s_settings(key: str) -> None:
    """They go under `password`, from a variable or a file."""
    with pytest.raises(ValidationError, match="env or file"):
        Kafka(client={key: "x"})


def test_librdkafka_settings_pass_through() -> None:
    """TLS and SASL are the operator's to choose."""
    assert Kafka(client={"security.protocol": "SASL_SSL"}).client == {"security.protocol": "SASL_SSL"}


def test_two_issuers_of_one_name_are_refused() -> None:
    """Whose token it is has to be one answer."""
    issuer = {"issuer": "https://login.example.com", "audience": "a"}
    with pytest.raises(ValidationError, match="issuer named twice: https://login"):
        Configuration.model_validate({"identity": {"oidc": [issuer, issuer]}})


@pytest.mark.parametrize(
    "pair", [({"name": "a"}, {"name": "a"}), ({"name": "a", "hosts": ["h"]}, {"name": "b", "hosts": ["h"]})]
)
def test_a_connection_or_host_is_named_once(pair: tuple[dict[str, Any], ...]) -> None:
    """Which connection a request takes has to be one answer."""
    base = {"protocol": "http", "upstream": "http://h"}
    with pytest.raises(ValidationError, match="named twice"):
        Configuration.model_validate({"connections": [base | item for item in pair]})


def test_the_digest_is_of_everything() -> None:
    """Equal configurations have equal digests; one changed setting anywhere is another one."""
    same = Configuration.model_validate_json(Configuration().model_dump_json())
    other = Configuration.model_validate({"ingress": {"header_timeout": 10.5}})
    assert Configuration().digest == same.digest
    assert Configuration().digest != other.digest
    assert len(other.digest) == 64


def test_the_digest_does_not_depend_on_how_a_number_is_written() -> None:
    """10 and 10.0 seconds are one timeout."""
    one, other = (
        Configuration.model_validate({"ingress": {"header_timeout": value}}) for value in (10, 10.0)
    )
    assert one.digest == other.digest


def test_a_configuration_cannot_be_changed() -> None:
    """A reload makes a new one."""
    with pytest.raises(ValidationError):
        Configuration().version = 1  # type: ignore[misc]
