"""`make bench-masking`: how fast and how tight the masker is, on one core. The last line is JSON.

Texts are generated from a seed: chat histories of prose and code words, a secret in every fifth message.
Times are CPU seconds of this process, so that a busy machine does not count. `--labels FILE` scores
spans against further labelled texts ({"id", "text", "secrets": [[start, end, type]]} a line, gzip),
`--exchanges N` looks for leaks.

Peers (detect-secrets, Presidio's patterns, kingfisher; none validates over a network) run in .venv-bench over
the same labelled texts of our own, and over as much of the history as they do in reasonable time.
"""

import argparse
import gzip
import json
import random
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bench import labelled
from tachograph.processors.masking.canaries import exchange, survivors
from tachograph.processors.masking.limits import Deadline
from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.prefilter import best_prefilter
from tachograph.processors.masking.ruleset import load
from tachograph.processors.masking.samples import filled
from tachograph.processors.masking.scan import Scanner

KEY = PseudonymKey("bench", bytes(32))
WORDS = (
    "the", "a", "of", "to", "and", "in", "code", "file", "function", "return", "error", "line",
    "import", "class", "value", "request", "response", "server", "client", "data", "list", "string",
    "number", "index", "key", "token", "user", "test", "build", "deploy", "config", "path", "name",
    "while", "for", "none", "true", "state", "queue",
)  # fmt: skip
ROUNDS = 5
ROWS = 900
PEER_PYTHON = Path(".venv-bench/bin/python")
PEERS = {"kingfisher": 5_000_000, "presidio": 300_000, "detect-secrets": 300_000}
"""Bytes of history that each is timed over."""
DEVELOPMENT_SET = Path("../shared/data/masking-dev.jsonl.gz")


def history(size: int, seed: int = 1) -> bytes:
    """A Messages request of about `size` bytes."""
    source = random.Random(seed)
    messages, total = [], 0
    while total < size:
        lines = [" ".join(source.choices(WORDS, k=14)) for _ in range(20)]
        if source.random() < 0.1:
            lines.append("use " + filled("ghp_{alnum:36}", source.randrange(1 << 30)))
        if source.random() < 0.1:
            lines.append('{"password": "' + filled("{alnum:12}", source.randrange(1 << 30)) + '"}')
        text = "\n".join(lines)
        messages.append({"role": "user", "content": [{"type": "text", "text": text}]})
        total += len(text)
    return orjson.dumps({"model": "m", "max_tokens": 1024, "messages": messages})


def seconds(run: Callable[[], object]) -> float:
    """The best of a few rounds, in CPU seconds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def leaks(masker: Masker, count: int) -> int:
    """Plants that survive in this many generated exchanges."""
    return sum(len(survivors(masker.mask(one.parts), one.plants)) for one in map(exchange, range(count)))


def score(labels: Path) -> dict[str, float]:
    """Recall and precision of `tacho mask` over labelled texts; a found secret is wholly covered."""
    masker = Masker(load(strict=False), KEY)
    found = total = right = spans = clean = touched = 0
    with gzip.open(labels, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            (masked,) = masker.mask([Part("t", "text", row["text"].encode())])
            content = row["text"].encode()
            places = [
                (len(content[: s.start].decode()), len(content[: s.end].decode())) for s in masked.spans
            ]
            spans += len(places)
            right += sum(any(a < end and b > start for start, end, _ in row["secrets"]) for a, b in places)
            total += len(row["secrets"])
            found += sum(any(a <= s and e <= b for a, b in places) for s, e, _ in row["secrets"])
            clean += not row["secrets"]
            touched += bool(not row["secrets"] and places)
    return {
        "recall": round(found / max(1, total), 4),
        "precision": round(right / max(1, spans), 4),
        "clean_touched": round(touched / max(1, clean), 4),
    }


def ours(rows: list[dict[str, object]]) -> dict[str, float]:
    """`tacho mask` over the own labelled texts."""
    masker = Masker(load(strict=False), KEY)
    found = {}
    for row in rows:
        (masked,) = masker.mask([Part("t", "text", str(row["text"]).encode())])  # they are ASCII
        found[str(row["id"])] = [(s.start, s.end) for s in masked.spans]
    return labelled.score(rows, found)


def peer(name: str, rows: list[dict[str, object]]) -> dict[str, object]:
    """One peer over the same texts, in its own environment."""
    speed = history(PEERS[name]).decode().replace("\\n", "\n")  # they read lines
    asked = json.dumps({"rows": rows, "speed": speed})
    command = [str(PEER_PYTHON), "bench/masking_peers.py", name]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1:]}
    answer = json.loads(done.stdout)
    score_ = labelled.score(rows, {key: [(a, b) for a, b in spans] for key, spans in answer["found"].items()})
    return {**score_, "scan_mb_s": round(len(speed) / 1e6 / answer["seconds"], 2)}


def main() -> None:
    """Measure, print a line each, end with JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--exchanges", type=int, default=500)
    arguments = parser.parse_args()
    rules = load()
    large, usual = history(5_000_000), history(60_000)
    prefilter = best_prefilter(rules.rules)
    deadline = Deadline.after(3600)
    sure, fast = Scanner(rules), Scanner(rules, prefilter)
    masker = Masker(rules, KEY)
    part, body = Part("b", "body", usual, "application/json"), Part("b", "body", large, "application/json")
    result: dict[str, Any] = {
        "rules": len(rules.rules),
        "hyperscan": prefilter is not None,
        "scan_mb_s": round(len(large) / 1e6 / seconds(lambda: fast.scan(large, deadline)), 1),
        "fallback_mb_s": round(len(large) / 1e6 / seconds(lambda: sure.scan(large, deadline)), 1),
        "record_mb_s": round(
            10 * len(usual) / 1e6 / seconds(lambda: [masker.mask([part]) for _ in range(10)]), 1
        ),
        "body_5mb_s": round(seconds(lambda: masker.mask([body])), 2),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "exchanges": arguments.exchanges,
        "leaks": leaks(masker, arguments.exchanges),
    }
    labels = arguments.labels or (DEVELOPMENT_SET if DEVELOPMENT_SET.exists() else None)
    if labels:
        result |= score(labels)
    rows = list(labelled.rows(ROWS))
    result["own_texts"] = {"tachograph": ours(rows)}
    if PEER_PYTHON.exists():
        result["own_texts"] |= {name: peer(name, rows) for name in PEERS}
    for name, value in result.items():
        for key, figures in value.items() if isinstance(value, dict) else [(name, value)]:
            print(f"{key:16} {figures}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
