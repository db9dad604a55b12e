"""How commands speak, in a pipe."""

import json

import pytest

from tachograph.cli import output


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """One document, not escaped where it need not be."""
    output.print_json({"name": "Zoë"})
    assert capsys.readouterr().out == '{"name": "Zoë"}\n'


def test_the_ready_line_can_be_parsed(capsys: pytest.CaptureFixture[str]) -> None:
    """The word, a space, JSON."""
    output.ready({"url": "x"})
    word, _, rest = capsys.readouterr().out.partition(" ")
    assert (word, json.loads(rest)) == ("ready", {"url": "x"})


def test_a_table_in_a_pipe_has_no_colours_and_no_frames(capsys: pytest.CaptureFixture[str]) -> None:
    """Plain columns; markup in a value is text."""
    output.table(("a", "b"), [("[red]x[/red]", 1)], empty="nothing")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]x[/red]" in out
    assert not set("┃│─━") & set(out)


def test_an_empty_table_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """No header over nothing."""
    output.table(("a",), [], empty="Do this.")
    assert capsys.readouterr().out == "Do this.\n"


def test_what_others_wrote_begins_no_line_and_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a text of many lines one line is made, however long; markup in it is text."""
    output.say("type \x1b[2J\ncomplete: [bold]all[/] is there" + "x" * 300)
    assert capsys.readouterr().out == (
        "type ⟨U+001B⟩[2J⟨U+000A⟩complete: [bold]all[/] is there" + "x" * 300 + "\n"
    )


def test_notes_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays for results."""
    output.note("a note with [brackets]")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "a note with [brackets]\n")


HOSTILE = "a\x1b[2J\x9b31m\x07\r\u202eb\u200bc\U000e0041"


def test_nothing_that_others_wrote_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """No clearing of the screen on which somebody is about to approve; what is hidden is shown."""
    output.table(("text",), [(HOSTILE,)], empty="nothing")
    output.note(HOSTILE)
    captured = capsys.readouterr()
    for shown in (captured.out, captured.err):
        assert set(HOSTILE) & set(shown) == set("abc[2J31m")
        assert "\u27e8U+001B\u27e9[2J" in shown
        assert "\u27e8U+202E\u27e9b" in shown


def test_json_says_the_same_without_steering(capsys: pytest.CaptureFixture[str]) -> None:
    """Escaped, so that a program reads what was there and a terminal shows it."""
    output.print_json({HOSTILE: [HOSTILE]})
    out = capsys.readouterr().out
    assert json.loads(out) == {HOSTILE: [HOSTILE]}
    assert out.strip().isprintable()
