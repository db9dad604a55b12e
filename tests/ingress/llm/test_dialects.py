"""The path says which protocol is spoken, the content type in which form; another form is not let through."""

from __future__ import annotations

import pytest

from tachograph.ingress.llm.dialects import filter_of
from tachograph.ingress.llm.errors import Unreadable
from tachograph.ingress.llm.stream import StreamFilter
from tachograph.ingress.llm.whole import WholeFilter

SSE = (("Content-Type", "text/event-stream; charset=utf-8"),)
JSON = (("content-type", "application/json"),)


@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1/responses/r_1"]
)
def test_answers_that_may_call_tools_have_a_filter(path: str) -> None:
    """Of a stream and of a whole body."""
    assert isinstance(filter_of(path, SSE), StreamFilter)
    assert isinstance(filter_of(path, JSON), WholeFilter)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/embeddings", "/v1/messages2", "/"])
def test_other_answers_have_none(path: str) -> None:
    """Nothing there calls a tool."""
    assert filter_of(path, SSE) is None


@pytest.mark.parametrize(
    "headers",
    [
        (*SSE, ("Content-Encoding", "gzip")),
        (("Content-Type", "application/x-jsonlines"),),
        (*SSE, *JSON),
        (),
    ],
)
def test_other_forms_are_refused(headers: tuple[tuple[str, str], ...]) -> None:
    """What nobody here reads could hold anything."""
    with pytest.raises(Unreadable):
        filter_of("/v1/messages", headers)
