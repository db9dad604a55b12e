"""versions.py: the one place that states the engines' versions."""

from tachograph.cli.stack import lock, versions


def test_the_lock_file_follows_the_versions() -> None:
    """The committed lock holds each root at the version stated here, in the folder stated here."""
    locked = lock.read()
    assert set(locked) == set(versions.ROOTS)
    for folder, roots in versions.ROOTS.items():
        held = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in locked[folder]}
        assert set(roots) <= held


def test_every_module_has_its_class_and_its_jars() -> None:
    """A module folder without a class would stop OpenSearch at its start, a class without a folder too."""
    folders = {name.rpartition("/")[2] for name in versions.ROOTS if name.startswith("opensearch/modules/")}
    assert folders == set(versions.MODULE_CLASSES)


def test_analysis_common_stays_out() -> None:
    """The module that breaks the creation of every index on the packaged Java runtime is not locked."""
    names = {jar.artifact for jars in lock.read().values() for jar in jars}
    assert not any("analysis-common" in name for name in names - {"lucene-analysis-common"})
