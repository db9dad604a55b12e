"""What the agent is told when nobody can be asked."""

from __future__ import annotations

import orjson
import pytest

from tachograph.ingress.approval.errors import ApprovalsAway, ApprovalsFull
from tachograph.ingress.errors import Overload
from tachograph.ingress.refusals import refuse
from tachograph.schemas.event import Protocol


@pytest.mark.parametrize("error", [ApprovalsAway("no answer"), ApprovalsFull("1000 wait")])
@pytest.mark.parametrize("protocol", Protocol)
def test_it_is_a_503_that_says_when_to_come_again(error: Overload, protocol: Protocol) -> None:
    """In every protocol's shape, with Retry-After: nobody has said no."""
    refusal = refuse(error, protocol=protocol)
    assert refusal.status == 503
    assert int(dict(refusal.headers)["Retry-After"]) > 0
    assert error.detail in str(orjson.loads(refusal.body))
