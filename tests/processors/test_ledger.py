"""The two marks: what may be committed, and what a restart may skip."""

from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.ledger import Admission, Ledger, decode_mark, encode_mark


def test_a_record_in_flight_stops_both_marks() -> None:
    """Neither mark passes a record before everything sent for it is delivered, whatever came after it."""
    ledger = Ledger(10, 10)
    first, second = ledger.begin(10), ledger.begin(11)
    first.sent()
    first.close()
    second.close()
    assert (ledger.resume, ledger.done) == (10, 10)
    first.delivered()
    assert (ledger.resume, ledger.done) == (12, 12)


def test_a_ticket_that_is_still_open_is_not_finished() -> None:
    """Deliveries that arrive before the last message is sent do not finish a record."""
    ledger = Ledger(0, 0)
    ticket = ledger.begin(0)
    ticket.sent()
    ticket.delivered()
    assert ledger.done == 0
    ticket.close()
    assert ledger.done == 1


def test_a_held_record_keeps_resume_and_lets_done_pass() -> None:
    """A chunk that waits for its body pins the committed offset, but is not counted as undone."""
    ledger = Ledger(5, 5)
    ticket = ledger.begin(5)
    ledger.hold("body", 5)
    ticket.close()
    ledger.begin(6).close()
    assert (ledger.resume, ledger.done) == (5, 7)


def test_a_hold_ends_only_when_done_has_passed_its_end() -> None:
    """A beginning stays pinned while anything before its end is in flight, or the tail would be orphaned."""
    ledger = Ledger(0, 0)
    start = ledger.begin(0)
    ledger.hold("body", 0)
    start.close()
    slow = ledger.begin(1)
    slow.sent()
    slow.close()
    end = ledger.begin(2)
    end.close(["body"])
    assert (ledger.resume, ledger.done) == (0, 1)
    slow.delivered()
    assert (ledger.resume, ledger.done) == (3, 3)


def test_the_first_of_several_records_of_a_body_counts() -> None:
    """The pin stays where the body began."""
    ledger = Ledger(0, 0)
    for offset in range(3):
        ticket = ledger.begin(offset)
        ledger.hold("body", offset)
        ticket.close()
    assert ledger.resume == 0


def test_a_restart_keeps_what_was_done() -> None:
    """While the held records are read again, `done` does not fall back."""
    ledger = Ledger(3, 9)
    ledger.begin(3).close()
    assert ledger.done == 9
    assert ledger.replayed_until == 9
    assert ledger.resume == 4


def test_offsets_are_known_as_next_seen_or_gap() -> None:
    """An offset is the next one, one that was seen, or it leaves some out."""
    ledger = Ledger(3, 3)
    assert ledger.admit(3) is Admission.NEXT
    assert ledger.admit(2) is Admission.SEEN
    assert ledger.admit(4) is Admission.GAP
    ledger.skip_to(4)
    assert ledger.admit(4) is Admission.NEXT


@given(resume=st.integers(0, 2**60), ahead=st.integers(0, 10**6))
def test_a_mark_survives_the_commit(resume: int, ahead: int) -> None:
    """`done` reads back from commit metadata as it was written."""
    assert decode_mark(encode_mark(resume + ahead), resume=resume) == resume + ahead


@given(st.one_of(st.none(), st.text(max_size=40)), st.integers(0, 2**60))
def test_foreign_metadata_means_nothing_is_known(metadata: str | None, resume: int) -> None:
    """Metadata that we did not write never lets a restart skip a record."""
    if metadata is not None and metadata.removeprefix("tacho/1 done=").isdigit():
        return
    assert decode_mark(metadata, resume=resume) == resume


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_resume_never_passes_an_undelivered_record(needs: list[bool], random: object) -> None:
    """Whatever order deliveries come in, every record before `resume` is delivered."""
    ledger = Ledger(0, 0)
    tickets = []
    for offset, sends in enumerate(needs):
        ticket = ledger.begin(offset)
        if sends:
            ticket.sent()
        ticket.close()
        tickets.append(ticket)
    waiting = [ticket for ticket, sends in zip(tickets, needs, strict=True) if sends]
    random.shuffle(waiting)  # type: ignore[attr-defined]
    outstanding = {ticket.offset for ticket in waiting}
    for ticket in waiting:
        assert all(offset >= ledger.resume for offset in outstanding)
        outstanding.discard(ticket.offset)
        ticket.delivered()
    assert ledger.resume == ledger.done == len(needs)
