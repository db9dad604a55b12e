"""progress.py: bars for people, lines for pipes."""

import io

import pytest
from rich.console import Console

from tachograph.cli.stack import progress


class Tty(io.StringIO):
    """A text stream that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_plain_lines() -> None:
    """No control characters, one line a step."""
    stream = io.StringIO()
    told = progress.for_stream(stream)
    with told.downloading(3, 5_000_000) as advance:
        advance(5_000_000)
    told.say("kafka serves")
    assert stream.getvalue() == "downloading 3 files, 5 MB\ndownloaded and verified\nkafka serves\n"


def test_a_failed_download_is_not_called_downloaded() -> None:
    """The closing line appears only when the download ended well."""
    stream = io.StringIO()
    with pytest.raises(OSError, match="broken"), progress.Plain(stream).downloading(1, 1):
        raise OSError("broken")
    assert "verified" not in stream.getvalue()


def test_a_terminal_gets_a_bar() -> None:
    """The bar shows how many bytes of how many."""
    stream = Tty()
    assert isinstance(progress.for_stream(stream), progress.Terminal)
    told = progress.Terminal(Console(file=stream, force_terminal=True, width=100))
    with told.downloading(3, 2_000_000) as advance:
        advance(2_000_000)
    told.say("[kafka] serves")
    assert "2.0/2.0 MB" in stream.getvalue()
    assert "[kafka] serves" in stream.getvalue()


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing reaches either stream."""
    told = progress.Silent()
    with told.downloading(1, 1) as advance:
        advance(1)
    told.say("kafka serves")
    assert capsys.readouterr() == ("", "")
