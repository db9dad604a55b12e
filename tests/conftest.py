"""The real engines, started once a run; the environment may name running ones instead.

So it does for the processes of a run that has several (pytest-xdist): the first starts the engines for all.
"""

import importlib.util
import logging
import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, settings

from tachograph.cli.stack.engines import Endpoints, Stack, StackConfig
from tachograph.cli.stack.keycloak import Keycloak
from tachograph.cli.stack.progress import Plain
from tachograph.cli.stack.user import engine_user
from tachograph.schemas.config import Kafka
from tachograph.schemas.topics import topic_specs
from tachograph.sinks.topic_admin import TopicAdmin

ADMIN_SECONDS = 60.0

_spec = importlib.util.spec_from_file_location("leak_watch", Path(__file__).with_name("leak_watch.py"))
leak_watch = importlib.util.module_from_spec(_spec)
sys.modules["leak_watch"] = leak_watch
_spec.loader.exec_module(leak_watch)
WATCH = leak_watch.LeakWatch()
RUN = ExitStack()
"""What lives as long as a run of several processes, in the first of them."""


def pytest_configure(config: pytest.Config) -> None:
    """Watch the logs and metrics of the whole run for planted secrets."""
    config.pluginmanager.register(WATCH, "leak-watch")


# A busy machine is no failing test: how long an example takes says nothing about the code. A commit is judged
# by the same examples each time; `make fuzz` looks for new ones, and what it finds becomes an `@example`.
settings.register_profile(
    "tachograph", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "fuzz", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tachograph")


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """What a command under test does to the process's log ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter: the engines of root run as another, and tmp_path is private."""
    with tempfile.TemporaryDirectory(prefix="tacho-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        try:
            yield Path(name)
        finally:
            WATCH.take_folder(Path(name))


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home folder for engines of the test's own."""
    with open_folder() as folder:
        yield folder


@contextmanager
def engines() -> Iterator[Endpoints]:
    """Kafka and OpenSearch: those of TACHO_TEST_KAFKA and TACHO_TEST_OPENSEARCH, else fresh ones."""
    kafka, opensearch = os.environ.get("TACHO_TEST_KAFKA"), os.environ.get("TACHO_TEST_OPENSEARCH")
    if kafka and opensearch:
        yield Endpoints(kafka, opensearch)
        return
    with open_folder() as folder:
        config = StackConfig(
            home=folder, kafka_port=0, controller_port=0, opensearch_port=0, transport_port=0
        )
        with Stack(config) as running:
            yield running.start(Plain(sys.stderr))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """The processes of the run inherit the environment, and find running engines there."""
    found = RUN.enter_context(engines())
    os.environ["TACHO_TEST_KAFKA"] = found.bootstrap_servers
    os.environ["TACHO_TEST_OPENSEARCH"] = found.opensearch_url


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs the engines is marked so; of several processes none is left alone with a long file of it."""
    for item in items:
        if {"stack", "keycloak"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.engines)
    if not hasattr(config, "workerinput"):
        return
    slow = {item.path for item in items if item.get_closest_marker("engines")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Before the watch looks: it reads the engines' logs too."""
    RUN.close()


@pytest.fixture(scope="session")
def stack() -> Iterator[Endpoints]:
    """Kafka and OpenSearch. They may be shared with other runs: name topics and indices uniquely."""
    with engines() as found:
        yield found


@dataclass(frozen=True)
class IdentityProvider:
    """A running Keycloak and its administrator's password."""

    url: str
    password: str


@pytest.fixture(scope="session")
def keycloak() -> Iterator[IdentityProvider]:
    """A real Keycloak: the one of TACHO_TEST_KEYCLOAK (and ..._PASSWORD), else a fresh one.

    A running one is shared with other runs: make a realm of your own.
    """
    url = os.environ.get("TACHO_TEST_KEYCLOAK")
    if url:
        yield IdentityProvider(url, os.environ["TACHO_TEST_KEYCLOAK_PASSWORD"])
        return
    with open_folder() as folder, Keycloak(folder, StackConfig().cache, engine_user(os.geteuid())) as server:
        yield IdentityProvider(server.start(Plain(sys.stderr)), server.password)


@pytest.fixture
def kafka(stack: Endpoints) -> Iterator[Kafka]:
    """A broker with our topics under a prefix of this test's own."""
    settings = Kafka(bootstrap_servers=stack.bootstrap_servers, topic_prefix=f"test-{uuid.uuid4().hex[:12]}")
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    specs = topic_specs(settings.topics, partitions=4, raw_retention_hours=1, masked_retention_hours=1)
    TopicAdmin({"bootstrap.servers": stack.bootstrap_servers}).create(*specs)
    yield settings
    for gone in admin.delete_topics([spec.name for spec in specs]).values():
        gone.result(timeout=ADMIN_SECONDS)
