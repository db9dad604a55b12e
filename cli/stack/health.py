"""When an engine serves: asked the way its clients ask, within a named bound."""

import httpx
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tachograph.cli.stack import ports

_ASK_TIMEOUT = 5.0  # s for one question


class KafkaHealth:
    """Asks a broker for its cluster's metadata, with one client, made when the port first answers."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._client: AdminClient | None = None

    def __call__(self) -> bool:
        """Whether the broker answers and counts itself in."""
        if not ports.answers(self._port):
            return False
        self._client = self._client or AdminClient(
            {
                "bootstrap.servers": f"{ports.LOOPBACK}:{self._port}",
                "reconnect.backoff.ms": 50,
                "log_level": 0,
            }
        )
        try:
            return bool(self._client.list_topics(timeout=_ASK_TIMEOUT).brokers)
        except KafkaException:
            return False


class OpenSearchHealth:
    """Asks a node for its cluster's state."""

    def __init__(self, port: int) -> None:
        self._url = f"http://{ports.LOOPBACK}:{port}/_cluster/health?wait_for_status=yellow&timeout=1s"

    def __call__(self) -> bool:
        """Whether the node serves and every primary shard is there."""
        try:
            answer = httpx.get(self._url, timeout=_ASK_TIMEOUT, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK and answer.json()["status"] in {"yellow", "green"}
