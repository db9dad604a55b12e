"""Bundles come from the world of tests/evidence, deletions from the one beside this file."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tachograph.cli.stack.engines import Endpoints

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "evidence"), str(HERE)]

from deletion_world import DeletionWorld, deletion_world  # noqa: E402  it lies where the path now leads


@pytest.fixture(scope="session")
def deletion(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeletionWorld]:
    """One deployment with its sealing worker and its sink; tests keep apart by their sessions."""
    with deletion_world(tmp_path_factory.mktemp("deletion") / "home", stack) as made:
        yield made
