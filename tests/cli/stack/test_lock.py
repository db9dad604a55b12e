"""lock.py: the lock file reads back as written, and nothing odd gets through."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.stack import lock
from tachograph.cli.stack.errors import LockUnreadable

DIGEST = "a" * 64
WORD = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,8}", fullmatch=True)
JARS = st.builds(
    lock.Jar,
    group=st.lists(WORD, min_size=1, max_size=3).map(".".join),
    artifact=WORD,
    packaging=st.sampled_from(["jar", "zip"]),
    version=st.from_regex(r"[0-9]{1,2}\.[0-9]{1,2}(\.Final)?", fullmatch=True),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    size=st.integers(0, 10**9),
)


@given(st.dictionaries(WORD, st.lists(JARS, max_size=4, unique_by=lambda jar: jar.coordinate)))
def test_a_lock_reads_back_as_written(folders: dict[str, list[lock.Jar]]) -> None:
    """render, then parse, gives the same files in the same folders."""
    read = lock.parse(lock.render({name: tuple(jars) for name, jars in folders.items()}))
    assert {name: set(jars) for name, jars in read.items()} == {k: set(v) for k, v in folders.items()}


@given(st.text(max_size=200))
def test_any_text_is_a_lock_or_a_value_error(text: str) -> None:
    """parse never fails in another way."""
    try:
        lock.parse(text)
    except ValueError:
        return


@pytest.mark.parametrize(
    "entry",
    [
        f'["a:b:jar:1", "{DIGEST[1:]}", 1]',
        f'["a:b:jar:1", "{DIGEST.upper()}", 1]',
        f'["a:b:1", "{DIGEST}", 1]',
        f'["a:b:jar:1", "{DIGEST}"]',
        f'["a:b:jar:1", "{DIGEST}", -1]',
        f'["a:../../etc:jar:1", "{DIGEST}", 1]',
        f'["a:..:jar:..", "{DIGEST}", 1]',
        f'["..a:b:jar:1", "{DIGEST}", 1]',
        '"a:b:jar:1"',
        "7",
    ],
)
def test_an_entry_out_of_shape_is_refused(entry: str) -> None:
    """Wrong digests, sizes and coordinates are refused, above all those that would leave the cache folder."""
    with pytest.raises(ValueError, match=r"expected \[coordinate, sha256, size\], found"):
        lock.parse(f'"kafka/lib" = [{entry}]')


def test_a_jar_lies_where_maven_puts_it() -> None:
    """The path is the one of every Maven repository."""
    jar = lock.Jar("org.apache.kafka", "kafka_2.13", "jar", "4.2.0", DIGEST, 1)
    assert str(jar.path) == "org/apache/kafka/kafka_2.13/4.2.0/kafka_2.13-4.2.0.jar"


def test_an_unreadable_lock_file_says_how_to_restore_it(tmp_path: Path) -> None:
    """Missing or damaged, it is a LockUnreadable."""
    with pytest.raises(LockUnreadable, match="--write"):
        lock.read(tmp_path / "absent")
    (tmp_path / "damaged").write_text("]")
    with pytest.raises(LockUnreadable, match="--write"):
        lock.read(tmp_path / "damaged")


def test_the_committed_lock_names_no_host() -> None:
    """Coordinates only: where they come from is the machine's matter."""
    assert "//" not in lock.LOCK_FILE.read_text()
    assert lock.render(lock.read()) == lock.LOCK_FILE.read_text()


def test_without_write_nothing_is_resolved(capsys: pytest.CaptureFixture[str]) -> None:
    """The command explains itself and ends with 2, wrong use."""
    assert lock.main([]) == 2
    assert "--write" in capsys.readouterr().out
