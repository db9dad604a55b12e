"""docker-compose.yml, linted: everything that can be known about it without a Docker engine is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tachograph.cli.stack.kafka import server_properties
from tachograph.cli.stack.versions import KAFKA, OPENSEARCH
from tachograph.schemas.document import load_configuration
from tachograph.schemas.topics import MAX_RECORD_BYTES

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (ROOT / ".env.example").read_text()
CONFIG = load_configuration((ROOT / "docker/tacho.yaml").read_text(), file="docker/tacho.yaml")
CONSOLE = load_configuration((ROOT / "docker/console.yaml").read_text(), file="docker/console.yaml")

# $NAME, ${NAME}, ${NAME:-default}, ${NAME:?message}; `$$` is a dollar for the container.
VARIABLE = re.compile(r"\$(?:\$|\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\}|([A-Z_]+))")
ONE_SHOT = {"setup", "provision", "tacho"}

TEXT_LIST = {"type": "array", "items": {"type": "string"}, "minItems": 1}
DURATION = {"type": "string", "pattern": "^[0-9]+s$"}
SERVICE = {
    "type": "object",
    "required": ["image"],
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string", "pattern": r"^[a-z0-9./-]+:[0-9]+\.[0-9]+\.[0-9]+$"},
        "build": {"const": "."},
        "user": {"type": "string"},
        "read_only": {"type": "boolean"},
        "init": {"const": True},
        "cap_drop": {"const": ["ALL"]},
        "cap_add": TEXT_LIST,
        "security_opt": {"const": ["no-new-privileges:true"]},
        "tmpfs": TEXT_LIST,
        "restart": {"enum": ["no", "unless-stopped"]},
        "stop_grace_period": DURATION,
        "network_mode": {"const": "none"},
        "networks": TEXT_LIST,
        "profiles": TEXT_LIST,
        "entrypoint": TEXT_LIST,
        "command": TEXT_LIST,
        "ulimits": {"type": "object"},
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:"}},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": "^[^:]+:/[^:]+(:ro)?$"}},
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["condition"],
                "additionalProperties": False,
                "properties": {"condition": {"enum": ["service_healthy", "service_completed_successfully"]}},
            },
        },
        "healthcheck": {
            "type": "object",
            "required": ["test", "interval", "timeout", "retries", "start_period"],
            "additionalProperties": False,
            "properties": {
                "test": {"type": "array", "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}], "minItems": 2},
                "interval": DURATION,
                "timeout": DURATION,
                "start_period": DURATION,
                "retries": {"type": "integer", "minimum": 1},
            },
        },
    },
}


def variables() -> Iterator[tuple[str, str, str]]:
    """(name, operator, argument) of each use in the file."""
    lines = "\n".join(line.partition(" #")[0] for line in TEXT.splitlines() if not line.startswith("#"))
    for match in VARIABLE.finditer(lines):
        if match[0] != "$$":
            yield match[1] or match[4], match[2] or "", match[3] or ""


def documented() -> dict[str, str]:
    """Every variable of .env.example with its value there."""
    return dict(line.split("=", 1) for line in EXAMPLE.splitlines() if line and not line.startswith("#"))


def mounts(service: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for text in service.get("volumes", ()):
        source, target, mode = (*text.split(":"), "rw")[:3]
        yield source, target, mode


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_uses_only_keys_and_shapes_that_we_know(name: str) -> None:
    """A typo is found here and not at a customer's; images carry a full version, ports are on loopback."""
    jsonschema.Draft202012Validator(SERVICE).validate(SERVICES[name])


def test_the_top_level_is_known() -> None:
    """No obsolete `version`, anchors under `x-`."""
    assert {key for key in COMPOSE if not key.startswith("x-")} == {"name", "services", "networks", "volumes"}


def test_engines_have_the_versions_of_the_local_ones() -> None:
    """One place states them."""
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA}"
    assert SERVICES["opensearch"]["image"] == f"opensearchproject/opensearch:{OPENSEARCH}"
    assert SERVICES["dashboards"]["image"] == f"opensearchproject/opensearch-dashboards:{OPENSEARCH}"


def test_our_image_has_our_version() -> None:
    """As the package states it."""
    (version,) = re.findall(r'(?m)^version = "(.+)"', (ROOT / "pyproject.toml").read_text())
    ours = {service["image"] for service in SERVICES.values() if "build" in service}
    assert ours == {f"tachograph:{version}"}


def test_the_broker_is_set_up_like_the_local_one() -> None:
    """Each setting that both state has the same value; only addresses, paths and sizing differ."""
    local = dict(line.split("=", 1) for line in server_properties(Path("/d"), 9092, 9093).splitlines())
    asked = SERVICES["kafka"]["environment"]
    here = {key.removeprefix("KAFKA_").lower().replace("_", "."): value for key, value in asked.items()}
    own = {
        "listeners",
        "advertised.listeners",
        "controller.quorum.voters",
        "log.dirs",
        "cluster.id",
        "heap.opts",
    }
    assert {key: value for key, value in here.items() if key not in own} == {
        key: local.get(key) for key in here if key not in own
    }
    assert here["message.max.bytes"] == str(MAX_RECORD_BYTES)


def test_every_reference_resolves() -> None:
    """Dependencies, networks, volumes, and files that are mounted; nothing declared is left unused."""
    used_networks: set[str] = set()
    used_volumes: set[str] = set()
    for service in SERVICES.values():
        assert set(service.get("depends_on", ())) <= set(SERVICES)
        used_networks |= set(service.get("networks", ()))
        for source, _, mode in mounts(service):
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
                assert mode == "ro"
            else:
                used_volumes.add(source)
    assert used_networks == set(COMPOSE["networks"])
    assert used_volumes == set(COMPOSE["volumes"])


def test_who_waits_for_health_waits_for_a_health_check() -> None:
    """And who waits for an end waits for a service that ends."""
    for service in SERVICES.values():
        for name, needs in service.get("depends_on", {}).items():
            if needs["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]
            else:
                assert name in ONE_SHOT
    for name, service in SERVICES.items():
        assert (service["restart"] == "no") == (name in ONE_SHOT)
        assert ("healthcheck" in service) == (name not in ONE_SHOT)


def test_dependencies_have_no_circle() -> None:
    """Everything starts."""
    left = {name: set(service.get("depends_on", ())) for name, service in SERVICES.items()}
    while left:
        free = {name for name, needs in left.items() if not needs}
        assert free, left
        left = {name: needs - free for name, needs in left.items() if name not in free}


def test_there_are_no_default_passwords() -> None:
    """Whatever is called a password is required, with a message; the example leaves it empty."""
    for name, operator, argument in variables():
        if "PASSWORD" in name:
            assert operator == ":?", name
            assert argument
            assert documented()[name] == ""
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|API_KEY", name):
                assert re.fullmatch(r"\$\{" + name + r":[?-][^}]*\}", value), name


def test_every_variable_is_documented_and_every_documented_one_used() -> None:
    """With a comment above it; where compose has a default, the example shows the same one."""
    used = {name: (operator, argument) for name, operator, argument in variables()}
    assert set(used) == set(documented())
    for name, (operator, argument) in used.items():
        assert operator in {":?", ":-"}, name
        if operator == ":-":
            assert documented()[name] == argument
    for block in EXAMPLE.strip().split("\n\n"):
        assert block.startswith("#")


def test_our_containers_can_do_nothing_but_their_work() -> None:
    """Read-only, no capabilities, no way to new privileges; only `setup` is root, for ownership."""
    for name, service in SERVICES.items():
        if "build" not in service:
            continue
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert ("user" in service, "cap_add" in service) == (name == "setup", name == "setup")


def test_engines_are_reached_from_inside_only() -> None:
    """Their network has no way out, and they are on no other; they publish no port."""
    assert COMPOSE["networks"]["engines"] == {"internal": True}
    for name in ("kafka", "opensearch"):
        assert SERVICES[name]["networks"] == ["engines"]
        assert "ports" not in SERVICES[name]


def test_sealing_has_a_way_out_that_nobody_shares() -> None:
    """Witnesses and time-stamp authorities are elsewhere; who reaches them needs no port or neighbour."""
    assert not (COMPOSE["networks"]["anchors"] or {}).get("internal", False)
    assert [name for name in SERVICES if "anchors" in SERVICES[name].get("networks", ())] == ["seal"]
    assert set(SERVICES["seal"]["networks"]) == {"engines", "anchors"}
    assert "ports" not in SERVICES["seal"]


def test_key_files_are_seen_by_those_who_need_them() -> None:
    """The sink holds no key of the gateway; nobody but `setup` and the key tool writes there."""
    read = dict.fromkeys(("ingress", "processor", "seal", "canary", "console"), "ro")
    having = {
        name: mode
        for name, service in SERVICES.items()
        for source, _, mode in mounts(service)
        if source == "keys"
    }
    assert having == {"setup": "rw", "tacho": "rw"} | read
    private = {
        name
        for name, service in SERVICES.items()
        for source, _, _ in mounts(service)
        if source == "certificates"
    }
    assert private == {"setup", "opensearch"}


@pytest.mark.parametrize("name", ["ingress", "processor", "seal", "sink", "canary", "provision"])
def test_each_part_finds_what_its_configuration_names(name: str) -> None:
    """Addresses are services, paths lie in mounts, secrets are in the environment."""
    service = SERVICES[name]
    targets = [target for _, target, _ in mounts(service)]
    assert "/etc/tachograph/tacho.yaml" in targets
    wanted = {
        "ingress": (
            CONFIG.keys.kek_file,
            CONFIG.keys.signing_file,
            CONFIG.identity.api_keys_file,
            CONFIG.ingress.spool.path,
        ),
        "processor": (CONFIG.keys.kek_file, CONFIG.keys.pseudonym_file, CONFIG.processor.data_dir),
        "seal": (CONFIG.keys.log_file,),
        "sink": (CONFIG.opensearch.ca_file,),
        "canary": (CONFIG.keys.kek_file,),
        "provision": (CONFIG.opensearch.ca_file,),
    }[name]
    for path in wanted:
        assert any(Path(path or "").is_relative_to(target) for target in targets), path
    environment = service.get("environment", {})
    if name in {"sink", "provision"}:
        assert CONFIG.opensearch.password is not None
        assert CONFIG.opensearch.password.env in environment
    if name == "ingress":
        credentials = [one.credential for one in CONFIG.connections if one.credential is not None]
        assert {one.source.env for one in credentials} == set(environment)


def test_the_console_finds_what_its_own_configuration_names() -> None:
    """The same engines and key as the gateway's, a user of its own; people reach it where it says it is."""
    service, told = SERVICES["console"], CONSOLE.console
    assert told is not None
    files = {target: source for source, target, _ in mounts(service)}
    assert files["/etc/tachograph/tacho.yaml"] == "./docker/console.yaml"
    for path in (CONSOLE.opensearch.ca_file, CONSOLE.keys.approvals_file, CONSOLE.identity.api_keys_file):
        assert any(Path(path or "").is_relative_to(target) for target in files), path
    assert CONSOLE.kafka == CONFIG.kafka
    assert CONSOLE.opensearch.url == CONFIG.opensearch.url
    assert CONSOLE.opensearch.index_prefix == CONFIG.opensearch.index_prefix
    assert CONSOLE.keys.approvals_file == CONFIG.keys.approvals_file
    assert CONSOLE.opensearch.password is not None
    assert {CONSOLE.opensearch.password.env} == set(service["environment"])
    assert service["ports"] == [f"{(told.public_url or '').removeprefix('http://')}:{told.listen.port}"]
    assert told.metrics == CONFIG.ingress.metrics


def test_the_configuration_points_at_the_services() -> None:
    """Host names and ports as the services have them; health is asked where it is served."""
    assert CONFIG.kafka.bootstrap_servers == "kafka:9092"
    assert CONFIG.opensearch.url == "https://opensearch:9200"
    assert CONFIG.opensearch.dashboards_url == "http://dashboards:5601"
    assert SERVICES["ingress"]["ports"][0].endswith(f":{CONFIG.ingress.listen.port}")
    for metrics in (
        CONFIG.ingress.metrics,
        CONFIG.processor.metrics,
        CONFIG.sealing.metrics,
        CONFIG.sink.metrics,
    ):
        assert metrics is not None
        assert f":{metrics.port}/readyz" in SERVICES["sink"]["healthcheck"]["test"][-1]


def test_the_image_is_built_from_pinned_parts() -> None:
    """Base image and build backend by version, dependencies by hash, what is copied exists and is let in."""
    text = (ROOT / "Dockerfile").read_text()
    bases = set(re.findall(r"(?m)^FROM (\S+)", text))
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", bases.pop())
    assert "--require-hashes --requirement /src/requirements.lock" in text
    (backend,) = re.findall(r"hatchling==\S+", text)
    assert f"{backend} " in (ROOT / "requirements-dev.lock").read_text()
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {part for line in re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", text) for part in line.split()}
    assert copied == let_in
    assert all((ROOT / part).exists() for part in copied)
    assert re.search(r"(?m)^USER 10001", text)


def test_the_environment_file_stays_out_of_the_repository() -> None:
    """It holds passwords."""
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
