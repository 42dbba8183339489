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
from jobbers.core.tallies import Tallies
from jobbers.store.control import WorkerInfo
from jobbers.store.inspect import QueueInfo

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BOARD = json.loads((DEPLOY / "grafana" / "jobbers.json").read_text("utf-8"))
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def exposed() -> dict[str, set[str]]:
    """Every metric of /metrics with its labels."""
    tallies = Tallies()
    fields = (b"q|t|succeeded", b"q|t|ran|5", b"q|t|timeout|failed")
    tallies.read((field, b"1") for field in fields)
    text = render(
        [QueueInfo("q", 1, 1.0, False, {})],
        {"dead": 1},
        [WorkerInfo("w", datetime.now(UTC), 0.1, {})],
        {1: tallies, 2: tallies, 3: tallies},
        [Advice("q", 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 1, 1, 1, "why")],
        {"latency_ms": "1", "used_memory": "1", "instantaneous_ops_per_sec": "1"},
    )
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, labels = line.partition("{")
            found.setdefault(name.split(" ")[0], set()).update(re.findall(r'(\w+)="', labels))
    assert len(found) == text.count("# TYPE")
    return found


METRICS = exposed()


def wrong(expression: str) -> list[str]:
    """Metrics and labels of an expression that do not exist."""
    found = [name for name in re.findall(r"\bjobbers_\w+", expression) if name not in METRICS]
    labels = set().union(*METRICS.values()) | {"job"}
    for metric, matchers in re.findall(r"\b(jobbers_\w+)\{([^}]*)\}", expression):
        used = re.findall(r"(\w+)=", matchers)
        found += [f"{metric} {label}" for label in used if label not in METRICS.get(metric, ())]
    for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        found += [label for label in re.split(r",\s*", group) if label and label not in labels]
    return found


def panels() -> list[Any]:
    return [pytest.param(panel, id=panel["title"]) for panel in BOARD["panels"]]


@pytest.mark.parametrize("panel", panels())
def test_panels_name_what_exists(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert wrong(target["expr"]) == []
        assert "jobbers_" in target["expr"]
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            metric = re.findall(r"\bjobbers_\w+", target["expr"])[0]
            assert label in METRICS[metric]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in BOARD["panels"]):
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_every_metric_is_on_the_dashboard() -> None:
    shown = json.dumps(BOARD["panels"])
    missing = {name for name in METRICS if name not in shown}
    assert missing == {"jobbers_queue_paused"}


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
    assert {"api"} <= compose["services"].keys()
