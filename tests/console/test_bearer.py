"""Programs' identity; what is refused stands in the API's tests."""

from pathlib import Path

import pytest

from tachograph.console.bearer import Bearer
from tachograph.console.errors import OperatorError
from tachograph.schemas.config import Identity


async def test_a_broken_key_file_is_the_operators(tmp_path: Path) -> None:
    """A missing one only means that there are no keys."""
    await Bearer.open(Identity(api_keys_file="none"), base=tmp_path).close()
    (tmp_path / "keys").write_text("{")
    with pytest.raises(OperatorError):
        Bearer.open(Identity(api_keys_file="keys"), base=tmp_path)
