"""The containers' files, as far as can be told without an engine: names lead somewhere, versions are pinned, and what they
say to Jobbers is what Jobbers understands."""

from __future__ import annotations

import json
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobbers.cli.commands import api, worker
from jobbers.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
COLLECTOR: dict[str, Any] = yaml.safe_load((ROOT / "otel-collector.yaml").read_text("utf-8"))
SERVICE_KEYS = {
    "build", "command", "depends_on", "environment", "healthcheck", "image", "ports", "profiles", "restart",
    "stop_grace_period", "ulimits", "volumes",
}  # fmt: skip
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period"}


def setting(variable: str) -> bool:
    return variable.removeprefix("JOBBERS_").lower() in Settings.model_fields


def test_everything_that_is_promised_is_there() -> None:
    assert {"redis", "api", "worker-1", "worker-2", "collector", "uptrace"} <= SERVICES.keys()
    assert {"uptrace-clickhouse", "uptrace-postgres", "uptrace-redis"} <= SERVICES.keys()
    assert SERVICES["uptrace"]["depends_on"].keys() == {
        "uptrace-clickhouse",
        "uptrace-postgres",
        "uptrace-redis",
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_names_only_what_exists(name: str) -> None:
    service = SERVICES[name]
    assert service.keys() <= SERVICE_KEYS
    assert re.search(r":[\w.-]*\d[\w.-]*$", service["image"]) or service["image"] == "jobbers:local", "pinned"
    needed = service.get("depends_on", {})
    for other in needed:
        assert other in SERVICES
        if isinstance(needed, dict) and needed[other]["condition"] == "service_healthy":
            assert SERVICES[other]["healthcheck"].keys() <= HEALTH_KEYS
            assert SERVICES[other]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    for port in service.get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), "open to this machine only"
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
    for variable in service.get("environment", {}):
        assert setting(variable) or not variable.startswith("JOBBERS_")


def test_what_keeps_data_has_a_volume_and_tells_whether_it_is_well() -> None:
    for name in ("redis", "uptrace-clickhouse", "uptrace-postgres"):
        assert SERVICES[name]["volumes"]
        assert SERVICES[name]["healthcheck"]
    assert "noeviction" in SERVICES["redis"]["command"]
    assert "--appendonly" in SERVICES["redis"]["command"]


@pytest.mark.parametrize("name", ["api", "worker-1", "worker-2"])
def test_commands_are_ones_that_jobbers_has(name: str) -> None:
    command, *options = SERVICES[name]["command"]
    module = {"api": api, "worker": worker}[command]
    known = Path(module.__file__ or "").read_text("utf-8")
    for option in options:
        assert not option.startswith("--") or f'"{option}"' in known, option


def test_the_collector_uses_what_it_defines_and_can_be_reached() -> None:
    pipelines = COLLECTOR["service"]["pipelines"]
    assert pipelines.keys() == {"traces", "metrics", "logs"}
    for pipeline in pipelines.values():
        for part in ("receivers", "processors", "exporters"):
            assert set(pipeline[part]) <= COLLECTOR[part].keys()
        assert pipeline["processors"][0] == "memory_limiter", "before memory runs out"
    assert "batch" not in COLLECTOR["processors"], "the queues of the exporters make batches"
    for protocol, settings in COLLECTOR["receivers"]["otlp"]["protocols"].items():
        host, _, port = settings["endpoint"].partition(":")
        assert (host, port) == ("0.0.0.0", {"grpc": "4317", "http": "4318"}[protocol])
        assert f"127.0.0.1:{port}:{port}" in SERVICES["collector"]["ports"]
    for name, exporter in COLLECTOR["exporters"].items():
        assert name.partition("/")[0] in ("otlp_grpc", "otlp_http")
        host = re.sub(r"^https?://", "", exporter["endpoint"]).partition(":")[0]
        assert host in SERVICES
        for variable in re.findall(r"\$\{env:(\w+)\}", json.dumps(exporter)):
            assert variable in SERVICES["collector"]["environment"]
    target = SERVICES["api"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert "http://collector:4318" in target


def test_uptrace_finds_its_databases_and_is_found() -> None:
    uptrace: dict[str, Any] = yaml.safe_load((ROOT / "uptrace.yml").read_text("utf-8"))
    (shard,) = uptrace["ch_cluster"]["shards"]
    (replica,) = shard["replicas"]
    stores = {
        "uptrace-clickhouse": (replica, "CLICKHOUSE_DB", 9000),
        "uptrace-postgres": (uptrace["pg"], "POSTGRES_DB", 5432),
    }
    for host, (said, database, port) in stores.items():
        environment = SERVICES[host]["environment"]
        kind = database.removesuffix("_DB")
        assert said["addr"] == f"{host}:{port}"
        assert said["database"] == environment[database]
        assert (said["user"], said["password"]) == (
            environment[f"{kind}_USER"],
            environment[f"{kind}_PASSWORD"],
        )
    assert uptrace["redis_cache"]["addrs"][1].partition(":")[::2] == ("uptrace-redis", "6379")
    ports = dict(port.removeprefix("127.0.0.1:").split(":") for port in SERVICES["uptrace"]["ports"])
    listens = {uptrace["listen"][kind]["addr"].removeprefix(":") for kind in ("http", "grpc")}
    assert set(ports.values()) == listens
    token = re.search(
        r"//(\w+)@localhost:(\d+)\?grpc=(\d+)\}$", SERVICES["collector"]["environment"]["UPTRACE_DSN"]
    )
    assert token is not None
    assert token[1] == uptrace["seed_data"]["project_tokens"][0]["token"]
    assert {token[2], token[3]} == ports.keys()
    inside = {it["endpoint"].rpartition(":")[2] for it in COLLECTOR["exporters"].values()}
    assert inside == listens


def test_the_image_copies_what_is_there_and_does_not_run_as_root() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    steps = [line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    assert {word for word, _ in steps} <= {
        "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD",
    }  # fmt: skip
    words = {step[0]: step[1] for step in steps}
    for word, rest in steps:
        if word == "COPY":
            assert all((ROOT / source).exists() for source in rest.split()[:-1]), rest
        if word == "ENV":
            names = [pair.partition("=")[0] for pair in shlex.split(rest)]
            assert all(setting(name) for name in names if name.startswith("JOBBERS_"))
    assert words["USER"] not in ("root", "0")
    assert json.loads(words["ENTRYPOINT"]) == ["jobbers"]
    assert re.fullmatch(r"python:3\.\d+-slim", words["FROM"])
    module = re.search(r"JOBBERS_APP=(\S+)", text)
    assert module is not None
    assert import_module(module[1]).app
