"""keycloak.py: how the identity provider is run. That it serves is in `tests/end_to_end/test_keycloak.py`."""

import zipfile
from pathlib import Path

from tachograph.cli.stack import keycloak, lock
from tachograph.cli.stack.places import Places


def test_it_serves_on_loopback_only() -> None:
    """With a database in memory and an administrator of its own."""
    text = keycloak.settings(1234, "secret")
    assert "http-host=127.0.0.1\nhttp-port=1234\ndb=dev-mem\n" in text
    assert "bootstrap-admin-password=secret\n" in text


def test_the_command_is_bounded_and_shows_no_password(tmp_path: Path) -> None:
    """Heap and class space have bounds; the second start says that the first one built."""
    where = Places(Path("/java"), tmp_path / "run", tmp_path / "data", tmp_path / "logs")
    first = keycloak.run_command(where, tmp_path / "dist", built=False)
    second = keycloak.run_command(where, tmp_path / "dist", built=True)
    assert f"-Xmx{keycloak.HEAP_MB}m" in first.arguments
    assert set(second.arguments) - set(first.arguments) == {"-Dkc.config.built=true"}
    assert first.arguments[-1] == "start-dev"
    assert not [text for text in first.arguments if "password" in text]


def test_an_archive_is_unpacked_afresh(tmp_path: Path) -> None:
    """What a run before left behind is gone."""
    archive = tmp_path / "dist.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(f"{keycloak._FOLDER}/lib/quarkus-run.jar", "jar")
    (tmp_path / "run" / keycloak._FOLDER).mkdir(parents=True)
    (tmp_path / "run" / keycloak._FOLDER / "old").touch()
    folder = keycloak.unpack(archive, tmp_path / "run", tmp_path / "absent")
    assert [str(path.relative_to(folder)) for path in folder.rglob("*")] == ["lib", "lib/quarkus-run.jar"]


def test_what_one_start_built_serves_the_next(tmp_path: Path) -> None:
    """It is kept whole, once, and laid over a fresh distribution."""
    archive, built = tmp_path / "dist.zip", tmp_path / "built"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(f"{keycloak._FOLDER}/lib/quarkus/bytecode.jar", "as delivered")
    first = keycloak.unpack(archive, tmp_path / "one", built)
    (first / "lib/quarkus/bytecode.jar").write_text("as built")
    keycloak.keep(first, built)
    keycloak.keep(first, built)
    second = keycloak.unpack(archive, tmp_path / "two", built)
    assert (second / "lib/quarkus/bytecode.jar").read_text() == "as built"
    assert {path.name for path in tmp_path.iterdir()} == {"dist.zip", "built", "one", "two"}


def test_the_distribution_is_locked() -> None:
    """One archive, by its hash, and each server has a password of its own."""
    (archive,) = lock.read()["keycloak/dist"]
    assert (archive.packaging, archive.version) == ("zip", keycloak.KEYCLOAK)
    one, other = (keycloak.Keycloak(Path("/a"), Path("/b"), None) for _ in range(2))
    assert one.password != other.password
    one.stop()  # does nothing to what does not run
