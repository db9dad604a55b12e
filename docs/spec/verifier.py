# fmt: off
# ruff: noqa: E401, E501, I001  a page of rules is a page of code here: 300 lines in all
"""A second verifier of bundles, from the pages beside it alone: `python verifier.py BUNDLE POLICY.json`.
It shares no line with Tachograph's own and needs only Python and `cryptography`; its exit code is the verdict's."""

import base64, datetime, hashlib, json, re, struct, sys, unicodedata, uuid, zlib
from itertools import accumulate, pairwise
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WORDS = """complete bundle-malformed bundle-too-large version-unknown exporter-unknown bundle-altered content-malformed key-unknown
    key-revoked algorithm-refused checkpoint-forged log-fork log-rollback checkpoint-backdated witness-missing leaf-node-confusion
    record-altered proof-broken record-unsealed leaf-disagrees json-ambiguous header-malformed uid-forged session-spliced session-forked
    same-id-other-body chain-broken ruleset-refused session-missing record-missing tail-missing document-missing part-missing"""
CODES = dict(zip(WORDS.split(), (0, *range(10, 16), *range(20, 28), *range(30, 35), *range(40, 48), *range(50, 55)), strict=True))
NAMES = r"manifest\.(json|note)|(leaves|proofs|custody)\.jsonl|keys\.json|records/[0-9]{8}\.json|checkpoints/[0-9]{8}\.note"
HEX, GUID, SECOND = r"[0-9a-f]{64}", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
TIME, VKEY = SECOND + r"(\.[0-9]{1,9})?Z", r"[^\s+]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{4,}={0,2}"
WIRE = {"session.open", "request", "chunk", "response", "decision", "session.close", "heartbeat"}
# A rule is a regular expression or a type; in a tuple, null is good as well.
LEAF = {"v": "1", "index": int, "offset": int, "leaf": HEX, "type": ".{0,64}", "uid": (GUID,), "session": (GUID,), "day": (r"[0-9]{4}\.[0-9]{2}\.[0-9]{2}",)}
CUSTODY = {"action": str, "at": TIME, "by": str, "found": dict, "query": str, "tool": str}
MANIFEST = {"v": "1", "bundle": "tachograph", "created": TIME, "files": list, "session": GUID, "tool": str}
HEADER = {
    "v": "1", "uid": GUID, "type": "|".join(WIRE), "ts": SECOND + r"\.[0-9]{9}Z", "session": GUID, "epoch": GUID,
    "seq": int, "prev": HEX, "exchange": (GUID,), "connection": ("[a-z0-9_.-]{1,64}",), "protocol": ("http|llm|mcp",),
    "direction": "request|response|none", "principal": dict, "agent": dict, "trace": (dict,), "raw_commit": HEX,
    "raw_len": int, "incomplete": bool, "registry": "[0-9a-f]{16}"}
TOKENS = re.compile(r'("([^"\\\x00-\x1f]|\\["\\bfnrt]|\\u00[01][0-9a-f])*+"|[-+.0-9eE]++|[\[\]{}:,]|true|false|null)*+')
SKEW, UIDS, PARTS = 300, uuid.UUID("6f0c3b5e-5a53-5d0e-9a35-0d9a6f1c8a11"), uuid.UUID("0b7c52a4-7bd5-5f0a-8f8e-7f6d3a1c9e15")

class Verdict(Exception):
    """Ends the reading; its text is the verdict."""
def need(holds, verdict="content-malformed"):
    if not holds:
        raise Verdict(verdict)
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def fits(rule, value):
    if isinstance(rule, tuple) or rule in {"1", int}:
        return value is None or fits(rule[0], value) if isinstance(rule, tuple) else type(value) is int and (value == 1 if rule == "1" else 0 <= value < 2**53)
    return type(value) is rule if isinstance(rule, type) else isinstance(value, str) and bool(re.fullmatch(rule, value))
def shaped(value, rules):
    return type(value) is dict and set(value) == set(rules) and all(fits(rules[name], value[name]) for name in rules)
def canonical(value): return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
def parsed(data, rules=None, verdict="content-malformed"):
    try:
        value = json.loads(data)
        need(type(value) is dict and canonical(value) == data and (rules is None or shaped(value, rules)), verdict)
    except (ValueError, RecursionError):
        raise Verdict(verdict) from None
    return value
def lines(data, rules=None):
    need(not data or data.endswith(b"\n"))
    return [parsed(line, rules) for line in data.split(b"\n")[:-1]]
def unzip(data):
    need(len(data) <= 1 << 30, "bundle-too-large")
    files, directory, at, order = {}, b"", 0, []
    while data[at : at + 4] == b"PK\3\4":
        need(at + 30 <= len(data), "bundle-malformed")
        crc, size, _, length = struct.unpack_from("<IIIH", data, at + 14)
        start, name = at + 30 + length, data[at + 30 : at + 30 + length].decode("latin-1")
        need(fits(NAMES, name), "bundle-malformed")
        need(size <= 256 << 20 and len(files) < 65_534, "bundle-too-large")
        same = struct.pack("<HHHIIIHH", 0, 0, 0x21, crc, size, size, length, 0)
        content, header = data[start : start + size], b"PK\3\4" + struct.pack("<HH", 20, 0) + same + name.encode()
        need(data[at:start] == header and len(content) == size and zlib.crc32(content) == crc, "bundle-malformed")
        directory += b"PK\1\2" + struct.pack("<HHH", 20, 20, 0) + same + struct.pack("<HHHII", 0, 0, 0, 0, at) + name.encode()
        order.append((not name.startswith("manifest."), name))
        files[name], at = content, start + size
    end = directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(order), len(order), len(directory), at, 0)
    need(order == sorted(set(order)) and data[at:] == end, "bundle-malformed")
    return files
def unbase64(text, verdict="content-malformed"):
    need(fits(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", text) and base64.b64encode(base64.b64decode(text)).decode() == text, verdict)
    return base64.b64decode(text)
def note(data, verdict="content-malformed"):
    """The text, and (name, id, signature) of each line."""
    text, blank, tail = data.decode("utf-8", "replace").replace("\ufffd", "\0").rpartition("\n\n")
    need(blank and tail.endswith("\n") and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text + tail), verdict)
    found = [line.split(" ") for line in tail[:-1].split("\n")]
    need(len(found) <= 100 and all(len(line) == 3 and line[0] == "\u2014" and fits(r"[^\s+]{1,255}", line[1]) for line in found), verdict)
    need(all(len(unbase64(line[2], verdict)) > 4 for line in found), verdict)
    return text + "\n", [(name, unbase64(blob)[:4].hex(), unbase64(blob)[4:]) for _, name, blob in found]
def vkey(text):
    name, number, encoded = text.split("+", 2)
    return name, number, base64.b64decode(encoded)
def signed(text, signatures, key):
    """None where the key has no line, False where it is bad; else true, and of a cosignature its time + 1."""
    name, number, blob = vkey(key)
    for who, which, signature in signatures:
        if (who, which) == (name, number):
            at = int.from_bytes(signature[:8], "big") if blob[0] == 4 else 0
            message, own = (f"cosignature/v1\ntime {at}\n{text}", signature[8:]) if blob[0] == 4 else (text, signature)
            try:
                return Ed25519PublicKey.from_public_bytes(blob[1:]).verify(own, message.encode()) or at + 1
            except InvalidSignature:
                return False
    return None
def unix(time):
    try:
        return int(datetime.datetime.fromisoformat(time[:19] + "+00:00").timestamp())
    except ValueError:
        return 0
def checkpoint(data):
    text, signatures = note(data)
    said = text[:-1].split("\n")
    need(4 <= len(said) <= 19 and fits(r"[^\s+]{1,255}", said[0]) and fits(r"0|[1-9][0-9]{0,18}", said[1]) and "" not in said)
    times, root = [line[5:] for line in said[3:] if line.startswith("time ")], unbase64(said[2])
    need(len(times) == 1 and fits(TIME, times[0]) and len(root) == 32)
    return {"text": text, "lines": signatures, "origin": said[0], "size": int(said[1]), "root": root, "time": unix(times[0])}
def climb(at, last, old, new, path):
    """RFC 9162, 2.1.3.2 and 2.1.4.2: where a path leads from two nodes; nowhere if its length does not fit."""
    for item in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            old, new = sha(b"\1", item, old), sha(b"\1", item, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = sha(b"\1", new, item)
        at, last = at >> 1, last >> 1
    return None if last else (old, new)
def consistent(one, two, path):
    if one["size"] in {0, two["size"]}:
        return not path and one["root"] == (two["root"] if one["size"] else sha())
    path, at, last = list(path), one["size"] - 1, two["size"] - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    start = one["root"] if one["size"] & (one["size"] - 1) == 0 else path.pop(0) if path else b""
    return climb(at, last, start, start, path) == (one["root"], two["root"])
def opened(data, policy):
    """The bundle's session, lines, checkpoints, steps and keys; raises a verdict that ends the reading."""
    files = unzip(data)
    need({"manifest.json", "manifest.note"} <= set(files), "bundle-malformed")
    raw, sign = files.pop("manifest.json"), files.pop("manifest.note")
    manifest = parsed(raw, verdict="bundle-malformed")
    need(fits("1", manifest.get("v")) and manifest.get("bundle") == "tachograph", "version-unknown")
    text, signatures = note(sign, "exporter-unknown")
    good = [item for item in policy["exporters"] if signed(text, signatures, item["key"])]
    need(good and len(signatures) == 1 and text == f"tachograph/bundle/v1\n{sha(raw).hex()}\n", "exporter-unknown")
    need(not good[0].get("revoked"), "key-revoked")
    need(shaped(manifest, MANIFEST))
    need(manifest["files"] == [{"name": name, "sha256": sha(files[name]).hex(), "size": len(files[name])} for name in sorted(files)], "bundle-altered")
    records, notes = ([files[name] for name in sorted(files) if name.startswith(kind)] for kind in ("records/", "checkpoints/"))
    need({"custody.jsonl", "keys.json", "leaves.jsonl", "proofs.jsonl"} <= set(files) and all(f"records/{n:08}.json" in files for n in range(len(records))) and all(f"checkpoints/{n:08}.note" in files for n in range(len(notes))))
    points = [checkpoint(item) for item in notes]
    rows, proofs, used = lines(files["leaves.jsonl"], {"leaf": (dict,), "log": (str,), "record": (int,)}), lines(files["proofs.jsonl"]), 0
    for item in proofs:
        need(fits(list, item.get("path")) and len(item["path"]) <= 64 and all(fits(HEX, hash_) for hash_ in item["path"]))
        item["path"] = [bytes.fromhex(hash_) for hash_ in item["path"]]
    steps = proofs[len(rows) :]
    need(len(proofs) >= len(rows) and all(shaped(item, {"first": int, "path": list, "second": int}) for item in steps))
    for row, proof in zip(rows, proofs, strict=False):
        need(row["record"] is None or (row["record"] == used and used < len(records)))
        row["document"], used = (None, used) if row["record"] is None else (records[used], used + 1)
        need((row["leaf"] or row["document"] is not None) and (row["leaf"] is None) == (row["log"] is None) and (row["leaf"] is None or shaped(row["leaf"], LEAF)))
        need(shaped(proof, {"checkpoint": (int,), "path": list}) and (not proof["path"] if proof["checkpoint"] is None else row["leaf"] and proof["checkpoint"] < len(points)))
        row.update(proof)
    need(used == len(records))
    before = [max((n for n in range(number) if points[n]["origin"] == point["origin"]), default=None) for number, point in enumerate(points)]
    need([(item["first"], item["second"]) for item in steps] == [(n, number) for number, n in enumerate(before) if n is not None])
    keys, custody = parsed(files["keys.json"], {"keys": list, "v": "1"})["keys"], lines(files["custody.jsonl"], CUSTODY)
    need(all(fits(VKEY, key) for key in keys) and custody and all(type(n) is int for item in custody for n in item["found"].values()))
    return manifest["session"], rows, points, steps, keys
def logs(points, steps, keys, policy):
    mine = {point["origin"]: [log for log in policy["logs"] if vkey(log["key"])[0] == point["origin"]] for point in points}
    for point in points:
        said = [(signed(point["text"], point["lines"], log["key"]), log.get("revoked", False)) for log in mine[point["origin"]]]
        good = [result for result, revoked in said if not revoked and result is not None]
        if not good or not all(good):
            other = any(vkey(key)[:2] == line[:2] and vkey(key)[2][0] != 1 for key in keys for line in point["lines"])
            revoked = any(result is not None for result, _ in said)
            yield "checkpoint-forged" if good else "key-revoked" if revoked else "algorithm-refused" if other else "key-unknown"
    for one, two, path in ((points[step["first"]], points[step["second"]], step["path"]) for step in steps):
        if two["size"] < one["size"] or not consistent(one, two, path):
            yield "log-rollback" if two["size"] < one["size"] else "log-fork"
        yield from ["checkpoint-backdated"] * (two["time"] < one["time"])
    for origin, point in {point["origin"]: point for point in points}.items():
        for seen in (log["seen"] for log in mine[origin] if "seen" in log):
            yield from ["log-rollback"] * (point["size"] < seen["size"])
            yield from ["log-fork" for item in points if item["origin"] == origin and item["size"] == seen["size"] and item["root"].hex() != seen["root"]]
        rule = policy.get("witnesses", {})
        times = [signed(point["text"], point["lines"], key) for key in dict.fromkeys(rule.get("keys", ()))]
        yield from ["checkpoint-forged"] * any(at is False for at in times)
        yield from ["checkpoint-backdated"] * any(at and at - 1 + SKEW < point["time"] for at in times)
        yield from ["witness-missing"] * (len([at for at in times if at]) < rule.get("required", 0))
def distinct(pairs):
    need(len({unicodedata.normalize("NFC", name) for name, _ in pairs}) == len(pairs), "json-ambiguous")
    return dict(pairs)
def document(data):
    """What stands under `unmapped.tacho`, the time, and, of the wire, the canonical header."""
    try:
        text = data.decode()
        bare = re.sub(r'"(?:[^"\\]|\\.)*+"', "", text, flags=re.DOTALL)
        need(TOKENS.fullmatch(text) and max(accumulate((c in "[{") - (c in "]}") for c in bare), default=0) <= 64, "json-ambiguous")
        value = json.loads(text, object_pairs_hook=distinct)
    except ValueError:
        raise Verdict("json-ambiguous") from None
    need(type(value) is dict, "json-ambiguous")
    try:
        tacho, named, time = value["unmapped"]["tacho"], value["metadata"]["uid"], value["time"]
        need(all(fits(str, tacho[name]) for name in ("uid", "type", "session")) and tacho["uid"] == named and type(time) is int, "header-malformed")
    except (KeyError, TypeError):
        raise Verdict("header-malformed") from None
    if tacho["type"] not in WIRE:
        return tacho, time, None
    need(float not in {type(tacho.get(name)) for name in ("v", "seq", "raw_len")}, "json-ambiguous")
    header = {name: tacho[name] for name in HEADER if name in tacho}
    need(shaped({"registry": "0" * 16} | header, HEADER), "header-malformed")
    need(tacho["uid"] == uid(tacho, tacho["seq"]), "uid-forged")
    return tacho, time, canonical(header)
def uid(tacho, seq): return str(uuid.uuid5(UIDS, f"{tacho['session']}/{tacho['epoch']}/{seq}"))
def day(millis): return f"{datetime.datetime.fromtimestamp(millis // 1000, datetime.UTC):%Y.%m.%d}" if 0 <= millis < 253402300800000 else ""
def strand(links, lost):
    """`links`: facts and canonical header by seq; `lost`: types of leaves without a document by uid."""
    end, expected = max(links), 0
    for seq, (tacho, _) in sorted(links.items(), key=lambda item: item[0]):
        before = links.get(seq - 1)
        prev = "0" * 64 if seq == 0 else sha(before[1]).hex() if before else tacho["prev"]
        closes = tacho["type"] != "session.close" or (seq == end and tacho.get("records") == seq + 1)
        yield from [("chain-broken", 0)] * ((seq == 0) != (tacho["type"] == "session.open") or not closes or tacho["prev"] != prev)
        gone = seq - expected if seq - expected > 100_000 else sum(uid(tacho, n) not in lost for n in range(expected, seq))
        yield from [("record-missing", gone)] * (gone > 0)
        expected = seq + 1
    kind = tacho["type"]
    while uid(tacho, end + 1) in lost:
        end, kind = end + 1, lost[uid(tacho, end + 1)]
    yield from [("tail-missing", 0)] * (kind != "session.close")
def several(versions):
    """What it means that a uid has several hashes; `versions` are (facts, header) by hash, None where none is there."""
    there = [item for item in versions.values() if item is not None]
    if len({header for _, header in there}) > 1:
        return ["session-forked"]
    rules = {str(tacho.get("ruleset")) for tacho, _ in there if tacho.get("ruleset") is not None}
    masked_twice = len(there) == len(versions) == len(rules) and all(header for _, header in there)
    return [] if len(versions) == 1 or masked_twice else ["same-id-other-body"]
def line(row, points, policy, session):
    """(verdict words, facts, header, whether it is PRESENT) of one line."""
    words, leaf, body = {"record-unsealed"} if row["checkpoint"] is None else set(), row["leaf"], row["document"]
    point = None if row["checkpoint"] is None else points[row["checkpoint"]]
    if point is not None:
        node, fit = bytes.fromhex(leaf["leaf"]), point["origin"] == row["log"] and leaf["index"] < point["size"]
        path = climb(leaf["index"], point["size"] - 1, node, node, row["path"]) if fit else None
        words |= {"proof-broken"} if path is None or path[1] != point["root"] else set()
    if body is None:
        return words | {"document-missing"}, None, None, False
    genuine = leaf is None or sha(b"\0", body).hex() == leaf["leaf"]
    if not genuine:
        words.add("leaf-node-confusion" if sha(b"\1", body).hex() == leaf["leaf"] else "record-altered")
    try:
        tacho, time, header = document(body)
    except Verdict as error:
        return words | {str(error)}, None, None, genuine
    said, rules, known = [tacho["uid"], tacho["session"], tacho["type"], day(time)], tacho.get("ruleset"), policy.get("rulesets")
    ruled = "body" not in tacho if rules is None else fits("(?s).+", rules) and (known is None or rules in known)
    wrong = {"leaf-disagrees": leaf and said != [leaf[name] for name in ("uid", "session", "type", "day")],
             "session-spliced": tacho["session"] != session, "ruleset-refused": header and not ruled,
             "checkpoint-backdated": header and point and unix(tacho["ts"]) > point["time"] + SKEW}
    return words | {word for word, is_so in wrong.items() if is_so}, tacho, header, genuine
def judge(data, policy):
    """The verdict, and how many records are PRESENT and MISSING."""
    try:
        session, rows, points, steps, keys = opened(data, policy)
    except Verdict as error:
        return str(error), 0, 0
    words, present, missing, lost, versions, places, strands, ours = set(logs(points, steps, keys, policy)), 0, 0, {}, {}, {}, {}, []
    wired = any(row["leaf"] and row["leaf"]["type"] in WIRE for row in rows)
    for row in rows:
        found, tacho, header, genuine = line(row, points, policy, session)
        words, leaf, present, missing = words | found, row["leaf"], present + genuine, missing + (not genuine)
        if row["checkpoint"] is not None:
            places.setdefault(row["log"], []).append((leaf["index"], leaf["offset"]))
        name = tacho["uid"] if tacho else leaf and (leaf["uid"] or f"{row['log']}#{leaf['index']}")
        lost |= {name: leaf["type"]} if row["document"] is None else {}
        if tacho or row["document"] is None:
            digest = leaf["leaf"] if leaf else sha(b"\0", row["document"]).hex()
            versions.setdefault(name, {}).setdefault(digest, (tacho, header) if tacho else None)
        if tacho and tacho["session"] == session:
            ours.append(tacho)
            if header:
                wired = strands.setdefault(tacho["epoch"], {}).setdefault(tacho["seq"], (tacho, header)) is not None
    words |= {word for item in versions.values() for word in several(item)}
    words |= {"leaf-disagrees" for item in places.values() for one, two in pairwise(sorted(item)) if one[1] >= two[1]}
    for word, gone in (item for links in strands.values() for item in strand(links, lost)):
        missing, words = missing + gone, words | {word}
    said = [tacho["message"] for tacho in ours if tacho["type"] == "message" and type(tacho.get("message")) is dict]
    hashes, known = {item.get("hash") for item in said}, {tacho["uid"] for tacho in ours} | set(lost)
    parts = [(str(tacho["uid"]), tacho["body_parts"]) for tacho in ours if type(tacho.get("body_parts")) is int]
    whole = all(n <= len(known) and all(str(uuid.uuid5(PARTS, f"{of}/{i + 1}")) in known for i in range(n)) for of, n in parts)
    wanted = [tacho["conversation"].get("head") for tacho in ours if type(tacho.get("conversation")) is dict]
    wanted += [item.get("parent") for item in said if item.get("index") != 0]
    words |= {"session-missing"} if not wired else set() if whole and hashes.issuperset(wanted) else {"part-missing"}
    return min(words, key=CODES.get, default="complete"), present, missing

if __name__ == "__main__":
    answer = judge(Path(sys.argv[1]).read_bytes(), json.loads(Path(sys.argv[2]).read_text()))
    sys.exit(print("{}: {} PRESENT, {} MISSING".format(*answer)) or CODES[answer[0]])
