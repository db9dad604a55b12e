"""Run in .venv-bench, without our code: one peer over texts.

Standard input is JSON, {"rows", "speed"}; the answer is {"found": {id: [[start, end]]}, "seconds"}: CPU for
the speed text, the rules loaded before.

Nothing is looked up in a network: detect-secrets and kingfisher have their validation off.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

Find = Callable[[str], list[tuple[int, int]]]


def places(text: str, values: Iterator[str]) -> list[tuple[int, int]]:
    return sorted({(at, at + len(v)) for v in values if v and (at := text.find(v)) >= 0})


def detect_secrets() -> Find:
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import default_settings, get_settings

    held = default_settings()
    held.__enter__()
    get_settings().disable_filters("detect_secrets.filters.common.is_ignored_due_to_verification_policies")

    def find(text: str) -> list[tuple[int, int]]:
        assert held  # the settings last as long as this context manager
        return places(text, (s.secret_value or "" for line in text.splitlines() for s in scan_line(line)))

    return find


def presidio() -> Find:
    from presidio_analyzer import predefined_recognizers as known

    names = (
        "CreditCard",
        "Crypto",
        "Email",
        "Iban",
        "Ip",
        "MacAddress",
        "Phone",
        "UsBank",
        "UsItin",
        "UsSsn",
    )
    engines = [getattr(known, f"{name}Recognizer")() for name in names]

    def find(text: str) -> list[tuple[int, int]]:
        return sorted({
            (hit.start, hit.end)
            for engine in engines
            for hit in engine.analyze(text, engine.supported_entities, None) or ()
        })  # fmt: skip

    return find


def kingfisher(folder: Path) -> list[dict[str, object]]:
    program = Path(sys.executable).parent / "kingfisher"
    command = [program, "scan", folder, "--no-validate", "--format", "json", "--jobs", "1", "--no-dedup"]
    command.append("--no-update-check")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = next(line for line in done.stdout.splitlines() if line.startswith('{"findings":['))
    found: list[dict[str, object]] = json.loads(line)["findings"]
    return found


def by_files(rows: list[dict[str, str]], speed: str) -> tuple[dict[str, list[tuple[int, int]]], float]:
    """kingfisher reads files; the time is that of one large file less that of an empty one."""
    found: dict[str, list[tuple[int, int]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("rows", "none", "speed"):
            (folder / part).mkdir()
        for row in rows:
            (folder / "rows" / f"{row['id']}.txt").write_text(row["text"])
        texts = {row["id"]: row["text"] for row in rows}
        for one in kingfisher(folder / "rows"):
            finding: dict[str, str] = one["finding"]  # type: ignore[assignment]  # as kingfisher has it
            row = Path(finding["path"]).stem
            found.setdefault(row, []).extend(places(texts[row], iter([finding["snippet"]])))
        (folder / "none" / "a.txt").write_text("nothing")
        (folder / "speed" / "a.txt").write_text(speed)
        spent = []
        for part in ("none", "speed"):
            start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            kingfisher(folder / part)
            spent.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - start)
    return found, max(spent[1] - spent[0], 0.001)


def main() -> None:
    asked = json.load(sys.stdin)
    if sys.argv[1] == "kingfisher":
        found, seconds = by_files(asked["rows"], asked["speed"])
    else:
        find = {"detect-secrets": detect_secrets, "presidio": presidio}[sys.argv[1]]()
        found = {row["id"]: find(row["text"]) for row in asked["rows"]}
        start = time.process_time()
        find(asked["speed"])
        seconds = time.process_time() - start
    print(json.dumps({"found": found, "seconds": seconds}))


if __name__ == "__main__":
    main()
