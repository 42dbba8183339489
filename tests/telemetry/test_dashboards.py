"""The dashboard, the alert rules and the containers: they can be read, and name only metrics and labels that exist."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobbers.api.metrics_text import render
from jobbers.core.advice import Advice
from jobbers.core.decide import HeartbeatMissed
from jobbers.core.events import (
    AttemptEnded,
    AttemptStarted,
    BatchStarted,
    FinishRefused,
    LeaseLost,
    LimitMeasured,
    LoopBlocked,
    Outcome,
    QueueMeasured,
    RunsCounted,
    ScheduleFired,
    ScriptCalled,
    SpreadMeasured,
    TaskReclaimed,
    TasksClaimed,
    TasksCounted,
    TaskSubmitted,
    WorkerPulse,
)
from jobbers.core.tallies import Tallies
from jobbers.store.control import WorkerInfo
from jobbers.store.inspect import QueueInfo
from jobbers.telemetry.catalogue import UNITS
from jobbers.telemetry.counting import handlers
from jobbers.telemetry.exposition import exposition
from jobbers.telemetry.metrics import Answered, Metrics

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BOARD = json.loads((DEPLOY / "grafana" / "jobbers.json").read_text("utf-8"))
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def rendered() -> str:
    """What /metrics has of the task server."""
    tallies = Tallies()
    fields = (b"q|t|succeeded", b"q|t|ran|5", b"q|t|timeout|failed")
    tallies.read((field, b"1") for field in fields)
    return render(
        [QueueInfo("q", 1, 1.0, False, {})],
        {"dead": 1},
        [WorkerInfo("w", datetime.now(UTC), 0.1, {})],
        {1: tallies, 2: tallies, 3: tallies},
        [Advice("q", 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 1, 1, 1, "why")],
        {"latency_ms": "1", "used_memory": "1", "instantaneous_ops_per_sec": "1"},
    )


def exposed(text: str) -> dict[str, set[str]]:
    """Every metric of an exposition with its labels."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, labels = line.partition("{")
            found.setdefault(name.split(" ")[0], set()).update(re.findall(r'(\w+)="', labels))
    return found


def counted() -> Metrics:
    """One of everything that a process counts."""
    metrics = Metrics()
    for event in (
        AttemptStarted("t", "type", "q", 5, 1, 0, 0, 1, "w", {}),
        AttemptEnded("t", "type", "q", 1, "w", Outcome.RETRIED, 1.0, HeartbeatMissed("none")),
        AttemptEnded("t", "type", "q", 1, "w", Outcome.FAILED, 1.0, ValueError("no"), 1),
        TaskSubmitted("t", "type", "q", 5, delayed=False),
        FinishRefused("t", "succeed"),
        LeaseLost("t", "type", "w", "why"),
        TaskReclaimed("t", "w", poison=False),
        WorkerPulse("w", 1, 2, 0.1, 1.0, 1),
        LoopBlocked("w", 1.0, "t", "type", "stack", over=True),
        ScriptCalled("claim", 0.1),
        TasksClaimed("w", 1),
        BatchStarted("type", 2),
        ScheduleFired("hourly", 0.1),
        QueueMeasured("q", 1, 1.0, paused=False),
        TasksCounted("dead", 1),
        LimitMeasured("limit", 1, 1),
        SpreadMeasured("queues", "type", 2, 1.0),
        RunsCounted("run", "failed", 1),
    ):
        handlers(metrics)[type(event)](event)
    metrics.sent("q", 0.1, "ValueError")
    metrics.answered(Answered("GET", "http", "/queues", 500), 0.1, None)
    metrics.streams(1)
    metrics.credential_refused("key")
    return metrics


FROM_SERVER = exposed(rendered())
COUNTED = exposed(exposition(counted().families(), openmetrics=False))
METRICS = COUNTED | FROM_SERVER
NAME = r"\b(?:jobbers|http_server|messaging|process)_\w+"


def wrong(expression: str) -> list[str]:
    """Metrics and labels of an expression that do not exist."""
    grouping = r"\b(?:by|on) \(([^)]*)\)"
    found = [name for name in named(expression) if name not in METRICS]
    labels = set().union(*METRICS.values()) | {"job"}
    for metric, matchers in re.findall(rf"({NAME})\{{([^}}]*)\}}", expression):
        used = re.findall(r"(\w+)=", matchers)
        found += [f"{metric} {label}" for label in used if label not in METRICS.get(metric, ())]
    for group in re.findall(grouping, expression):
        found += [label for label in re.split(r",\s*", group) if label and label not in labels]
    return found


def named(expression: str) -> list[str]:
    """The metrics that an expression names."""
    return re.findall(NAME, re.sub(r"\b(?:by|on) \([^)]*\)|\{[^}]*\}", "", expression))


def panels() -> list[Any]:
    return [pytest.param(panel, id=panel["title"]) for panel in BOARD["panels"]]


@pytest.mark.parametrize("panel", panels())
def test_panels_name_what_exists(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert wrong(target["expr"]) == []
        metrics = named(target["expr"])
        assert metrics
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            assert label in METRICS[metrics[0]]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in BOARD["panels"]):
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_every_metric_of_the_server_is_on_the_dashboard() -> None:
    shown = {
        name for panel in BOARD["panels"] for target in panel["targets"] for name in named(target["expr"])
    }
    assert FROM_SERVER.keys() <= shown


def test_everything_that_is_counted_is_known_here() -> None:
    assert {family.name for family in counted().families()} == UNITS.keys()


def test_the_documentation_has_every_alert() -> None:
    text = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
    rows = re.findall(r"^\| `(Jobbers\w+)`( \*)? \|", text, re.MULTILINE)
    assert [name for name, _ in rows] == [rule["alert"] for rule in RULES]
    of_workers = {name for name, star in rows if star}
    own = {"http_server_request_duration_seconds_count", "jobbers_api_credentials_refused_total"}
    for rule in RULES:
        asked = set(named(rule["expr"]))
        assert (rule["alert"] in of_workers) is bool(asked - FROM_SERVER.keys() - own)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_name_what_exists_and_say_what_to_do(rule: dict[str, Any]) -> None:
    assert wrong(rule["expr"]) == []
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "action"}
    assert rule["expr"].count("(") == rule["expr"].count(")")


def test_what_does_not_exist_is_found() -> None:
    assert wrong("jobbers_queue_depht") == ["jobbers_queue_depht"]
    assert wrong('jobbers_tasks{queue="a"}') == ["jobbers_tasks queue"]
    assert wrong("sum by (kind) (jobbers_tasks)") == ["kind"]
    assert wrong("rate(http_server_request_duration_seconds_cont[5m])") == [
        "http_server_request_duration_seconds_cont"
    ]


def test_containers_mount_files_that_are_there() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    for name in ("prometheus", "grafana"):
        service = compose["services"][name]
        assert service["profiles"] == ["dashboards"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]
    for file in DEPLOY.rglob("*.yml"):
        assert yaml.safe_load(file.read_text("utf-8"))
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    assert scraped["rule_files"] == ["alerts.yml"]
    targets = [
        target
        for job in scraped["scrape_configs"]
        for it in job["static_configs"]
        for target in it["targets"]
    ]
    for target in targets:
        host, _, port = target.partition(":")
        service = compose["services"][host]
        listens = service["environment"].get("JOBBERS_METRICS_LISTEN", "").rpartition(":")[2]
        assert port == listens or port in service["command"]
    (dropped,) = scraped["scrape_configs"][1]["metric_relabel_configs"]
    assert (dropped["source_labels"], dropped["action"]) == (["__name__"], "drop")
    twice = FROM_SERVER.keys() & COUNTED.keys()
    assert set(dropped["regex"].split("|")) == twice, (
        "the API tells it with other labels; sums would count it twice"
    )
