"""The real engines, started once a run; the environment may name running ones instead."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tachograph.cli.stack.engines import Endpoints, Stack, StackConfig
from tachograph.cli.stack.progress import Plain


@pytest.fixture(scope="session")
def stack() -> Iterator[Endpoints]:
    """Kafka and OpenSearch: those of TACHO_TEST_KAFKA and TACHO_TEST_OPENSEARCH, else fresh ones.

    Running engines are shared with other runs: name topics and indices uniquely.
    """
    kafka, opensearch = os.environ.get("TACHO_TEST_KAFKA"), os.environ.get("TACHO_TEST_OPENSEARCH")
    if kafka and opensearch:
        yield Endpoints(kafka, opensearch)
        return
    home = Path(tempfile.mkdtemp(prefix="tacho-test-"))
    home.chmod(0o755)  # as root, the engines run as another user and must be able to enter
    config = StackConfig(home=home, kafka_port=0, controller_port=0, opensearch_port=0, transport_port=0)
    try:
        with Stack(config) as running:
            yield running.start(Plain(sys.stderr))
    finally:
        shutil.rmtree(home, ignore_errors=True)
