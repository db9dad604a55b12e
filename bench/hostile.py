"""`python -m bench.hostile`: what hostile bodies cost the masker in memory and time. The last line is JSON.

Each body is masked in a process of its own; its peak is the resident memory's high-water mark from the moment
the body is there (Linux only: /proc/self/clear_refs sets the mark back). `--only NAME` takes one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.hostile_bodies import BODIES, MB
from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import load


def resident(field: str) -> int:
    """VmRSS or VmHWM of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) // 1024


def _made(name: str) -> bytes:
    """The body, made by another process: what making it takes is not the masker's."""
    with tempfile.TemporaryFile() as file:
        subprocess.run([sys.executable, "-m", "bench.hostile", "--make", name], stdout=file, check=True)
        file.seek(0)
        return file.read()


def one(name: str) -> dict[str, object]:
    """Mask this body here."""
    masker = Masker(load(), PseudonymKey("bench", bytes(32)), clock=time.process_time)
    masker.mask([Part("b", "body", b'{"password":"abcdefgh1"}', "application/json")])
    body = BODIES[name]
    data = _made(name)
    idle = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    start = time.process_time()
    (out,) = masker.mask([Part("b", "body", data, body.type, body.coding)])
    outcome = out.withheld or "masked"
    return {
        "body": name,
        "mb": round(len(data) / MB, 1),
        "outcome": outcome,
        "expected": outcome in body.outcomes,
        "seconds": round(time.process_time() - start, 1),
        "idle_mb": idle,
        "peak_mb": resident("VmHWM"),
    }


def main() -> None:
    """Run each in a child, print a line each, end with JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=BODIES)
    parser.add_argument("--make", choices=BODIES, help="write one body to standard output")
    asked = parser.parse_args()
    if asked.make:
        sys.stdout.buffer.write(BODIES[asked.make].make())
        return
    if asked.only:
        print(json.dumps(one(asked.only)))
        return
    rows = []
    for name in BODIES:
        command = [sys.executable, "-m", "bench.hostile", "--only", name]
        row = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        print(
            "  ".join(f"{value!s:>{22 if key == 'body' else 10}}" for key, value in row.items()), flush=True
        )
        rows.append(row)
    print(json.dumps({"peak_mb": max(row["peak_mb"] for row in rows), "bodies": rows}))


if __name__ == "__main__":
    main()
