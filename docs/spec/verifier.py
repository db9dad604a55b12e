# fmt: off
# ruff: noqa: E401, E501, I001, E701  a page of rules is a page of code here: 300 lines in all
"""A second verifier of bundles, from the pages beside it alone: `python verifier.py BUNDLE POLICY.json`; its exit code is the verdict's.
It shares no line with Tachograph's own. It needs Python, `cryptography`, `jsonschema` and, for time stamps, `rfc3161-client`."""
import base64, calendar, collections, datetime, hashlib, json, pathlib, re, struct, sys, unicodedata, uuid, zlib
from itertools import accumulate, count, islice, pairwise
from types import SimpleNamespace as Facts
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509 import load_pem_x509_certificate
from jsonschema import Draft202012Validator, ValidationError, validators
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

PAGE, SHAPES = pathlib.Path(__file__).with_name("bundle.md").read_text("utf-8"), json.loads(pathlib.Path(__file__).with_name("shapes.json").read_text("utf-8"))
CODES = {word: int(code) for code, word in re.findall(r"^\| (\d+) \| `([a-z0-9-]+)` \|", PAGE, re.MULTILINE)}
WIRE = {"session.open", "request", "chunk", "response", "decision", "session.close", "heartbeat"}
KINDS, ALONE, SKEW, SHA256 = {"record", "deletion", "heartbeat"}, {"custody", "keys", "leaves", "proofs"}, 300, "2.16.840.1.101.3.4.2.1"
UIDS, PARTS = uuid.UUID("6f0c3b5e-5a53-5d0e-9a35-0d9a6f1c8a11"), uuid.UUID("0b7c52a4-7bd5-5f0a-8f8e-7f6d3a1c9e15")
MESSAGES, DELETIONS, BOOTS = uuid.UUID("b8b5f3c0-0c8e-5d5c-9d53-6a2f1b3d7e42"), uuid.UUID("5d1c6e0b-0d0f-5c8b-9a55-3c0f4b7e2a90"), uuid.UUID("d8c5f0a2-0c0b-5b6e-9d53-4f1f4f1a7c52")
NAME, BASE64, TIME = r"[^\s+\x00-\x1f\x7f]{1,255}", *(SHAPES["$defs"][name]["pattern"][1:-1] for name in ("base64", "time"))
SIGNED = rf"((?:[^\x00-\x1f\x7f\ufffd]*\n)+)\n((?:\u2014 {NAME} (?=\S{{8}})(?!\S{{6}}==\n){BASE64}\n){{1,100}})"
TREE = rf"(?P<origin>{NAME})\n(?P<size>0|[1-9]\d{{0,18}})\n(?P<root>{BASE64})\n((?!time ).+\n)*time (?P<time>{TIME})\n((?!time ).+\n)*"
TOKENS = re.compile(r'("([^"\\\x00-\x1f]|\\["\\bfnrt]|\\u00[01][0-9a-f])*+"|[-+.0-9eE]++|[\[\]{}:,]|true|false|null)*+')
class Verdict(Exception):
    """Ends the reading; its text is the verdict."""
def need(holds, verdict="content-malformed"):
    if not holds: raise Verdict(verdict)
def tried(errors, function, *given):  # what a function says, or null where it raises one of these
    try: return function(*given)
    except errors: return None
def heard(words, verdict, function, *given):  # what a function says, or null and its verdict among the words
    try: return function(*given)
    except Verdict as error: words.add(verdict or str(error))
def wrong(**found): return {word.replace("_", "-") for word, is_so in found.items() if is_so}
STRICT = validators.extend(  # patterns as in ECMA-262: no digits but 0 to 9, no line end behind the end; and 1.0 is no integer
    Draft202012Validator, {"pattern": lambda _, rule, value, __: [ValidationError(rule)] * (type(value) is str and not re.fullmatch(rule, value, re.ASCII))},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int))
CHECKS = {name: STRICT(SHAPES | {"$ref": f"#/$defs/{name}"}) for name in SHAPES["$defs"]}
def fits(shape, value): return CHECKS[shape].is_valid(value)
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def canonical(value): return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
def parsed(data, shape="object", verdict="content-malformed"):
    value = tried((ValueError, RecursionError), json.loads, data)
    need(tried(ValueError, canonical, value) == data and fits(shape, value), verdict)
    return value
def lines(data, shape="object"):
    need(data[-1:] in {b"", b"\n"})
    return [parsed(line, shape) for line in data.split(b"\n")[:-1]]
def unzip(data):
    need(len(data) <= 1 << 30, "bundle-too-large")
    files, directory, at = {}, b"", 0
    while data[at : at + 4] == b"PK\3\4" and at + 30 <= len(data):
        size, length = struct.unpack_from("<IH", data, at + 22)
        start, name = at + 30 + length, data[at + 30 : at + 30 + length].decode("latin-1")
        need(fits("file name", name) and name not in files, "bundle-malformed")
        need(size <= 256 << 20 and len(files) < 65_534, "bundle-too-large")
        files[name] = data[start : start + size]
        same = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0x21, zlib.crc32(files[name]), size, size, length, 0)
        need(data[at:start] == b"PK\3\4" + same + name.encode() and len(files[name]) == size, "bundle-malformed")
        directory, at = directory + b"PK\1\2\24\0" + same + struct.pack("<HHHII", 0, 0, 0, 0, at) + name.encode(), start + size
    end = directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(directory), at, 0)
    ordered = sorted(files, key=lambda name: (not name.startswith("manifest."), name))
    need([*files] == ordered and data[at:] == end and {"manifest.json", "manifest.note"} <= {*files}, "bundle-malformed")
    return files
def note(data, verdict="content-malformed"):  # the text, and (name, id, signature) of each line
    need(found := re.fullmatch(SIGNED, data.decode("utf-8", "replace")), verdict)
    said = (line.split(" ") for line in found[2][:-1].split("\n"))
    return Facts(text=found[1], lines=[(name, base64.b64decode(blob)[:4].hex(), base64.b64decode(blob)[4:]) for _, name, blob in said])
def vkey(text): return (*text.split("+", 2)[:2], base64.b64decode(text.split("+", 2)[2]))
def ed25519(key, signature, message):
    return tried((InvalidSignature, ValueError), lambda: Ed25519PublicKey.from_public_bytes(key).verify(signature, message) is None)
def signed(said, key):  # of each line of this key: null where it is not valid, else the time that a cosignature names, or 0
    name, number, blob = vkey(key)
    mine, timed = [line[2] for line in said.lines if line[:2] == (name, number)], blob[0] == 4
    parts = [(int.from_bytes(one[:8], "big"), one[8:]) if timed else (0, one) for one in mine]
    texts = [(f"cosignature/v1\ntime {at}\n" if timed else "") + said.text for at, _ in parts]
    return [at if ed25519(blob[1:], own, text.encode()) else None for (at, own), text in zip(parts, texts, strict=True)]
def vouched(data, kind, about, keys, verdict):  # `data` is a note about these bytes by a key that the policy does not revoke
    said = note(data, verdict)
    by = [key for key in keys if (found := signed(said, key["key"])) and None not in found]
    need(by and said.text == f"tachograph/{kind}/v1\n{sha(about).hex()}\n", verdict)
    need(not all(key.get("revoked") for key in by), "key-revoked")
def unix(time): return calendar.timegm(tuple(map(int, re.findall(r"\d+", time)[:6])))
def checkpoint(number, data, stamp):
    found = re.fullmatch(TREE, (said := note(data)).text, re.ASCII)
    need(found and len(root := base64.b64decode(found["root"])) == 32 and said.text.count("\n") < 20)
    return Facts(number=number, stamp=stamp, origin=found["origin"], size=int(found["size"]), root=root, time=unix(found["time"]), **vars(said))
def climb(one, two, known, path, *, leaf=False):  # RFC 9162, 2.1.3 and 2.1.4; nowhere where the length of a path does not fit
    # the roots of `one` and `two` leaves; `known` is that of `one`, where the path leaves it out, or the last of these leaves itself
    ends, there = [known] * bool(known) + path, two == 1 if leaf else one == two
    if there or not path: return ends * 2 if there and len(ends) == 1 else [b"", b""]
    left, last = 1 << (two - 1).bit_length() - 1, path[-1]
    if one > left:
        return [sha(b"\1", last, each) for each in climb(one - left, two - left, known if leaf else b"", path[:-1], leaf=leaf)]
    before, after = climb(one, left, known, path[:-1], leaf=leaf)
    return [before, sha(b"\1", after, last)]
def consistent(one, two, path):
    same = one.size in {0, two.size} and not path and one.root == (two.root if one.size else sha())
    return same if one.size in {0, two.size} else climb(one.size, two.size, one.root, path) == [one.root, two.root]
def opened(data, policy):  # what a bundle holds; any breach of its form ends the reading
    files = unzip(data)
    manifest, sign = parsed(raw := files.pop("manifest.json"), verdict="bundle-malformed"), files.pop("manifest.note")
    need(fits("one", manifest.get("v")) and manifest.get("bundle") == "tachograph", "version-unknown")
    need(len(note(sign, "exporter-unknown").lines) == 1, "exporter-unknown")
    vouched(sign, "bundle", raw, policy["exporters"], "exporter-unknown")
    need(fits("manifest", manifest))
    need(manifest["files"] == [{"name": name, "sha256": sha(files[name]).hex(), "size": len(files[name])} for name in files], "bundle-altered")
    files = {name.partition(".")[0]: content for name, content in files.items()}
    many = collections.Counter(name.partition("/")[0] for name in files)
    need({*files} >= ALONE and files["custody"] and all(f"{kind}/{n:08}" in files for kind in many.keys() - {"timestamps", *ALONE} for n in range(many[kind])))
    need(all("checkpoints" + name[10:] in files and len(files[name]) <= 64 << 10 for name in files if name.startswith("timestamps/")))
    points = [checkpoint(n, files[f"checkpoints/{n:08}"], files.get(f"timestamps/{n:08}")) for n in range(many["checkpoints"])]
    keys, _ = parsed(files["keys"], "keys")["keys"], lines(files["custody"], "custody")
    leaves, proofs, rows, logs = lines(files["leaves"], "line"), lines(files["proofs"]), [], {}
    need(len(proofs) >= len(leaves) and all(fits("proof" if n < len(leaves) else "step", proof) for n, proof in enumerate(proofs)))
    need(all([leaf[kind] for leaf in leaves if leaf.get(kind) is not None] == [*range(many[kind + "s"])] for kind in KINDS))
    for leaf, proof in zip(leaves, proofs, strict=False):
        kind, number, path = ({*leaf} & KINDS).pop(), proof["checkpoint"], [*map(bytes.fromhex, proof["path"])]
        body = None if leaf[kind] is None else files[f"{kind}s/{leaf[kind]:08}"]
        need((leaf["leaf"] is None) == (leaf["log"] is None) and (leaf["leaf"] or body is not None))
        need(not path if number is None else leaf["leaf"] and number < len(points))
        rows.append(Facts(leaf=leaf["leaf"], log=leaf["log"], kind=kind, document=body, path=path, point=number if number is None else points[number]))
    for point in points:
        logs.setdefault(point.origin, []).append(point)
    need([(step["second"], step["first"]) for step in proofs[len(leaves) :]] == sorted(
        (two.number, one.number) for log in logs.values() for one, two in pairwise(log)))
    return Facts(session=manifest["session"], rows=rows, points=points, logs=logs, steps=proofs[len(leaves) :], keys=keys)
def checkpoints(bundle, policy):  # what is wrong with logs, their witnesses and their time stamps
    words, rule, stamping = set(), policy.get("witnesses", {}), policy.get("timestamps", {})
    mine = {origin: [key for key in policy["logs"] if vkey(key["key"])[0] == origin] for origin in bundle.logs}
    for point in bundle.points:
        good = [at for key in mine[point.origin] if not key.get("revoked") for at in signed(point, key["key"])]
        revoked = not good and any(signed(point, key["key"]) for key in mine[point.origin])
        other = not good and not revoked and any(vkey(key)[:2] == line[:2] and vkey(key)[2][0] != 1 for key in bundle.keys for line in point.lines)
        words |= wrong(checkpoint_forged=None in good, key_revoked=revoked, algorithm_refused=other, key_unknown=not (good or revoked or other))
    for one, two, path in ((bundle.points[step["first"]], bundle.points[step["second"]], [*map(bytes.fromhex, step["path"])]) for step in bundle.steps):
        words |= wrong(log_rollback=two.size < one.size, log_fork=two.size >= one.size and not consistent(one, two, path), checkpoint_backdated=two.time < one.time)
    roots = [load_pem_x509_certificate(pem.encode()) for pem in stamping.get("roots", ())]
    stamps = {point.number: stamp_time(point, roots) for point in bundle.points if roots and point.stamp is not None}
    used = {row.point.number for row in bundle.rows if row.point}
    for origin, log in bundle.logs.items():
        end = log[max((n for n, point in enumerate(log) if point.number in used), default=0) :]
        cosigned = [(point, key, at) for point in end for key in {*rule.get("keys", ())} for at in signed(point, key)]
        most = max(collections.Counter(point.number for point, _, at in cosigned if at is not None).values(), default=0)
        seen = [key["seen"] for key in mine[origin] if "seen" in key]
        words |= wrong(
            log_rollback=any(log[-1].size < old["size"] for old in seen), log_fork=any(point.size == old["size"] and point.root.hex() != old["root"] for old in seen for point in log),
            checkpoint_forged=any(at is None for _, _, at in cosigned), witness_missing=most < rule.get("required", 0),
            checkpoint_backdated=any(at is not None and abs(at - point.time) > SKEW for point, _, at in cosigned),
            timestamp_missing=stamping.get("required") and not any(stamps.get(point.number) for point in end))
    late = (at and abs(at - bundle.points[number].time) > SKEW for number, at in stamps.items())
    return words | wrong(timestamp_forged=None in stamps.values(), checkpoint_backdated=any(late))
def stamp_time(point, roots):  # when an authority saw the checkpoint, if its time stamp is good
    answer = tried(ValueError, decode_timestamp_response, point.stamp)
    good = answer and tried((VerificationError, ValueError), VerifierBuilder(roots=roots).build().verify, answer, sha(point.text.encode()))
    return int(answer.tst_info.gen_time.timestamp()) if good and answer.tst_info.message_imprint.hash_algorithm.dotted_string == SHA256 else None
def distinct(pairs):
    need(len({unicodedata.normalize("NFC", name) for name, _ in pairs}) == len(pairs), "json-ambiguous")
    return dict(pairs)
def document(data):  # what stands under `unmapped.tacho`, the time, and, of the wire, the canonical header
    text = tried(ValueError, data.decode)
    bare = re.sub(r'"(?:[^"\\]|\\.)*+"', "", text or "", flags=re.DOTALL)
    need(text and TOKENS.fullmatch(text) and max(accumulate((c in "[{") - (c in "]}") for c in bare), default=0) <= 64, "json-ambiguous")
    value = tried(ValueError, lambda: json.loads(text, object_pairs_hook=distinct))
    need(type(value) is dict, "json-ambiguous")
    need(fits("document", value) and value["unmapped"]["tacho"]["uid"] == value["metadata"]["uid"], "header-malformed")
    tacho, time = value["unmapped"]["tacho"], value["time"]
    if tacho["type"] not in WIRE:
        need(own(tacho, time) in {None, tacho["uid"]}, "uid-forged")
        return tacho, time, None
    need(float not in {type(tacho.get(name)) for name in ("v", "seq", "raw_len")}, "json-ambiguous")
    header = {name: tacho[name] for name in SHAPES["$defs"]["header"]["properties"] if name in tacho}
    need(fits("header", header), "header-malformed")
    need(tacho["uid"] == place(tacho, tacho["seq"]), "uid-forged")
    return tacho, time, canonical(header)
def place(strand, seq): return str(uuid.uuid5(UIDS, f"{strand['session']}/{strand['epoch']}/{seq}"))
def message(tacho, time, name): return str(uuid.uuid5(MESSAGES, f"{tacho['session']}/{tacho.get('connection') or ''}/{day(time).replace('.', '-')}/{name}"))
def own(tacho, time):  # the uid of a derived document, where it follows from what it says
    whole, place = message(tacho, time, tacho["message"]["hash"]) if tacho["type"] == "message" else None, tacho.get("part")
    return str(uuid.uuid5(PARTS, f"{whole or place['of']}/{place['index']}")) if place and tacho["type"] in {"message", "part"} else whole
def day(millis): return f"{datetime.datetime.fromtimestamp(millis // 1000, datetime.UTC):%Y.%m.%d}" if 0 <= millis < 253402300800000 else ""
def line(row, bundle, policy):  # what is wrong with one line by itself; notes beside it what its document says
    leaf, point, data, words = row.leaf, row.point, row.document, set()
    inside = point and point.origin == row.log and leaf["index"] < point.size
    row.proven = inside and climb(leaf["index"] + 1, point.size, bytes.fromhex(leaf["leaf"]), row.path, leaf=True)[1] == point.root
    row.genuine = data is not None and (leaf is None or sha(b"\0", data).hex() == leaf["leaf"])
    inner, bad = data is not None and leaf and sha(b"\1", data).hex() == leaf["leaf"], data is not None and not row.genuine
    row.tacho, row.time, row.header = (data is not None and heard(words, None, document, data)) or (None, 0, None)
    row.uid, tacho, ours = leaf and leaf["uid"], row.tacho, row.tacho and row.tacho["session"] == bundle.session
    words |= wrong(record_unsealed=not point, proof_broken=point and not row.proven, leaf_node_confusion=inner, record_altered=bad and not inner)
    if not tacho: return words
    row.uid, rules, known = tacho["uid"], tacho.get("ruleset"), policy.get("rulesets")
    said = {"uid": row.uid, "session": tacho["session"], "type": tacho["type"], "day": day(row.time)}
    ruled = not row.header or "body" not in tacho if rules is None else type(rules) is str and rules and (known is None or rules in known)
    stray = ours or tacho["type"] not in {"session.open", "heartbeat"} if row.kind == "heartbeat" else not ours
    return words | wrong(leaf_disagrees=leaf and not said.items() <= leaf.items(), session_spliced=stray, ruleset_refused=not ruled,
                         checkpoint_backdated=row.header and point and unix(tacho["ts"]) > point.time + SKEW)
def statement(tacho, bundle, policy):  # what a deletion states
    said, sign = tacho.get("deletion"), tacho.get("deletion_note")
    need(fits("deletion", said) and type(sign) is str and said["type"] == tacho["type"] and said["session"] == bundle.session)
    need(all(one[0] < two[0] for one, two in pairwise(said["records"])) and tacho["uid"] == str(uuid.uuid5(DELETIONS, sha(canonical(said)).hex())))
    vouched(sign.encode(), "deletion", canonical(said), policy.get("deletions", ()), "content-malformed")
    return said
def deletions(bundle, policy):  # what is wrong with what was deleted; notes beside each line its state
    words, named, there, names = set(), {}, set(), set()
    for row in (row for row in bundle.rows if row.kind == "deletion" and row.tacho):
        said = heard(words, "deletion-unauthorised", statement, row.tacho, bundle, policy)
        said = said if said and row.genuine and row.proven and row.log == said["log"] else {"records": ()}
        names.update(said.get("names", ()))
        for item in said["records"]:
            named.setdefault((row.log, said["session"], *item), []).append((row.leaf["index"], said["type"]))
    for row in bundle.rows:
        stands = (row.log, *(row.leaf[name] for name in ("session", "index", "day", "type", "uid"))) if row.leaf else None
        why = {kind for index, kind in named.get(stands, ()) if row.document is None and index > row.leaf["index"]}
        row.state = "PRESENT" if row.genuine else "ERASED" if "erasure" in why else "EXPIRED" if why else "MISSING"
        words |= wrong(document_missing=row.document is None and not why)
        there.add(stands)
    return words | wrong(record_missing=not {*named} <= there), names
def attested(tacho, boots, beats, gateways):  # notes the key of a boot, or a heartbeat that proves something
    said, bad = tacho.get(name := "heartbeat" if tacho["type"] == "heartbeat" else "boot"), "heartbeat-forged"
    need(fits(name, said) and tacho["session"] == str(uuid.uuid5(BOOTS, said["boot"])), bad)
    if name == "boot":
        vouched(str(tacho.get("boot_note")).encode(), "boot", canonical(said), gateways, bad)
        return boots.setdefault(said["boot"], []).append(base64.b64decode(said["key"]))
    message, signature = b"tachograph/heartbeat/v1\n" + canonical(said), tacho.get("signature")
    need(fits("base64", signature) and any(ed25519(key, base64.b64decode(signature), message) for key in boots.get(said["boot"], ())), bad)
    return beats.append(said)
def strand(name, links, leaves, told, beats):  # what is wrong with a strand, what is MISSING of it beside lines, and its places
    # `links`: lines by seq; `leaves`: types by uid; `told`: what heartbeats say of it, null where nobody asks
    def at(seq): return links[seq].tacho["type"] if seq in links else leaves.get(place(name, seq))
    most = max((item["records"] for _, item in told or ()), default=0)
    if not links and at(0) is None: return {"strand-missing"}, most, set()
    end = next(seq for seq in count(max(links, default=most - 1 if at(most - 1) else 0)) if not at(seq + 1))
    gaps = [(one + 1, two) for one, two in pairwise([-1, *sorted({*links, end})])]
    gone = sum(two - one if two - one > 100_000 else sum(at(seq) is None for seq in range(one, two)) for one, two in gaps)
    places = {place(name, seq) for one, two in gaps for seq in range(max(one, two - 100_000), two + 1)}
    broken, is_open, cut, closed = False, False, most > end + 1, at(end) == "session.close"
    for seq, row in links.items():
        tacho, before = row.tacho, links.get(seq - 1)
        prev = "0" * 64 if seq == 0 else sha(before.header).hex() if before else tacho["prev"]
        last = (seq, tacho.get("records"), tacho.get("last", prev)) == (end, seq + 1, prev) or tacho["type"] != "session.close"
        broken |= (tacho["type"] == "session.open") != (seq == 0) or tacho["prev"] != prev or not last
    for item, row in ((item, links.get(item["records"] - 1)) for _, item in told or ()):
        broken |= bool(row and sha(row.header).hex() != item["head"]) or (end >= item["records"] and not item["open"])
    if told:
        beat, item = max(told, key=lambda pair: pair[0]["number"])
        later = [other for other in beats if other["boot"] == beat["boot"] and other["number"] > beat["number"]]
        is_open = item["open"] and all(other["at"] == beat["at"] for other in later)
    return wrong(record_missing=gone, chain_broken=broken, heartbeat_missing=told == [], tail_missing=cut or not (closed or is_open),
                 session_open=is_open and not cut and not closed), gone, places
def several(versions):  # what it means that a uid has several hashes; `versions` are lines by hash
    there = [row for row in versions.values() if row.tacho]
    rules, forked = {str(row.tacho.get("ruleset")) for row in there}, len({row.header for row in there}) > 1
    masked_twice = len(there) == len(versions) == len(rules - {"None"}) and all(row.header for row in there)
    return wrong(session_forked=forked, same_id_other_body=not forked and len(versions) > 1 and not masked_twice)
def absent(ours, names, known):  # the uids that documents (`ours`) and deletions (`names`) name and of which nothing is there
    missing = names - known
    for tacho, time in ours:
        said, talk, n = tacho.get("message") if tacho["type"] == "message" else None, tacho.get("conversation"), tacho.get("body_parts", 0)
        name = (said["parent"] if said["index"] else None) if said else talk and talk["head"]
        named = {message(tacho, time, name)} if name is not None else set()
        missing |= named - known | {*islice((uid for i in range(n) if (uid := str(uuid.uuid5(PARTS, f"{tacho['uid']}/{i + 1}"))) not in known), 1)}
    return missing
def judge(data, policy):
    """The verdict, and how many records are in which state."""
    states, early = dict.fromkeys(("PRESENT", "EXPIRED", "ERASED", "MISSING"), 0), set()
    if not (bundle := heard(early, None, opened, data, policy)):
        return early.pop(), states
    words, (found, names) = checkpoints(bundle, policy).union(*(line(row, bundle, policy) for row in bundle.rows)), deletions(bundle, policy)
    asked, boots, beats, versions, strands, told = "gateways" in policy, {}, [], {}, {}, {}
    facts = sorted((row.tacho for row in bundle.rows if row.tacho and asked), key=lambda tacho: tacho["type"] == "heartbeat")
    for tacho in (tacho for tacho in facts if tacho["type"] == "heartbeat" or (tacho["type"] == "session.open" and "boot" in tacho)):
        heard(words, None, attested, tacho, boots, beats, policy["gateways"])
    for row in (row for row in bundle.rows if row.uid and (row.tacho or row.state == "MISSING")):
        versions.setdefault(row.uid, {}).setdefault(row.leaf["leaf"] if row.leaf else sha(b"\0", row.document).hex(), row)
    order = sorted((row.log, row.leaf["index"], row.leaf["offset"]) for row in bundle.rows if row.leaf)
    records = [row for row in bundle.rows if row.kind != "heartbeat"]
    gone = [row.leaf for row in records if row.document is None]
    leaves = {leaf["uid"]: leaf["type"] for leaf in gone if leaf["uid"]}
    lost = {leaf["uid"]: leaves[leaf["uid"]] for leaf in gone if leaf["uid"] and leaf["session"] == bundle.session}
    ours = [row for row in records if row.tacho and row.tacho["session"] == bundle.session]
    for row in (row for row in ours if row.header):
        strands.setdefault(row.tacho["epoch"], {}).setdefault(row.tacho["seq"], row)
    for beat, item in ((one, item) for one in beats for item in one["strands"] if item["session"] == bundle.session):
        told.setdefault(item["epoch"], []).append((beat, item))
    missing = absent([(row.tacho, row.time) for row in ours], names, {row.uid for row in ours} | {*leaves})
    states, words = states | collections.Counter([row.state for row in records] + ["MISSING"] * len(missing)), words | found
    for epoch in {*strands, *told}:
        name, said = {"session": bundle.session, "epoch": epoch}, told.get(epoch, []) if asked else None
        found, gone, places = strand(name, strands.get(epoch, {}), leaves, said, beats)
        words, states["MISSING"], lost = words | found, states["MISSING"] + gone, {uid: lost[uid] for uid in lost if uid not in places}
    stray = [kind for kind in lost.values() if kind in WIRE]
    words |= wrong(heartbeat_missing=asked and stray, record_missing=not asked and stray and stray.count("session.open") < max(1, stray.count("session.close")),
                   tail_missing=not asked and stray.count("session.open") > stray.count("session.close"), part_missing=missing,
                   session_missing=not any(row.header or (row.leaf and row.leaf["type"] in WIRE) for row in records),
                   leaf_disagrees=any(one[0] == two[0] and (one[1] == two[1] or one[2] >= two[2]) for one, two in pairwise(order)))
    return min(words.union(*map(several, versions.values())), key=CODES.get, default="reduced" if states["EXPIRED"] + states["ERASED"] else "complete"), states
if __name__ == "__main__":
    answer, counts = judge(pathlib.Path(sys.argv[1]).read_bytes(), json.loads(pathlib.Path(sys.argv[2]).read_text("utf-8")))
    sys.exit(print(f"{answer}: " + ", ".join(f"{count} {state}" for state, count in counts.items())) or CODES[answer])
