"""`python -m bench.leaks`: generated exchanges, each secret cut and encoded at random; how many survive.

A quarter of them each: secrets by name and by form in headers, URL and body; secrets by their place; a
request with an answer that repeats what the request named; and secrets in disguise, in a request and in its
answer. Counts a withheld part as well: it is no leak, and none should be. Prints its seed, progress and every
leak's kind, seed and place; exits with 1 if there is one. The last line is JSON.
"""

import argparse
import collections
import json
import sys
import time
from collections.abc import Iterator, Sequence

from tachograph.processors.masking.canaries import Plant, exchange
from tachograph.processors.masking.canary_disguises import disguised, seen
from tachograph.processors.masking.canary_places import RULES, conversation, placed, remnants
from tachograph.processors.masking.carried import NOTHING
from tachograph.processors.masking.masker import MaskedPart, Masker, PseudonymKey
from tachograph.processors.masking.ruleset import load

KINDS = ("named", "placed", "answered", "disguised")
EVERY = 1000


def masked(masker: Masker, kind: str, seed: int) -> Iterator[tuple[Sequence[MaskedPart], Sequence[Plant]]]:
    """The records of one exchange as they would be passed on, and what was planted in each."""
    if kind in ("answered", "disguised"):
        request, answer = conversation(seed) if kind == "answered" else disguised(seed)
        asked = masker.mask_with(request.parts, NOTHING)
        yield asked.parts, request.plants
        yield masker.mask_with(answer.parts, asked.found).parts, answer.plants
        return
    one = exchange(seed) if kind == "named" else placed(seed)
    yield masker.mask(one.parts), one.plants


def main() -> None:
    """Run, print progress, end with JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1, help="the first one; each exchange takes the next")
    asked = parser.parse_args()
    masker = Masker(load(), PseudonymKey("bench", bytes(32)), connection_rules=RULES)
    done: collections.Counter[str] = collections.Counter()
    leaks: list[tuple[str, int, str]] = []
    withheld: collections.Counter[str] = collections.Counter()
    print(f"seed {asked.seed}, {asked.exchanges} exchanges, ruleset {masker.digest}", flush=True)
    start = time.process_time()
    for number in range(asked.exchanges):
        kind, seed = KINDS[number % len(KINDS)], asked.seed + number
        for parts, plants in masked(masker, kind, seed):
            withheld.update(part.withheld for part in parts if part.withheld)
            done["records"] += 1
            done["plants"] += len(plants)
            for plant in (seen if kind == "disguised" else remnants)(parts, plants):
                leaks.append((kind, seed, plant.place))
                print(f"LEAK {kind} {seed} {plant.place}", flush=True)
        done[kind] += 1
        if (number + 1) % EVERY == 0:
            spent = time.process_time() - start
            print(f"{number + 1} exchanges, {done['plants']} plants, {len(leaks)} leaks,", end=" ")
            print(f"{sum(withheld.values())} withheld, {spent:.0f} s", flush=True)
    result = {
        "seed": asked.seed, "exchanges": asked.exchanges, "leaks": len(leaks), **done,
        "withheld": dict(withheld),
        "cpu_s": round(time.process_time() - start), "ruleset": masker.digest,
    }  # fmt: skip
    print(json.dumps(result))
    sys.exit(1 if leaks else 0)


if __name__ == "__main__":
    main()
