"""Which heartbeats a bundle gets, from events in memory that are asked as OpenSearch is."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from tachograph.cli.evidence.heartbeats import CANDIDATES, Candidate, Wanted, heartbeats_wanted
from tachograph.forensics.bundle.assemble import LogPart
from tachograph.forensics.published import Published
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.leaf import Leaf

SESSION, OTHER, GATEWAY = "s1", "s2", "g1"


class Events:
    """As much of a search engine as is asked for."""

    def __init__(self) -> None:
        self.stored: list[dict[str, Any]] = [
            {"_id": "boot", "time": 0, "type": "session.open", "session": GATEWAY, "epoch": "own"}
        ]

    def record(self, session: str, epoch: str) -> None:
        self.stored.append({"_id": f"{session}/{epoch}", "time": 1, "session": session, "epoch": epoch})

    def beat(self, *named: tuple[str, str, bool]) -> str:
        number = len(self.stored)
        strands = [{"session": session, "epoch": epoch, "open": open_} for session, epoch, open_ in named]
        beat = {"boot": "b1", "number": number, "strands": strands}
        self.stored.append(
            {"_id": f"beat{number}", "time": number, "session": GATEWAY, "epoch": "own", "heartbeat": beat}
        )
        return f"beat{number}"

    def forged(self, told: object) -> str:
        """A document that anybody put there, which names the first strand as far as a search can tell."""
        name = f"forged{len(self.stored)}"
        found = [{"session": SESSION, "epoch": "e1"}]
        self.stored.append(
            {"_id": name, "time": 2**42, "session": GATEWAY, "epoch": "own", "heartbeat": {"strands": found}}
        )
        self.stored[-1]["told"] = told
        return name

    def follows(self, boot: str, *ended: str) -> str:
        """Another boot begins, and says that these are over."""
        said = {"boot": boot, "ended": list(ended)} if ended else {"boot": boot}
        kind = {"type": "session.open", "session": boot, "epoch": boot, "principal.kind": "gateway"}
        self.stored.append({"_id": f"opens {boot}", "time": len(self.stored), "boot": said, **kind})
        return f"opens {boot}"

    def ask(self, body: Mapping[str, Any]) -> dict[str, Any]:
        found = [item for item in self.stored if _matches(item, body["query"])]
        if "aggs" in body:
            epochs = dict.fromkeys(item["epoch"] for item in found)
            return {"aggregations": {"epochs": {"buckets": [{"key": epoch} for epoch in epochs]}}}
        found.sort(key=lambda item: int(item["time"]), reverse=body["sort"][0]["time"]["order"] == "desc")
        return {"hits": {"hits": [_hit(item) for item in found[: body["size"]]]}}


def _hit(item: dict[str, Any]) -> dict[str, Any]:
    told = {"session": item["session"], "heartbeat": item.get("heartbeat", {}), "boot": item.get("boot")}
    told = item.get("told", told)
    return {"_id": item["_id"], "_index": "events", "_source": {"unmapped": {"tacho": told}}}


def _matches(item: dict[str, Any], query: Mapping[str, Any]) -> bool:
    if "bool" in query:
        parts = query["bool"]
        wanted = all(_matches(item, one) for one in parts.get("filter", []))
        return wanted and not any(_matches(item, one) for one in parts.get("must_not", []))
    ((kind, told),) = query.items()
    ((name, value),) = told.items()
    values = value if kind == "terms" else [value]
    return any(one in values for one in _values(item, name.removeprefix("unmapped.tacho.")))


def _values(item: dict[str, Any], name: str) -> list[Any]:
    if name.startswith("heartbeat.strands."):
        return [one[name.rpartition(".")[2]] for one in item.get("heartbeat", {}).get("strands", [])]
    if name == "heartbeat.boot":
        return [item["heartbeat"].get("boot")] if "heartbeat" in item else []
    return [item.get(name)]


def newest(events: Events) -> list[str]:
    """The first of each group, sorted."""
    return sorted(group[0].uid for group in heartbeats_wanted(events, SESSION).groups)


def test_a_closed_strand_has_the_last_heartbeat_that_names_it() -> None:
    """And the certificate of its boot; later ones say nothing of it."""
    events = Events()
    events.record(SESSION, "e1")
    events.beat((SESSION, "e1", True), (OTHER, "e9", True))
    last = events.beat((SESSION, "e1", False))
    events.beat((OTHER, "e9", True))
    assert newest(events) == sorted([last, "boot"])


def test_an_open_strand_has_also_the_last_one_of_its_boot() -> None:
    """That nothing later says otherwise is shown by what comes later."""
    events = Events()
    events.record(SESSION, "e1")
    named = events.beat((SESSION, "e1", True))
    later = events.beat((OTHER, "e9", True))
    assert newest(events) == sorted([named, later, "boot"])


def test_of_a_boot_that_was_killed_its_successor_is_asked() -> None:
    """Only the one that says so, and only where a strand was left open."""
    events = Events()
    events.record(SESSION, "e1")
    named = events.beat((SESSION, "e1", True))
    events.follows("b2")
    after = events.follows("b3", "b0", "b1")
    events.follows("b4", "b2")
    assert newest(events) == sorted([named, named, "boot", after])
    last = events.beat((SESSION, "e1", False))
    assert newest(events) == sorted([last, "boot"])


def test_strands_that_only_heartbeats_know_are_found() -> None:
    """One that is named alone, and one that is named only beside its successor."""
    events = Events()
    events.record(SESSION, "e2")
    alone = events.beat((SESSION, "e0", False))
    both = events.beat((SESSION, "e1", False), (SESSION, "e2", True))
    last = events.beat((SESSION, "e2", False))
    assert newest(events) == sorted([alone, both, last, "boot"])


def test_nobody_says_anything_of_a_session_from_before_there_were_heartbeats() -> None:
    """Then nothing is wanted."""
    events = Events()
    events.record(SESSION, "e1")
    assert heartbeats_wanted(events, SESSION) == Wanted()


def test_what_a_gateway_says_of_itself_is_among_its_own_records() -> None:
    """Its own session needs nothing beside it."""
    events = Events()
    events.beat((GATEWAY, "own", True))
    assert heartbeats_wanted(events, GATEWAY) == Wanted()


NAMED = {"session": SESSION, "epoch": "e1", "open": True}


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        "text",
        {"session": "x"},
        {"session": "x", "heartbeat": []},
        {"session": "x", "heartbeat": {"strands": [NAMED]}},
        {"session": "x", "heartbeat": {"boot": ["b"], "strands": [NAMED]}},
        {"session": 7, "heartbeat": {"boot": "b", "strands": [NAMED]}},
        {"session": "x", "heartbeat": {"boot": "b", "strands": 7}},
        {"session": "x", "heartbeat": {"boot": "b", "strands": NAMED}},
        {"session": "x", "heartbeat": {"boot": "b", "strands": [NAMED, None]}},
        {"session": "x", "heartbeat": {"boot": "b", "strands": [{"session": SESSION, "epoch": "e1"}]}},
        {"session": "x", "heartbeat": {"boot": "b", "strands": [NAMED | {"epoch": {}}]}},
        {"session": "x", "heartbeat": {"boot": "b", "strands": [NAMED]}},
    ],
)
def test_a_forged_heartbeat_keeps_no_other_out(told: object) -> None:
    """Whatever its form: it is a candidate, and what the gateway's own need is wanted too."""
    events = Events()
    events.record(SESSION, "e1")
    named = events.beat((SESSION, "e1", True))
    forged = events.forged(told)
    groups = heartbeats_wanted(events, SESSION).groups
    assert [item.uid for item in groups[0]] == [forged, named]
    assert {named, "boot"} <= {group[0].uid for group in groups[1:] if group}


@pytest.mark.parametrize("boot", ["b", [], {"ended": 7}, {"ended": None}, {"ended": [{}, "b1"]}])
def test_a_forged_certificate_says_of_no_boot_that_it_is_over(boot: object) -> None:
    """One that is not in form is passed over."""
    events = Events()
    events.record(SESSION, "e1")
    named = events.beat((SESSION, "e1", True))
    events.follows("b3", "b1")
    events.stored[-1]["told"] = {"session": "b3", "boot": boot}
    assert newest(events) == sorted([named, named, "boot"])


def test_there_are_only_so_many_candidates() -> None:
    """A day of heartbeats is thousands."""
    events = Events()
    for _ in range(CANDIDATES + 5):
        events.beat((SESSION, "e1", True))
    assert {len(group) for group in heartbeats_wanted(events, SESSION).groups} == {CANDIDATES, 1}


def test_the_newest_sealed_one_is_picked() -> None:
    """Else the newest; leaves of the others stay out of the bundle."""
    uids = [str(UUID(int=number)) for number in range(3)]
    newer, older = Candidate(uids[2], "i2"), Candidate(uids[1], "i1")
    wanted = Wanted(((newer, older), ()))
    leaves = tuple(
        Leaf(index=number, offset=number, leaf="0" * 64, type="heartbeat", uid=UUID(uid))
        for number, uid in enumerate(uids)
    )
    note = Published("", Checkpoint("log", 2, bytes(32), time="2026-11-23T06:00:00Z"), None)
    log = LogPart("log", (), leaves, (note,))
    picked = wanted.picked([log])
    assert picked == {uids[1]: "i1"}
    (kept,) = wanted.without_others([log], picked)
    assert [str(leaf.uid) for leaf in kept.leaves] == uids[:2]
    assert wanted.picked([]) == {uids[2]: "i2"}
