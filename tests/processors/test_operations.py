"""The operators' address: alive, ready or why not, and the counts."""

import json
import socket

import httpx
from structlog.testing import capture_logs

from tachograph.processors.metrics import Metrics
from tachograph.processors.operations import serve
from tachograph.processors.readiness import Verdict
from tachograph.schemas.config import Listen

WAIT_S = 20.0


def get(url: str) -> tuple[int, str]:
    answer = httpx.get(url, timeout=WAIT_S)
    return answer.status_code, answer.text


def test_it_answers_three_questions() -> None:
    """Alive always; ready with 200, or 503 and the reason; every documented metric; and nothing else."""
    metrics = Metrics()
    verdicts = [Verdict("", {"partitions": 2}), Verdict("Kafka does not answer", {})]
    url = serve(Listen(port=0), metrics.registry, lambda: verdicts.pop(0))
    assert get(f"{url}/healthz") == (200, "ok\n")
    status, body = get(f"{url}/readyz?verbose")
    assert (status, json.loads(body)) == (200, {"ready": True, "refusing": "", "partitions": 2})
    status, body = get(f"{url}/readyz")
    assert (status, json.loads(body)) == (503, {"ready": False, "refusing": "Kafka does not answer"})
    metrics.records.inc()
    assert "tacho_processor_records_total 1.0" in get(f"{url}/metrics")[1]
    assert get(f"{url}/")[0] == 404


def test_a_port_in_use_is_said_and_survived() -> None:
    """Records matter more than their count; the log names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as logs:
        listen = Listen(port=taken.getsockname()[1])
        assert serve(listen, Metrics().registry, lambda: Verdict("", {})) is None
    assert "processor.metrics" in logs[0]["event"]
