"""Everything that must exist before the first record."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from tachograph.schemas.config import Configuration
from tachograph.sinks import provision as module
from tachograph.sinks.errors import Busy, DependencyDown, OperatorError
from tachograph.sinks.index_templates import Template
from tachograph.sinks.provision import Report, Step, provision

DOWN = Configuration.model_validate({"kafka": {"bootstrap_servers": "127.0.0.1:1"}})


def test_a_report_knows_whether_anything_changed_or_is_left() -> None:
    """`differs` is what a person must decide."""
    assert not Report((Step("topic", "a", "unchanged"),)).changed
    assert Report((Step("topic", "a", "altered"),)).changed
    assert not Report((Step("topic", "a", "differs", "why"),)).complete
    assert str(Step("topic", "a", "differs", "why")) == "topic a: differs (why)"


def test_an_engine_that_is_down_is_named_after_the_bound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit code 3, and which one it was."""
    monkeypatch.setattr(module, "ENGINE_SECONDS", 0.1)
    monkeypatch.setattr("tachograph.sinks.topic_admin._ASK_SECONDS", 0.2)
    with pytest.raises(DependencyDown, match="Kafka"):
        provision(DOWN, base=tmp_path, progress=lambda _: None)


class Crowded:
    """A cluster that answers every question so many times with 503."""

    def __init__(self, faults: int) -> None:
        self.stored: dict[str, Any] = {}
        self._faults, self._asked = faults, Counter[str]()

    def get(self, path: str) -> Any:
        self._later("get")
        return self.stored.get(path)

    def put(self, path: str, value: Any) -> None:
        self._later("put")
        self.stored[path] = value

    def _later(self, what: str) -> None:
        self._asked[what] += 1
        if self._asked[what] <= self._faults:
            raise Busy("OpenSearch answered 503")


def test_a_busy_cluster_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the operator would have to mend; past the bound it is a part that is down."""
    monkeypatch.setattr(module, "_ASK_AGAIN_SECONDS", 0)
    busy = Crowded(faults=2)
    template = Template("t", "/_index_template/t", {"template": {}}, "digest")
    assert module._template(template, busy).action == "created"  # type: ignore[arg-type]  # a cluster on paper
    assert busy.stored == {"/_index_template/t": {"template": {}}}
    monkeypatch.setattr(module, "ENGINE_SECONDS", 0)
    with pytest.raises(DependencyDown, match="OpenSearch answered 503"):
        module._template(template, Crowded(faults=1))  # type: ignore[arg-type]


@pytest.mark.engines
def test_the_second_run_changes_nothing_and_says_so(world: Any) -> None:
    """Each step is reported and printed."""
    lines: list[str] = []
    report = provision(world.config, base=world.folder, progress=lines.append)
    assert not report.changed
    assert report.complete
    *made, dashboards = [step.action for step in report.steps]
    assert set(made) == {"unchanged"}
    assert dashboards == "manual"
    assert lines == [str(step) for step in report.steps]


@pytest.mark.engines
def test_what_differs_is_put_right(world: Any) -> None:
    """Retention, shards, and a template that somebody changed; another number of partitions is left alone."""
    kafka = world.config.kafka.model_copy(update={"raw_retention_hours": 48, "partitions": 3})
    search = world.config.opensearch.model_copy(update={"shards": 2})
    changed = world.config.model_copy(update={"kafka": kafka, "opensearch": search})
    report = provision(changed, base=world.folder, progress=lambda _: None)
    done = {(step.kind, step.name, step.action): step.detail for step in report.steps}
    assert done["topic", world.topics.raw, "altered"] == "retention.ms=172800000, segment.ms=14400000"
    assert "2 partitions, configured 3" in done["topic", world.topics.raw, "differs"]
    assert ("template", f"{world.prefix}-settings", "altered") in done
    assert ("template", f"{world.prefix}-mappings", "unchanged") in done
    assert not report.complete


@pytest.mark.engines
def test_an_index_is_what_the_templates_say(world: Any) -> None:
    """A real index of the pattern: mapped fields as mapped, a foreign one not at all."""
    source = orjson.dumps({"foreign": {"x": 1}, "time": 1_763_596_800_000})
    world.made()
    world.ask("PUT", f"/{world.index}/_doc/1", source)
    (found,) = orjson.loads(world.ask("GET", f"/{world.index}")).values()
    assert found["settings"]["index"]["codec"] == "best_compression"
    assert found["settings"]["index"]["refresh_interval"] == "1s"
    assert found["mappings"]["dynamic"] == "false"
    assert "foreign" not in found["mappings"]["properties"]
    assert found["mappings"]["properties"]["time"] == {"type": "date", "format": "epoch_millis"}


@pytest.mark.engines
def test_a_template_that_overrides_ours_is_found(world: Any) -> None:
    """Before the first document, and by what it would change."""
    path = f"/_index_template/{world.prefix}-foreign"
    pattern = f"{world.prefix}-events-2*"
    foreign = {"index_patterns": [pattern], "priority": 999, "template": {"mappings": {}}}
    world.ask("PUT", path, orjson.dumps(foreign))
    try:
        with pytest.raises(OperatorError, match="mappings: another template"):
            provision(world.config, base=world.folder, progress=lambda _: None)
    finally:
        world.gone(path)
