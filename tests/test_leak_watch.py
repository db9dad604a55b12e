"""The watch over logs and metrics finds what is planted in each place that it reads, and fails the run."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from leak_watch import forms, leaks

pytest_plugins = ["pytester"]

HIDDEN = 'Zq7 hunter "two" ü%'
_PLUGIN = Path(__file__).with_name("leak_watch.py")
_CONFTEST = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("leak_watch", {str(_PLUGIN)!r})
leak_watch = importlib.util.module_from_spec(spec)
sys.modules["leak_watch"] = leak_watch
spec.loader.exec_module(leak_watch)
def pytest_configure(config):
    config.pluginmanager.register(leak_watch.LeakWatch())
"""
_LEAKING = """
import base64, json, logging, subprocess, sys
import structlog
from prometheus_client import CollectorRegistry, Counter
PLANTED = {{"it": 'Zq7hunter{0}two'}}

def test_structlog(capsys):
    structlog.get_logger().warning("x", value=PLANTED["it"])
    capsys.readouterr()

def test_logging():
    logging.getLogger("a").warning("x %s", base64.b64encode(b"user:" + PLANTED["it"].encode()).decode())

def test_metrics():
    registry = CollectorRegistry()
    Counter("c", "c", ["l"], registry=registry).labels(PLANTED["it"]).inc()
    test_metrics.kept = registry

def test_captured():
    print(PLANTED["it"], file=sys.stderr)

def test_child(planted):
    planted("own-plant-81")
    code = "import sys; sys.stderr.write('own-plant-81')"
    subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL)

def test_read_child():
    code = f"import sys; sys.stderr.write({{PLANTED['it'].encode().hex()!r}})"
    subprocess.run([sys.executable, "-c", code], capture_output=True)

def test_file(tmp_path):
    (tmp_path / "worker-0.log").write_text(json.dumps(PLANTED["it"]))

def test_generated():
    from tachograph.processors.masking.canaries import exchange
    logging.getLogger("b").error(exchange(3).plants[0].value)

def test_clean():
    logging.getLogger("a").warning("nothing")
"""


@pytest.mark.parametrize("form", ["plain", "JSON", "percent", "base64", "hex"])
def test_each_form_is_looked_for(form: str) -> None:
    """Between other bytes, at any alignment."""
    value = HIDDEN.encode()
    written = {
        "plain": [value],
        "JSON": [json.dumps(HIDDEN).encode(), json.dumps(HIDDEN, ensure_ascii=False).encode()],
        "percent": [quote(HIDDEN, safe="").encode()],
        "base64": [base64.b64encode(b"u:x"[:lead] + value + b"tail") for lead in range(4)],
        "hex": [value.hex().encode(), value.hex().upper().encode()],
    }[form]
    for one in written:
        found = leaks({value: "it"}, [("here", b"x"), ("there", b"<" + one + b">")])
        assert {(leak.place, leak.planted) for leak in found} == {("there", "it")}
        assert leaks({value: "it"}, [("there", b" " * 10_000 + one)])
        assert not leaks({value: "it"}, [("there", one[: len(one) // 2])])
    assert all(len(written) >= 6 for _, written in forms(value))


def test_a_leak_fails_the_run_and_is_named(pytester: pytest.Pytester) -> None:
    """Whatever the place: a log read by the test, a metric, a child's standard error, a log file."""
    pytester.makeconftest(_CONFTEST)
    pytester.makepyfile(test_it=_LEAKING.format("9"))
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=9)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = [line for line in result.outlines if line.startswith("LEAK: ")]
    for test in ("structlog", "logging", "metrics", "captured", "child", "read_child", "generated"):
        assert any(f"test_it.py::test_{test} holds" in line for line in said), (test, said)
    assert any("test_file0/worker-0.log" in line for line in said)
    assert not any("clean" in line or "hunter9" in line or "own-plant" in line for line in said)


def test_what_one_process_plants_and_another_logs_is_found(pytester: pytest.Pytester) -> None:
    """In a run of several, everything is looked for in everything; a leak fails that run too."""
    pytester.makeconftest(_CONFTEST)
    pytester.makepyfile(
        test_plants="def test_it(planted):\n    planted('Zq7hunter-own')",
        test_logs="import logging\ndef test_it():\n    logging.getLogger().warning('Zq7hunter-' + 'own')",
    )
    result = pytester.runpytest_subprocess("-n", "2", "--dist", "loadfile")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    leak = "LEAK: log of test_logs.py::test_it holds a value planted by test_plants.py::test_it (plain)"
    assert leak in result.outlines


def test_a_run_without_leaks_says_what_it_looked_for(pytester: pytest.Pytester) -> None:
    """One line with figures; the exit code is the tests' own."""
    pytester.makeconftest(_CONFTEST)
    pytester.makepyfile(
        "import logging\nSECRET = 'Zq7hunter'\ndef test_one(): logging.getLogger().warning('twelve chars')"
    )
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.re_match_lines(["planted values in logs and metrics: 1 values, [1-9][0-9]+ bytes, 0 found"])
