"""A second verifier of bundles, from the pages beside it alone: `python verifier.py BUNDLE POLICY.json`.

Its exit code is the verdict's. It shares no line with Tachograph, nor do the libraries that it needs:
`cryptography`, `jsonschema` and, for time stamps, `rfc3161-client`. Two parts of the specification are read
as data: the verdicts in bundle.md, and shapes.json. Functions named `check_...` give, for each rule of the
pages, a pair: what is wrong if it is true, and the verdict that says so.
"""

import base64
import hashlib
import json
import pathlib
import re
import struct
import sys
import unicodedata
import uuid
import zlib
from collections import Counter
from datetime import UTC, datetime
from itertools import accumulate, pairwise, repeat, takewhile
from types import SimpleNamespace as Facts

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509 import load_pem_x509_certificate
from jsonschema import Draft4Validator, Draft202012Validator, validators
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

PAGES, VERDICT = pathlib.Path(__file__).parent, re.compile(r"^\| (\d+) \| `([a-z0-9-]+)` \|", re.MULTILINE)
CODES = {word: int(code) for code, word in VERDICT.findall((PAGES / "bundle.md").read_text("utf-8"))}
SHAPES = json.loads((PAGES / "shapes.json").read_text("utf-8"))["$defs"]
STRICT = validators.extend(Draft202012Validator, type_checker=Draft4Validator.TYPE_CHECKER)  # 1.0: no integer
FITS = {name: STRICT({"$defs": SHAPES, "$ref": f"#/$defs/{name}"}).is_valid for name in SHAPES}
HEADER, KINDS, SKEW = SHAPES["header"]["properties"], ("record", "deletion", "heartbeat"), 300
WIRE, SHA256 = {*HEADER["type"]["enum"]}, "2.16.840.1.101.3.4.2.1"
FIXED = {"custody.jsonl", "keys.json", "leaves.jsonl", "proofs.jsonl"}
SPACES = {
    "record": "6f0c3b5e-5a53-5d0e-9a35-0d9a6f1c8a11",
    "part": "0b7c52a4-7bd5-5f0a-8f8e-7f6d3a1c9e15",
    "message": "b8b5f3c0-0c8e-5d5c-9d53-6a2f1b3d7e42",
    "deletion": "5d1c6e0b-0d0f-5c8b-9a55-3c0f4b7e2a90",
    "boot": "d8c5f0a2-0c0b-5b6e-9d53-4f1f4f1a7c52",
}
NAME, SIZE = r"[^\s+\x00-\x1f\x7f]{1,255}", r"(0|[1-9][0-9]{0,18})"
NOTE = rf"((?:[^\x00-\x1f\x7f]*\n)+)\n((?:\u2014 {NAME} \S+\n){{1,100}})"
TREE = rf"({NAME})\n{SIZE}\n(\S+)\ntime (\S+)\n(?:offset {SIZE}\n)?(?:(?!(?:time|offset)[ \n]).+\n)*"
TOKENS = r'("([^"\\\x00-\x1f]|\\["\\bfnrt]|\\u00[01][0-9a-f])*+"|[-+.0-9eE]++|[\[\]{}:,]|true|false|null)*+'


class Refused(Exception):
    """Ends the reading of what it is about; its text is the verdict."""


def need(holds, verdict="content-malformed"):
    if not holds:
        raise Refused(verdict)


def tried(errors, function, *given):  # what a function says, or null where it raises one of these
    try:
        return function(*given)
    except errors:
        return None


def heard(words, verdict, function, *given):  # the same, and the verdict joins the words
    try:
        return function(*given)
    except Refused as error:
        words.add(verdict or str(error))


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def uid(space, *parts):
    return str(uuid.uuid5(uuid.UUID(SPACES[space]), "/".join(map(str, parts))))


def unix(time):
    found = tried(ValueError, datetime.fromisoformat, f"{time[:19]}+00:00")
    return int(found.timestamp()) if found else 0


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def parsed(data, shape, verdict="content-malformed"):
    value = tried((ValueError, RecursionError), json.loads, data)
    need(tried(ValueError, canonical, value) == data and FITS[shape](value), verdict)
    return value


def lines(data, shape):
    need(data[-1:] in {b"", b"\n"})
    return [parsed(line, shape) for line in data.split(b"\n")[:-1]]


def unzip(data):
    need(len(data) <= 1 << 30, "bundle-too-large")
    files, directory, at = {}, bytearray(), 0
    while data.startswith(b"PK\3\4", at) and at + 30 <= len(data):
        size, length = struct.unpack_from("<IH", data, at + 22)
        start, name = at + 30 + length, data[at + 30 : at + 30 + length].decode("latin-1")
        need(FITS["file name"](name) and name not in files, "bundle-malformed")
        need(size <= 256 << 20 and len(files) < 65_534, "bundle-too-large")
        files[name] = data[start : start + size]
        same = struct.pack("<5H3I2H", 20, 0, 0, 0, 0x21, zlib.crc32(files[name]), size, size, length, 0)
        need(data[at:start] == b"PK\3\4" + same + name.encode(), "bundle-malformed")
        directory += b"PK\1\2\24\0" + same + struct.pack("<3H2I", 0, 0, 0, 0, at) + name.encode()
        at = start + size
    end = struct.pack("<4H2IH", 0, 0, len(files), len(files), len(directory), at, 0)
    need(data[at:] == directory + b"PK\5\6" + end, "bundle-malformed")
    need([*files] == ["manifest.json", "manifest.note", *sorted([*files][2:])], "bundle-malformed")
    return files


def vkey(text):  # name, key id, and kind with public key
    name, number, public = text.split("+", 2)
    return name, number, base64.b64decode(public)


def note(data, verdict="content-malformed"):  # its text; name, key id and signature of each line
    text = tried(ValueError, data.decode) or ""
    found = len(text) <= 1 << 20 and re.fullmatch(NOTE, text)
    signs = [line.split(" ")[1:] for line in found[2].splitlines()] if found else []
    need(found and all(FITS["base64"](sign) for _, sign in signs), verdict)
    signs = [(name, base64.b64decode(sign)) for name, sign in signs]
    need(all(len(sign) > 4 for _, sign in signs), verdict)
    return Facts(text=found[1], signs=[(name, sign[:4].hex(), sign[4:]) for name, sign in signs])


def ed25519(public, signature, message):
    public = tried(ValueError, Ed25519PublicKey.from_public_bytes, public)
    return public and tried(InvalidSignature, lambda: public.verify(signature, message) is None)


def signed(said, key):  # of each line of a key: null where it is not valid, else a cosignature's time, or 0
    name, number, (kind, *public) = vkey(key)
    mine, found = [sign for who, which, sign in said.signs if (who, which) == (name, number)], []
    for sign in mine:
        time = int.from_bytes(sign[:8]) if kind == 4 else 0
        text = f"cosignature/v1\ntime {time}\n{said.text}" if kind == 4 else said.text
        good = ed25519(bytes(public), sign[8:] if kind == 4 else sign, text.encode())
        found.append(time if good else None)
    return found


def vouched(data, kind, about, keys, verdict):  # it is a note over these bytes, by a key that is not revoked
    said = note(data, verdict)
    by = [key for key in keys if signed(said, key["key"])]
    good = all(None not in signed(said, key["key"]) for key in by)
    need(by and good and said.text == f"tachograph/{kind}/v1\n{sha(about).hex()}\n", verdict)
    need(not all(key.get("revoked") for key in by), "key-revoked")


def climb(one, two, known, path, *, leaf=False):  # RFC 9162, 2.1.3 and 2.1.4: the roots of one and two leaves
    # `known` is the root of `one`, where the path leaves it out, or the last of these leaves itself
    ends, there = [known] * bool(known) + path, two == 1 if leaf else one == two
    if there or not path:
        return ends * 2 if there and len(ends) == 1 else [b"", b""]
    left, last = 1 << (two - 1).bit_length() - 1, path[-1]
    if one > left:
        right = climb(one - left, two - left, known if leaf else b"", path[:-1], leaf=leaf)
        return [sha(b"\1", last, each) for each in right]
    before, after = climb(one, left, known, path[:-1], leaf=leaf)
    return [before, sha(b"\1", after, last)]


def consistent(one, two, path):
    if one.size in {0, two.size}:
        return not path and (one.size == 0 or one.root == two.root)
    return climb(one.size, two.size, one.root, path) == [one.root, two.root]


def checkpoint(number, data, stamp):
    said = note(data)
    need((found := re.fullmatch(TREE, said.text)) and said.text.count("\n") < 20)
    need(FITS["32 bytes"](found[3]) and FITS["time"](found[4]) and int(found[2]) < 1 << 63)
    said.number, said.stamp, said.origin, said.size = number, stamp, found[1], int(found[2])
    said.root, said.time = base64.b64decode(found[3]), unix(found[4])
    need(said.size or said.root == sha())
    return said


def opened(data, policy):  # what a bundle holds; any breach of its form ends the reading
    files = unzip(data)
    raw, sign = files.pop("manifest.json"), files.pop("manifest.note")
    manifest = parsed(raw, "object", "bundle-malformed")
    need(FITS["one"](manifest.get("v")) and manifest.get("bundle") == "tachograph", "version-unknown")
    need(len(note(sign, "exporter-unknown").signs) == 1, "exporter-unknown")
    vouched(sign, "bundle", raw, policy["exporters"], "exporter-unknown")
    need(FITS["manifest"](manifest))
    listed = [{"name": name, "sha256": sha(each).hex(), "size": len(each)} for name, each in files.items()]
    need(manifest["files"] == listed, "bundle-altered")
    need({*files} >= FIXED and lines(files["custody.jsonl"], "custody"))
    leaves, proofs = lines(files["leaves.jsonl"], "line"), lines(files["proofs.jsonl"], "object")
    notes = [each for name, each in files.items() if name.startswith("checkpoints/")]
    points = [checkpoint(n, each, files.get(f"timestamps/{n:08}.tsr")) for n, each in enumerate(notes)]
    names = [f"checkpoints/{point.number:08}.note" for point in points]
    names += [f"timestamps/{point.number:08}.tsr" for point in points if point.stamp is not None]
    for kind in KINDS:
        numbers = [leaf[kind] for leaf in leaves if leaf.get(kind) is not None]
        need(numbers == [*range(len(numbers))])
        names += [f"{kind}s/{number:08}.json" for number in numbers]
    need({*files} == {*names} | FIXED and all(len(point.stamp or b"") <= 64 << 10 for point in points))
    steps = proofs[len(leaves) :]
    need(len(proofs) >= len(leaves) and all(FITS["step"](step) for step in steps))
    rows, logs, by_number = [], {}, dict(enumerate(points))
    for leaf, proof in zip(leaves, proofs, strict=False):
        need(FITS["proof"](proof))
        kind, point = next(kind for kind in KINDS if kind in leaf), by_number.get(proof["checkpoint"])
        document = None if leaf[kind] is None else files[f"{kind}s/{leaf[kind]:08}.json"]
        need((leaf["leaf"] is None) == (leaf["log"] is None) and (leaf["leaf"] or document is not None))
        need(leaf["leaf"] if point else proof["checkpoint"] is None and not proof["path"])
        row = Facts(kind=kind, document=document, leaf=leaf["leaf"], log=leaf["log"], point=point)
        row.hash = row.leaf and bytes.fromhex(row.leaf["leaf"])
        row.path = [*map(bytes.fromhex, proof["path"])]
        rows.append(row)
    for point in points:
        logs.setdefault(point.origin, []).append(point)
    pairs = sorted((two.number, one.number) for log in logs.values() for one, two in pairwise(log))
    need([(step["second"], step["first"]) for step in steps] == pairs)
    keys, session = parsed(files["keys.json"], "keys")["keys"], manifest["session"]
    return Facts(session=session, rows=rows, points=points, logs=logs, steps=steps, keys=keys, words=set())


def check_checkpoints(bundle, policy):
    for point in bundle.points:
        mine = [key for key in policy["logs"] if vkey(key["key"])[0] == point.origin]
        good = [at for key in mine if not key.get("revoked") for at in signed(point, key["key"])]
        revoked = not good and any(signed(point, key["key"]) for key in mine)
        others = [vkey(key) for key in bundle.keys if vkey(key)[2][0] != 1]
        other = not revoked and any(key[:2] == sign[:2] for key in others for sign in point.signs)
        yield None in good, "checkpoint-forged"
        yield revoked, "key-revoked"
        yield not good and other, "algorithm-refused"
        yield not (good or revoked or other), "key-unknown"
    for step in bundle.steps:
        one, two = bundle.points[step["first"]], bundle.points[step["second"]]
        path = [*map(bytes.fromhex, step["path"])]
        yield two.size < one.size, "log-rollback"
        yield two.size >= one.size and not consistent(one, two, path), "log-fork"
        yield two.time < one.time, "checkpoint-backdated"
    for key in (key for key in policy["logs"] if "seen" in key):
        log, seen = bundle.logs.get(vkey(key["key"])[0], ()), key["seen"]
        yield log and log[-1].size < seen["size"], "log-rollback"
        yield any(one.size == seen["size"] and one.root.hex() != seen["root"] for one in log), "log-fork"


def check_ends(bundle, policy):  # what witnesses and authorities say of the end of each log
    rule, stamping = policy.get("witnesses", {}), policy.get("timestamps", {})
    roots = [load_pem_x509_certificate(pem.encode()) for pem in stamping.get("roots", ())]
    for point in (point for point in bundle.points if roots and point.stamp is not None):
        point.stamped = stamp_time(point, roots)
        yield point.stamped is None, "timestamp-forged"
        yield point.stamped and abs(point.stamped - point.time) > SKEW, "checkpoint-backdated"
    used = {row.point.number for row in bundle.rows if row.point}
    for log in bundle.logs.values():
        end = log[max((n for n, point in enumerate(log) if point.number in used), default=0) :]
        for point in end:
            times = [signed(point, key) for key in {*rule.get("keys", ())}]
            good = [at for each in times for at in each if at is not None]
            point.witnesses = sum(any(at is not None for at in each) for each in times)
            yield any(None in each for each in times), "checkpoint-forged"
            yield any(abs(at - point.time) > SKEW for at in good), "checkpoint-backdated"
        stamped = any(getattr(point, "stamped", None) for point in end)
        yield max(point.witnesses for point in end) < rule.get("required", 0), "witness-missing"
        yield stamping.get("required") and not stamped, "timestamp-missing"


def stamp_time(point, roots):  # when an authority saw the checkpoint; null where its time stamp is not good
    verify, digest = VerifierBuilder(roots=roots).build().verify, sha(point.text.encode())
    answer = tried(ValueError, decode_timestamp_response, point.stamp)
    good = answer and tried((VerificationError, ValueError), verify, answer, digest)
    good = good and answer.tst_info.message_imprint.hash_algorithm.dotted_string == SHA256
    return int(answer.tst_info.gen_time.timestamp()) if good else None


def distinct(pairs):
    need(len({unicodedata.normalize("NFC", name) for name, _ in pairs}) == len(pairs), "json-ambiguous")
    return dict(pairs)


def document(data):  # its facts, its day, and of one of the wire the canonical header
    text = tried(ValueError, data.decode) or ""
    bare = re.sub(r'"(?:[^"\\]|\\.)*+"', "", text, flags=re.DOTALL)
    depth = max(accumulate((c in "[{") - (c in "]}") for c in bare), default=0)
    need(re.fullmatch(TOKENS, text) and depth <= 64, "json-ambiguous")
    value = tried(ValueError, json.JSONDecoder(object_pairs_hook=distinct).decode, text)
    need(type(value) is dict, "json-ambiguous")
    need(FITS["document"](value), "header-malformed")
    tacho, time = value["unmapped"]["tacho"], value["time"]
    need(tacho["uid"] == value["metadata"]["uid"], "header-malformed")
    day = f"{datetime.fromtimestamp(time // 1000, UTC):%Y-%m-%d}" if 0 <= time < 253402300800000 else ""
    own, place, header = None, tacho.get("part"), None
    if tacho["type"] in WIRE:
        need(float not in {type(tacho.get(name)) for name in ("v", "seq", "raw_len")}, "json-ambiguous")
        header = {name: tacho[name] for name in HEADER if name in tacho}
        need(FITS["header"](header), "header-malformed")
        own, header = uid("record", tacho["session"], tacho["epoch"], tacho["seq"]), canonical(header)
    elif tacho["type"] == "message":
        own = spoken(tacho, day, tacho["message"]["hash"])
    if place and tacho["type"] in {"message", "part"}:
        own = uid("part", own or place["of"], place["index"])
    need(own in {None, tacho["uid"]}, "uid-forged")
    names = {name: tacho[name] for name in ("uid", "session", "type")}
    return Facts(all=tacho, day=day, header=header, **names)


def spoken(tacho, day, name):  # the uid of a message
    return uid("message", tacho["session"], tacho.get("connection") or "", day, name)


def check_rows(bundle, policy):  # each line by itself; notes beside it what its document says
    for row in bundle.rows:
        leaf, point, data, row.said = row.leaf, row.point, row.document, None
        row.proven = point and point.origin == row.log and leaf["index"] < point.size
        if row.proven:
            row.proven = climb(leaf["index"] + 1, point.size, row.hash, row.path, leaf=True)[1] == point.root
        row.genuine = data is not None and row.hash in {None, sha(b"\0", data)}
        altered = data is not None and not row.genuine
        inner = altered and sha(b"\1", data) == row.hash
        yield not point, "record-unsealed"
        yield point and not row.proven, "proof-broken"
        yield inner, "leaf-node-confusion"
        yield altered and not inner, "record-altered"
        row.said = said = data is not None and heard(bundle.words, None, document, data)
        if not said:
            continue
        told, rules, known = said.all, said.all.get("ruleset"), policy.get("rulesets")
        agrees = [said.uid, said.session, said.type, said.day.replace("-", ".")]
        yield leaf and agrees != [leaf[name] for name in ("uid", "session", "type", "day")], "leaf-disagrees"
        ours, apart = said.session == bundle.session, row.kind == "heartbeat"
        yield ours if apart else not ours, "session-spliced"
        yield apart and said.type not in {"session.open", "heartbeat"}, "session-spliced"
        ruled = rules and type(rules) is str and (known is None or rules in known)
        yield not ruled and (rules is not None or (said.header and "body" in told)), "ruleset-refused"
        yield said.header and point and unix(told["ts"]) > point.time + SKEW, "checkpoint-backdated"


def statement(said, bundle, policy):  # what a deletion states
    stated, sign = said.all.get("deletion"), said.all.get("deletion_note")
    need(FITS["deletion"](stated) and type(sign) is str and stated["session"] == bundle.session)
    need(stated["type"] == said.type and said.uid == uid("deletion", sha(canonical(stated)).hex()))
    need(all(one[0] < two[0] for one, two in pairwise(stated["records"])))
    vouched(sign.encode(), "deletion", canonical(stated), policy.get("deletions", ()), "content-malformed")
    return stated


def check_deletions(bundle, policy):  # notes the state of each line, and what the deleted ones named
    stated, bundle.names = {}, set()
    for row in (row for row in bundle.rows if row.kind == "deletion" and row.said):
        said = heard(bundle.words, "deletion-unauthorised", statement, row.said, bundle, policy)
        if said and row.genuine and row.proven and row.log == said["log"]:
            bundle.names.update(said.get("names", ()))
            for item in said["records"]:
                named = stated.setdefault((row.log, said["session"], *item), [])
                named.append((row.leaf["index"], said["type"]))
    for row in bundle.rows:
        leaf, gone = row.leaf, row.document is None
        row.name = leaf and (row.log, *(leaf[name] for name in ("session", "index", "day", "type", "uid")))
        why = {kind for index, kind in stated.get(row.name, ()) if gone and index > leaf["index"]}
        state = "ERASED" if "erasure" in why else "EXPIRED" if why else "MISSING"
        row.state = "PRESENT" if row.genuine else state
        yield gone and not why, "document-missing"
    yield not {*stated} <= {row.name for row in bundle.rows}, "record-missing"


def attested(said, boots, over, beats, gateways):  # notes a boot's key and what it ended, or a heartbeat
    name, bad = "heartbeat" if said.type == "heartbeat" else "boot", "heartbeat-forged"
    told, sign = said.all.get(name), said.all.get("signature")
    need(FITS[name](told) and said.session == uid("boot", told["boot"]), bad)
    if name == "boot":
        vouched(str(said.all.get("boot_note")).encode(), "boot", canonical(told), gateways, bad)
        need(boots.setdefault(told["boot"], told["key"]) == told["key"], bad)
        over.update(told.get("ended", ()))
        return
    key, message = boots.get(told["boot"], ""), b"tachograph/heartbeat/v1\n" + canonical(told)
    need(FITS["base64"](sign) and ed25519(base64.b64decode(key), base64.b64decode(sign), message), bad)
    beats.append(told)


def check_strand(strand, links, told, beats, over):  # notes how many records are missing, and which are not
    # `links`: lines by seq; `strand.lost`: types of leaves by uid; `told`: heartbeats and what they say of it
    def at(seq):
        return links[seq].said.type if seq in links else strand.lost.get(uid("record", *strand.name, seq))

    most = max((item["records"] for _, item in told), default=0)
    strand.gone, strand.places = most, set()
    if not links and not at(0):
        yield True, "strand-missing"
        return
    end = max(links, default=most - 1 if at(most - 1) else 0)
    while at(end + 1):
        end += 1
    seen = takewhile(lambda seq: at(seq) or next(strand.looks, 0), range(end + 1))
    there = {*links} | {seq for seq in seen if at(seq)}
    strand.gone, strand.places = end + 1 - len(there), {uid("record", *strand.name, seq) for seq in there}
    yield strand.gone, "record-missing"
    for seq, row in links.items():
        tacho, before, kind = row.said.all, links.get(seq - 1), row.said.type
        prev = "0" * 64 if seq == 0 else sha(before.said.header).hex() if before else tacho["prev"]
        last = (seq, tacho.get("records"), tacho.get("last", prev)) == (end, seq + 1, prev)
        yield (kind == "session.open") != (seq == 0) or tacho["prev"] != prev, "chain-broken"
        yield kind == "session.close" and not last, "chain-broken"
    for _, item in told:
        row = links.get(item["records"] - 1)
        yield row and sha(row.said.header).hex() != item["head"], "chain-broken"
        yield end >= item["records"] and not item["open"], "chain-broken"
    beat, item = max(told, key=lambda pair: pair[0]["number"], default=({}, {"open": False}))
    later = [one for one in beats if one["boot"] == beat.get("boot") and one["number"] > beat["number"]]
    is_open = item["open"] and all(one["at"] == beat["at"] for one in later)
    cut, closed = most > end + 1, at(end) == "session.close"
    yield cut or not (closed or is_open), "tail-missing"
    ended = "session-cut" if beat.get("boot") in over else "session-open"
    yield is_open and not cut and not closed, ended


def check_session(bundle, policy):  # what only all lines together show; notes how many records left no trace
    asked, boots, over, beats, strands, told = "gateways" in policy, {}, set(), [], {}, {}
    placed, looks = set(), repeat(1, 100_000)
    every = [row.said for row in bundle.rows if row.said]
    for said in sorted(every, key=lambda said: said.type == "heartbeat"):
        if asked and (said.type == "heartbeat" or (said.type == "session.open" and "boot" in said.all)):
            heard(bundle.words, None, attested, said, boots, over, beats, policy["gateways"])
    records = [row for row in bundle.rows if row.kind != "heartbeat"]
    ours = [row for row in records if row.said and row.said.session == bundle.session]
    gone = [row.leaf for row in records if row.document is None and row.leaf["uid"]]
    lost, bundle.gone = {leaf["uid"]: leaf["type"] or "none" for leaf in gone}, 0
    for row in (row for row in ours if row.said.header):
        strands.setdefault(row.said.all["epoch"], {}).setdefault(row.said.all["seq"], row)
    for beat in beats:
        for item in (item for item in beat["strands"] if item["session"] == bundle.session):
            told.setdefault(item["epoch"], []).append((beat, item))
    for epoch in [*sorted(strands), *sorted({*told} - {*strands})]:
        strand = Facts(name=(bundle.session, epoch), lost=lost, looks=looks)
        yield from check_strand(strand, strands.get(epoch, {}), told.get(epoch, ()), beats, over)
        yield asked and epoch not in told, "heartbeat-missing"
        bundle.gone, placed = bundle.gone + strand.gone, placed | strand.places
    own = {leaf["uid"] for leaf in gone if leaf["session"] == bundle.session}
    stray = [lost[name] for name in own - placed]
    opens, closes = stray.count("session.open"), stray.count("session.close")
    yield asked and WIRE & {*stray}, "heartbeat-missing"
    yield not asked and WIRE & {*stray} and opens < max(1, closes), "record-missing"
    yield not asked and opens > closes, "tail-missing"
    missing = absent([row.said for row in ours], bundle.names, {row.said.uid for row in ours} | {*lost})
    bundle.gone += len(missing)
    yield missing, "part-missing"
    wired = any((row.said and row.said.header) or (row.leaf and row.leaf["type"] in WIRE) for row in records)
    yield not wired, "session-missing"
    order = sorted((row.log, row.leaf["index"], row.leaf["offset"]) for row in bundle.rows if row.leaf)
    for one, two in pairwise(order):
        yield one[0] == two[0] and (one[1] == two[1] or one[2] >= two[2]), "leaf-disagrees"


def absent(ours, names, known):  # what documents and deletions (by `names`) name, and is not among the known
    missing = names - known
    for said in ours:
        message, talk = said.all.get("message"), said.all.get("conversation")
        if said.type == "message":
            named = [message["parent"]] if message["index"] else []
        else:
            named = [talk["head"]] if talk else []
        missing |= {spoken(said.all, said.day, name) for name in named} - known
        parts = (uid("part", said.uid, index + 1) for index in range(said.all.get("body_parts", 0)))
        missing |= {next((part for part in parts if part not in known), None)} - {None}
    return missing


def check_twins(bundle, _):  # what it means that a uid has several hashes
    versions = {}
    for row in bundle.rows:
        name = row.said.uid if row.said else row.leaf["uid"] if row.state == "MISSING" else None
        digest = row.leaf["leaf"] if row.leaf else sha(b"\0", row.document).hex()
        versions.setdefault(name, {}).setdefault(digest, row.said)
    for said in (said.values() for name, said in versions.items() if name):
        there = [one for one in said if one]
        rules = {str(one.all.get("ruleset")) for one in there} - {"None"}
        forked = len({one.header for one in there}) > 1
        twice = len(there) == len(said) == len(rules) and all(one.header for one in there)
        yield forked, "session-forked"
        yield len(said) > 1 and not forked and not twice, "same-id-other-body"


def judge(data, policy):
    """The verdict, and how many records are in which state."""
    words, states = set(), dict.fromkeys(("PRESENT", "EXPIRED", "ERASED", "MISSING"), 0)
    bundle = heard(words, None, opened, data, policy)
    if not bundle:
        return words.pop(), states
    for check in (check_checkpoints, check_ends, check_rows, check_deletions, check_session, check_twins):
        words |= {word for is_wrong, word in check(bundle, policy) if is_wrong}
    words |= bundle.words
    states |= Counter(row.state for row in bundle.rows if row.kind != "heartbeat")
    states["MISSING"] += bundle.gone
    good = "reduced" if states["EXPIRED"] + states["ERASED"] else "complete"
    return min(words, key=CODES.get, default=good), states


if __name__ == "__main__":
    bundle_file, policy_file = map(pathlib.Path, sys.argv[1:])
    with bundle_file.open("rb") as file:
        answer, counts = judge(file.read((1 << 30) + 1), json.loads(policy_file.read_text("utf-8")))
    print(f"{answer}: " + ", ".join(f"{count} {state}" for state, count in counts.items()))
    sys.exit(CODES[answer])
