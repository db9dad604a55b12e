"""The answers to operators' three questions."""

import orjson

from tachograph.operations.answers import Readiness, answer


def ask(path: str, readiness: Readiness | None = None) -> tuple[int, bytes]:
    found = answer(path, lambda: readiness or Readiness(), lambda: b"tacho_x 1\n")
    return found.status, found.body


def test_three_paths_and_nothing_else() -> None:
    """A query is passed over, as scrapers send them."""
    assert ask("/healthz") == (200, b"ok\n")
    assert ask("/metrics?x=1") == (200, b"tacho_x 1\n")
    assert ask("/")[0] == 404


def test_not_ready_is_503_with_the_reason_and_the_counts() -> None:
    """So that a load balancer and a person both understand."""
    status, body = ask("/readyz?verbose", Readiness("", {"partitions": 2}))
    assert (status, orjson.loads(body)) == (200, {"ready": True, "refusing": "", "partitions": 2})
    status, body = ask("/readyz", Readiness("Kafka does not answer"))
    assert (status, orjson.loads(body)) == (503, {"ready": False, "refusing": "Kafka does not answer"})
