"""What is good once is good once."""

import pytest

from tachograph.identity.errors import LoginRefused, Unproven
from tachograph.identity.saml.one_time import (
    KEEP_SECONDS,
    LOGIN_SECONDS,
    MAX_OPEN,
    MAX_USED,
    OpenRequests,
    UsedAssertions,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_request_is_taken_once_and_in_its_time() -> None:
    """Unknown, taken before, or over: the three are refused alike."""
    clock = Clock()
    requests = OpenRequests(monotonic=clock)
    requests.add("a")
    requests.add("b")
    requests.take("a")
    clock.now = LOGIN_SECONDS
    for name in ("a", "b", "c"):
        with pytest.raises(LoginRefused):
            requests.take(name)
    assert len(requests) == 0


def test_the_oldest_request_makes_room() -> None:
    """Whoever begins many logins takes bounded memory."""
    requests = OpenRequests(monotonic=Clock())
    for number in range(MAX_OPEN + 1):
        requests.add(str(number))
    assert len(requests) == MAX_OPEN
    with pytest.raises(LoginRefused):
        requests.take("0")
    requests.take("1")


def test_an_assertion_is_used_once_while_it_could_come_again() -> None:
    """And its id is forgotten only when no answer could carry it any more."""
    clock = Clock()
    used = UsedAssertions(monotonic=clock)
    used.use("a")
    clock.now = KEEP_SECONDS - 1
    with pytest.raises(Unproven):
        used.use("a")
    clock.now = KEEP_SECONDS
    used.use("a")


def test_nobody_is_let_in_whom_there_is_no_room_to_remember() -> None:
    """Full is a refusal until the oldest are over."""
    clock = Clock()
    used = UsedAssertions(monotonic=clock)
    for number in range(MAX_USED):
        used.use(str(number))
    with pytest.raises(LoginRefused):
        used.use("one more")
    clock.now = KEEP_SECONDS
    used.use("one more")
    assert len(used) == 1
