"""What is built is what is here: sdist, wheel from that sdist, and both hold every room and its data."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = (
    *("schemas", "approvals", "credentials", "identity", "operations", "ingress", "processors", "sinks"),
    *("console", "forensics", "cli"),
)
BUILD_SECONDS = 180


def run(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run Python with `arguments`; its output, or the test's failure with what it said."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
        env=os.environ | (env or {}),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of this checkout."""
    out = tmp_path_factory.mktemp("sdist")
    run("-m", "build", "--sdist", "--no-isolation", "--outdir", str(out), cwd=ROOT)
    return next(out.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel made from that source distribution, not from the checkout."""
    work = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(work, filter="data")
    source = next(work.iterdir())
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(work / "dist"), cwd=source)
    return next((work / "dist").glob("*.whl"))


def room_files() -> set[str]:
    """Every file of the rooms that has to arrive, as a path below `tachograph/`."""
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def test_the_wheel_holds_every_room_and_its_data(wheel: Path) -> None:
    """Python, JSON, TOML, NDJSON and lock files of all rooms are inside, and nothing of tests is."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"tachograph/{name}" for name in room_files()} <= names
    assert {"tachograph/__init__.py", "tachograph/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests/", "tachograph/tests"))]


def test_the_installed_wheel_imports_and_runs(wheel: Path, tmp_path: Path) -> None:
    """`pip install` of the wheel gives a package that imports from there and a command that answers."""
    run(
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--target",
        str(tmp_path / "site"),
        str(wheel),
        cwd=tmp_path,
    )
    env = {"PYTHONPATH": str(tmp_path / "site")}
    where = run("-c", "import tachograph.schemas as room; print(room.__file__)", cwd=tmp_path, env=env)
    assert Path(where.strip()).is_relative_to(tmp_path / "site")
    said = run("-c", "from tachograph.cli.main import main; main()", "--version", cwd=tmp_path, env=env)
    assert said.startswith("tacho")


def test_the_editable_install_sees_the_checkout() -> None:
    """What runs in development is the file that is edited."""
    where = run("-c", "import tachograph.schemas as room; print(room.__file__)", cwd=Path(sys.prefix))
    assert Path(where.strip()).resolve() == (ROOT / "schemas" / "__init__.py").resolve()
