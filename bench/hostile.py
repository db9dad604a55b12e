"""`python -m bench.hostile`: what hostile bodies cost the masker in memory and time. The last line is JSON.

Each body is masked in a process of its own; its peak is the resident memory's high-water mark from the moment
the body is there (Linux only: /proc/self/clear_refs sets the mark back). `--only NAME` takes one.
"""

import argparse
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import load

MB = 1_000_000


def written(pieces: Iterable[bytes], before: bytes = b"", after: bytes = b"") -> bytes:
    out = io.BytesIO()
    out.write(before)
    for piece in pieces:
        out.write(piece)
    out.write(after)
    return out.getvalue()


def flood(unit: bytes, size: int = 5 * MB) -> bytes:
    return unit * (size // len(unit))


BODIES: dict[str, Callable[[], bytes]] = {
    "plain prose, 5 MB": lambda: b'{"a":"' + flood(b"the cat sat on ") + b'"}',
    "plain prose, 30 MB": lambda: b'{"a":"' + flood(b"the cat sat on ", 30 * MB) + b'"}',
    "one line of 50 MB": lambda: b'{"a":"' + flood(b"the cat sat on ", 50 * MB) + b'"}',
    "a million keys": lambda: written((b'"k%d":%d,' % (i, i) for i in range(MB)), b"{", b'"k":1}'),
    "empty objects": lambda: b"[" + flood(b"{},") + b"{}]",
    "numbers": lambda: b"[" + flood(b"1,") + b"1]",
    "depth of a million": lambda: b"[" * MB + b"]" * MB,
    "backslashes": lambda: b'{"a":"' + flood(b"\\\\") + b'"}',
    "percent codes": lambda: flood(b"%41 "),
    "entities": lambda: flood(b"&amp;"),
    "base64 runs": lambda: b'"' + flood(b"QUJDREVGR0hJSktM ") + b'"',
    "hex runs": lambda: flood(b"61626364656667686970 "),
    "PEM headers": lambda: flood(b"-----BEGIN PRIVATE KEY-----"),
    "PEM headers in JSON": lambda: b'{"a":"' + flood(b"-----BEGIN PRIVATE KEY-----\\n") + b'"}',
    "stream events": lambda: flood(b'data: {"index":0,"delta":{"text":"ab"}}\n\n'),
    "passwords": lambda: written((b'{"password":"zq%d"},' % i for i in range(200_000)), b"[", b"{}]"),
    "a list of secrets": lambda: written(
        (b'"zqaa%d",' % i for i in range(400_000)), b'{"secrets":[', b'""]}'
    ),
    "70,000 secrets": lambda: written((b'"zqaa%d",' % i for i in range(70_000)), b'{"secrets":[', b'""]}'),
    "e-mail addresses": lambda: written(b"a%d@b.de " % i for i in range(300_000)),
    "tokens": lambda: flood(b"token: abc1234567 "),
}


def resident(field: str) -> int:
    """VmRSS or VmHWM of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) // 1024


def one(name: str) -> dict[str, object]:
    """Mask this body here."""
    masker = Masker(load(), PseudonymKey("bench", bytes(32)))
    masker.mask([Part("b", "body", b'{"password":"abcdefgh1"}', "application/json")])
    data = BODIES[name]()
    idle = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    start = time.process_time()
    (out,) = masker.mask([Part("b", "body", data, "application/json")])
    return {
        "body": name,
        "mb": round(len(data) / MB, 1),
        "outcome": out.withheld or "masked",
        "seconds": round(time.process_time() - start, 1),
        "idle_mb": idle,
        "peak_mb": resident("VmHWM"),
    }


def main() -> None:
    """Run each in a child, print a line each, end with JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=BODIES)
    asked = parser.parse_args().only
    if asked:
        print(json.dumps(one(asked)))
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
