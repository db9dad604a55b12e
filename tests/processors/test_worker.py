"""The worker end to end, on the real broker: nothing is lost, whatever happens to it."""

import signal
from typing import Any

import pytest

pytestmark = pytest.mark.engines


def test_every_record_comes_out_masked(site: Any) -> None:
    """Each raw record has its event on the masked topic under its own uid, without the secret it carried."""
    strand = site.strand()
    site.publish_key(strand)
    records = [strand.open()]
    for number in range(50):
        records += strand.exchange(b'{"password":"hunter2-%d"}' % number, b'{"ok":true}')
    site.publish(records)
    worker = site.start()
    wanted = {str(record.header.uid) for record in records}
    masked = site.read(site.topics.masked, lambda got: _uids(got) >= wanted)
    assert _uids(masked) == wanted
    assert not any(b"hunter2" in (message.value() or b"") for message in masked)
    assert site.kill(worker, signal.SIGTERM) == 0


def _uids(messages: Any) -> set[str]:
    return {dict(message.headers())["uid"].decode() for message in messages}
