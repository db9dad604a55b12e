"""The worker end to end, on the real broker: nothing is lost, whatever happens to it."""

import json
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import psutil
import pytest

from tachograph.processors.deadletter import DEAD_LETTERS_PER_WINDOW
from tachograph.processors.worker import DRAIN_S, STOP_S

pytestmark = pytest.mark.engines

BOUND_S = 180.0
PLANTED = b"hunter2-Zq81-do-not-tell"


def headers_of(message: Any) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers()}


def by_uid(messages: Sequence[Any]) -> dict[str, set[bytes]]:
    """Every content that a uid was told with."""
    told: dict[str, set[bytes]] = {}
    for message in messages:
        told.setdefault(headers_of(message)["uid"], set()).add(message.value())
    return told


def uids(records: Sequence[Any]) -> set[str]:
    return {str(record.header.uid) for record in records}


def holds(wanted: set[str]) -> Callable[[list[Any]], bool]:
    return lambda messages: {headers_of(message)["uid"] for message in messages} >= wanted


def assert_told_alike(told: dict[str, set[bytes]]) -> None:
    """Each uid was told with one content only; the first that was not is shown."""
    for uid, contents in told.items():
        assert len(contents) == 1, f"{uid}: {' <> '.join(content.decode() for content in sorted(contents))}"


def work(strand: Any, exchanges: int) -> list[Any]:
    """A session: small exchanges, and every fifth a stream whose secret is cut over two chunks."""
    records = [strand.open()]
    for number in range(exchanges):
        if number % 5 == 4:
            secret = b'data: {"password":"' + PLANTED[:8], PLANTED[8:] + b'"}\n\n', b"data: [DONE]\n\n"
            exchange = strand.new_exchange()
            records.append(strand.request(b"", exchange=exchange))
            records += strand.chunked(secret, exchange=exchange, headers=[EVENT_STREAM])
        else:
            records += strand.exchange(b'{"password":"%s","n":%d}' % (PLANTED, number), b'{"ok":true}')
    return records


TEXT = ("content-type", "text/plain")
EVENT_STREAM = ("content-type", "text/event-stream")


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=BOUND_S)


def listening(pid: int) -> list[Any]:
    """The addresses that a process serves on."""
    return [c.laddr for c in psutil.Process(pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN]


def test_every_record_comes_out_masked(site: Any) -> None:
    """Each raw record has its event under its own uid and key, without the secret that it carried."""
    strand = site.strand()
    site.publish_key(strand)
    records = work(strand, 20)
    site.publish(records)
    worker = site.start()
    assert json.loads(worker.stdout.readline().removeprefix("ready "))["part"] == "process"
    assert listening(worker.pid) == []  # Faust would serve on every address
    masked = site.read(site.topics.masked, holds(uids(records)))
    assert set(by_uid(masked)) == uids(records)
    assert {message.key() for message in masked} == {str(strand.session).encode()}
    assert not any(PLANTED in message.value() or PLANTED[8:] in message.value() for message in masked)
    for message in masked:
        event, headers = json.loads(message.value()), headers_of(message)
        assert event["metadata"]["uid"] == headers["uid"]
        assert headers["content-type"] == "application/json"
    assert site.kill(worker, signal.SIGTERM) == 0


def test_an_end_is_quicker_than_those_who_wait_for_it() -> None:
    """Container runtimes kill after 10 s; the worker ends by itself before, finished or not."""
    assert DRAIN_S < STOP_S < 9


def test_a_second_run_gives_the_same_records(site: Any) -> None:
    """Another group over the same raw topic, killed on its way, tells every uid with the same bytes."""
    strands = [site.strand() for _ in range(3)]
    records = []
    for strand in strands:
        site.publish_key(strand)
        records += work(strand, 30)
    site.publish(records)
    first = site.start()
    once = site.read(site.topics.masked, holds(uids(records)))
    assert site.kill(first, signal.SIGTERM) == 0
    killed = site.start(group="second", fault="after-send:60")
    assert killed.wait(BOUND_S) == -signal.SIGKILL
    site.start(group="second")
    count = len(once)
    both = site.read(site.topics.masked, lambda got: len(got) >= 2 * count)
    assert_told_alike(by_uid(both))
    assert set(by_uid(both)) == uids(records)


def test_kills_in_the_middle_lose_nothing(site: Any) -> None:
    """Killed again and again between any two steps: every uid comes out, duplicates are byte-equal."""
    strands = [site.strand() for _ in range(2)]
    for strand in strands:
        site.publish_key(strand)
    records = [
        record for pair in zip(*(work(strand, 40) for strand in strands), strict=True) for record in pair
    ]
    site.publish(records)
    for fault in ("before-open:3", "after-send:40", "after-mask:25", "after-close:15"):
        killed = site.start(fault=fault)
        assert killed.wait(BOUND_S) == -signal.SIGKILL
    site.start()
    told = by_uid(site.read(site.topics.masked, holds(uids(records))))
    assert set(told) == uids(records)
    assert_told_alike(told)


def test_a_kill_in_the_middle_of_streams_brings_every_chunk(site: Any) -> None:
    """Held chunks are not committed: after a kill the restart finds them, and the body comes out whole."""
    strand = site.strand()
    site.publish_key(strand)
    one, two = strand.new_exchange(), strand.new_exchange()
    asked = [strand.request(b"", exchange=exchange) for exchange in (one, two)]
    streams = [
        strand.chunked([b"data: %d\n\n" % n for n in range(20)], exchange=x, headers=[EVENT_STREAM])
        for x in (one, two)
    ]
    small = [strand.exchange(b"{}", b"{}") for _ in range(20)]
    before = asked + [
        record
        for trio in zip(streams[0][:20], streams[1][:20], small, strict=True)
        for record in (trio[0], trio[1], *trio[2])
    ]
    site.publish(before)
    worker = site.start()
    arrived = uids([record for pair in small for record in pair])
    site.read(site.topics.masked, holds(arrived))
    committed = site.wait_for_commit("first", least=len(asked))  # an earlier one may lie before them
    site.kill(worker)
    assert committed == len(asked)  # behind them lies the first chunk, and its body is still open
    ends = [streams[0][20], streams[1][20]]
    site.publish(ends)
    site.start()
    told = by_uid(site.read(site.topics.masked, holds(uids(before + ends))))
    assert set(told) == uids(before + ends)
    assert_told_alike(told)
    texts = [
        json.loads(next(iter(told[str(end.header.uid)])))["unmapped"]["tacho"].get("body") for end in ends
    ]
    assert texts == ["".join(f"data: {n}\n\n" for n in range(20))] * 2


def test_an_answer_is_masked_by_its_request_over_a_kill(site: Any) -> None:
    """Killed with its requests committed and their answers not there yet, the worker reads them again.

    What a request names a password is masked in the prose of its answer, cut over chunks too, under the same
    pseudonym; a second group that is never killed tells every record with the same bytes.
    """
    strand = site.strand()
    site.publish_key(strand)
    exchanges = [strand.new_exchange() for _ in range(40)]
    asked = [
        strand.request(b'{"password":"%s-%d"}' % (PLANTED, n), exchange=x) for n, x in enumerate(exchanges)
    ]
    site.publish(asked)
    killed = site.start()
    site.read(site.topics.masked, holds(uids(asked)))
    assert site.wait_for_commit("first", least=len(asked)) == len(
        asked
    )  # nothing pins what awaits its answer
    site.kill(killed)
    answers = []
    for number, exchange in enumerate(exchanges):
        said = b"I set %s-%d for you" % (PLANTED, number)
        answers += (
            strand.chunked([said[:15], said[15:]], exchange=exchange, headers=[TEXT])
            if number % 4 == 3
            else [strand.response(said, exchange=exchange, headers=[TEXT])]
        )
    site.publish(answers)
    site.start()
    once = site.read(site.topics.masked, holds(uids(asked + answers)))
    site.start(group="second")
    both = site.read(site.topics.masked, lambda got: len(got) >= 2 * len(once))
    told = by_uid(both)
    assert_told_alike(told)
    bodies = {
        uid: json.loads(next(iter(values)))["unmapped"]["tacho"].get("body") for uid, values in told.items()
    }
    ends = [record for record in answers if record.header.type == "response"]
    for request, answer in zip(asked, ends, strict=True):
        marker = json.loads(bodies[str(request.header.uid)])["password"]
        assert bodies[str(answer.header.uid)] == f"I set {marker} for you"
    assert not any(PLANTED in message.value() for message in both)


def test_an_answer_whose_request_is_gone_is_withheld(site: Any) -> None:
    """Neither in memory nor on the topic: its body is not told by luck, and its facts stay."""
    strand = site.strand()
    site.publish_key(strand)
    answer = strand.response(b"I set %s for you" % PLANTED, exchange=strand.new_exchange(), headers=[TEXT])
    site.publish([strand.open(), answer])
    site.start()
    told = by_uid(site.read(site.topics.masked, holds(uids([answer]))))
    tacho = json.loads(next(iter(told[str(answer.header.uid)])))["unmapped"]["tacho"]
    assert (tacho["withheld"], tacho.get("body")) == ("request-unknown", None)


def test_poisoned_records_go_to_the_dead_letter_and_the_rest_goes_on(site: Any) -> None:
    """What does not open lies in the dead letter exactly as it came, with its reason; the rest comes out."""
    strand, shredded = site.strand(), site.strand()
    site.publish_key(strand)
    site.publish_key(shredded)
    site.shred(shredded)
    good = strand.exchange(b"{}", b"{}")
    broken = strand.open()
    altered = bytearray(strand.open().value)
    altered[-1] ^= 1
    poison = {
        "unknown-version": b"XX" + broken.value[2:],
        "malformed": broken.value[:40],
        "seal-broken": bytes(altered),
        "key-shredded": shredded.open().value,
    }
    site.publish(good[:1])
    for value in poison.values():
        site.produce(value, key=good[0].key)
    site.produce(None, key=good[0].key)
    site.publish(good[1:])
    worker = site.start()
    site.read(site.topics.masked, holds(uids(good)))
    letters = site.read(site.topics.deadletter, lambda got: len(got) >= len(poison) + 1)
    values = {
        headers_of(letter)["reason"]: letter.value() for letter in letters if letter.value() is not None
    }
    assert values == poison
    assert [headers_of(letter)["reason"] for letter in letters if letter.value() is None] == ["malformed"]
    assert all(letter.key() == good[0].key for letter in letters)
    known = next(letter for letter in letters if headers_of(letter)["reason"] == "seal-broken")
    assert headers_of(known)["session"] == str(strand.session)
    assert worker.poll() is None


def test_a_record_waits_for_its_key(site: Any) -> None:
    """A record that is there before its key is processed when the key comes, not dead-lettered."""
    early, other = site.strand(), site.strand()
    site.publish_key(other)
    records = early.exchange(b"{}", b"{}")
    site.publish(records)
    worker = site.start()
    worker.stdout.readline()
    site.publish_key(early)
    told = site.read(site.topics.masked, holds(uids(records)))
    assert set(by_uid(told)) == uids(records)


def test_a_key_that_never_comes_is_a_dead_letter(site: Any) -> None:
    """After a bound, here a short one, and only if the keys topic was read to its end, it is given up."""
    orphan, other = site.strand(), site.strand()
    site.publish_key(other)
    lost, good = orphan.exchange(b"{}", b"{}"), other.exchange(b"{}", b"{}")
    site.publish([lost[0], *good, lost[1]])
    site.start(patch="from tachograph.processors import flow\nflow.KEY_WAIT_S = 2.0\n")
    site.read(site.topics.masked, holds(uids(good)))
    letters = site.read(site.topics.deadletter, lambda got: len(got) >= 2)
    assert [headers_of(letter)["reason"] for letter in letters] == ["key-unavailable"] * 2
    assert {letter.value() for letter in letters} == {record.value for record in lost}


def test_a_flood_of_poison_stops_the_worker(site: Any) -> None:
    """A bad deployment does not empty the topic into the dead letter, not even by restarting."""
    strand = site.strand()
    site.publish_key(strand)
    site.write_keys(bytes(32))  # another key file: nothing opens
    records = [strand.open() for _ in range(300)]
    site.publish(records)
    for _ in range(2):
        worker = site.start()
        assert worker.wait(BOUND_S) == 1
        assert "dead letters" in site.log(worker)
    letters = site.read(site.topics.deadletter, lambda got: len(got) >= DEAD_LETTERS_PER_WINDOW)
    assert len(letters) == DEAD_LETTERS_PER_WINDOW  # all that it speaks of, and no more
    site.write_keys(bytes(range(32)))
    (site.home / "data" / "deadletters-0.json").unlink()
    site.start()
    rest = uids(records) - set(by_uid(letters))
    assert set(by_uid(site.read(site.topics.masked, holds(rest)))) >= rest


def test_two_workers_share_and_take_over(site: Any) -> None:
    """A second worker takes partitions; when one is killed the other brings out everything."""
    strands = [site.strand() for _ in range(6)]
    for strand in strands:
        site.publish_key(strand)
    one, two = site.start(), site.start()
    one.stdout.readline()
    two.stdout.readline()
    records = [record for strand in strands for record in work(strand, 20)]
    site.publish(records[: len(records) // 2])
    site.kill(one)
    site.publish(records[len(records) // 2 :])
    told = by_uid(site.read(site.topics.masked, holds(uids(records))))
    assert set(told) == uids(records)
    assert_told_alike(told)
    assert two.poll() is None


def test_readiness_tells_the_truth(site: Any) -> None:
    """Served where the configuration says; ready once its partitions are its own and Kafka answers."""
    site.settings = {"metrics": "{host: 127.0.0.1, port: 0}"}
    strand = site.strand()
    site.publish_key(strand)
    records = work(strand, 5)
    site.publish(records)
    worker = site.start()
    url = json.loads(worker.stdout.readline().removeprefix("ready "))["metrics"]
    site.read(site.topics.masked, holds(uids(records)))
    deadline = time.monotonic() + BOUND_S
    while (answer := get(f"{url}/readyz")).status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answer.json()["ready"], answer.text
    assert (answer.json()["partitions"], answer.json()["kafka"]) == (2, "answers")
    assert f"tacho_processor_records_total {len(records)}.0" in get(f"{url}/metrics").text
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(BOUND_S) == 0


def test_without_topics_the_worker_says_what_to_do(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics that are not there within the bound: exit 3, and the word `provision`."""
    site.topics = type(site.topics)(site.topics.prefix + "-none")
    worker = site.start(start_s=1.0)
    assert worker.wait(BOUND_S) == 3
    assert "tacho provision" in site.log(worker)
