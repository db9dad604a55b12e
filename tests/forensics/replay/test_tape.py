"""Which recorded exchange an incoming request is."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.replay.recorded import Body
from tachograph.forensics.replay.tape import Differs, Found, NotOnRecord, Tape, Unexpected


@given(bodies=st.lists(st.sampled_from(["1", "2", "3"]), min_size=1, max_size=8), data=st.data())
def test_the_same_requests_in_any_order_are_all_served_once(
    make_made: Any, bodies: list[str], data: st.DataObject
) -> None:
    """Equal ones in their recorded order; afterwards everything was asked."""
    made = make_made()
    tape = Tape([made.exchange(body) for body in bodies])
    served: dict[str, list[str]] = {}
    for body in data.draw(st.permutations(bodies)):
        verdict = tape.ask(made.request(body))
        assert isinstance(verdict, Found)
        served.setdefault(body, []).append(verdict.exchange.id)
    assert all(ids == sorted(ids, key=lambda name: int(name.partition("-")[2])) for ids in served.values())
    assert tape.summary()["same"] is True
    assert tape.summary()["served"] == len(bodies)
    assert isinstance(tape.ask(made.request(bodies[0])), Unexpected)


def test_a_changed_request_is_told_from_the_one_most_like_it(made: Any) -> None:
    """Not from the next one that happens to be left."""
    other = made.exchange('{"a":1,"b":2,"c":"tea"}')
    meant = made.exchange('{"a":5,"b":6,"c":"order was charged twice"}')
    tape = Tape([other, meant])
    verdict = tape.ask(made.request('{"a":5,"b":6,"c":"order was charged thrice"}'))
    assert isinstance(verdict, Differs)
    assert verdict.closest is meant
    assert [line.text for line in verdict.lines] == ["body.c: order was charged [-twice-]{+thrice+}"]
    told = tape.summary()
    assert [item["closest"] for item in told["differing"]] == [meant.id]
    assert [item["exchange"] for item in told["never_asked"]] == [other.id]
    assert told["same"] is False


def test_trying_again_is_one_difference(made: Any) -> None:
    """Clients repeat what failed; the summary counts the times."""
    tape = Tape([made.exchange("1")])
    for _ in range(3):
        tape.ask(made.request("2"))
    (one,) = tape.summary()["differing"]
    assert one["times"] == tape.summary()["differing_times"] == 3


def test_after_a_difference_the_right_request_is_still_answered(made: Any) -> None:
    """A wrong one uses nothing up."""
    tape = Tape([made.exchange("1")])
    tape.ask(made.request("2"))
    assert isinstance(tape.ask(made.request("1")), Found)
    assert tape.summary()["never_asked"] == []


def test_another_path_is_another_shape(made: Any) -> None:
    """Nothing is compared across connections, methods and paths."""
    tape = Tape([made.exchange("1")])
    verdict = tape.ask(made.request("1", path="/other"))
    assert isinstance(verdict, Unexpected)
    assert verdict.recorded == 0


def test_an_answer_that_is_not_on_record_is_not_made_up(made: Any) -> None:
    """It says why, and is no difference of the agent's."""
    from dataclasses import replace

    exchange = replace(made.exchange("1"), response=None)
    tape = Tape([exchange])
    verdict = tape.ask(made.request("1"))
    assert isinstance(verdict, NotOnRecord)
    assert "not on record" in verdict.why
    told = tape.summary()
    assert [item["exchange"] for item in told["not_on_record"]] == [exchange.id]
    assert told["differing"] == []
    assert told["same"] is False


def test_a_request_whose_recorded_body_is_withheld_is_not_guessed(made: Any) -> None:
    """It may be the one that came, and nobody can tell."""
    hidden = made.exchange(body="")
    from dataclasses import replace

    hidden = replace(
        hidden, request=replace(hidden.request, body=Body(missing="its body is withheld (binary)"))
    )
    tape = Tape([hidden, made.exchange("1")])
    assert isinstance(tape.ask(made.request("1")), Found)
    verdict = tape.ask(made.request("2"))
    assert isinstance(verdict, NotOnRecord)
    assert "withheld (binary)" in verdict.why


def test_masked_values_are_the_same_values(made: Any) -> None:
    """A text that was masked again because a marker stood in it equals the marker that stood there then."""
    tape = Tape([made.exchange('{"dsn":"[SECRET:ab12.0123456789abcdef]"}')])
    assert isinstance(tape.ask(made.request('{"dsn":"[SECRET:again]"}')), Found)


def test_what_is_ignored_is_not_compared(made: Any) -> None:
    """The operator knows which fields differ in every run."""
    tape = Tape([made.exchange('{"a":1,"sent":1}')], frozenset({"sent"}))
    assert isinstance(tape.ask(made.request('{"a":1,"sent":2}')), Found)
