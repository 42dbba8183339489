"""What a command does, a route does, too: whoever operates from afar needs no shell beside the server."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from typer.main import get_command

from jobbers import Jobbers
from jobbers.api import create_app
from jobbers.cli.lazy import COMMANDS

HERE_ONLY = {"worker", "api", "dev", "demo", "bench"}
"""They run processes on the machine on which they are called."""
ROUTES: dict[str, str] = {
    "submit": "POST /tasks",
    "status": "GET /tasks/{task_id}",
    "why": "GET /tasks/{task_id}/why",
    "result": "GET /tasks/{task_id}/result",
    "tail": "GET /events, GET /tasks/{task_id}/logs",
    "cancel": "POST /tasks/{task_id}/cancel",
    "dag list": "GET /dags",
    "dag graph": "GET /dags/{name}, GET /dags/{name}/drawing",
    "dag text": "GET /dags/{name}/text",
    "dag run": "POST /dags/{name}/runs",
    "dag status": "GET /runs/{task_id}, GET /runs/{task_id}/drawing",
    "dag runs": "GET /runs",
    "dag pause": "POST /runs/{task_id}/pause",
    "dag resume": "POST /runs/{task_id}/resume",
    "dag retry": "POST /runs/{task_id}/retry",
    "schedules list": "GET /schedules",
    "schedules show": "GET /schedules/{name}, GET /schedules/{name}/times",
    "schedules add": "POST /schedules",
    "schedules pause": "POST /schedules/{name}/pause",
    "schedules resume": "POST /schedules/{name}/resume",
    "schedules run": "POST /schedules/{name}/run",
    "schedules delete": "DELETE /schedules/{name}",
    "top": "GET /stats, GET /queues, GET /workers",
    "queues list": "GET /queues, GET /advice",
    "queues pause": "POST /queues/{name}/pause",
    "queues resume": "POST /queues/{name}/resume",
    "queues drain": "POST /queues/{name}/drain",
    "queues limit": "PUT /queues/{name}/limit, DELETE /queues/{name}/limit",
    "queues purge": "POST /queues/{name}/purge",
    "queues route": "PUT /routes/{kind}, DELETE /routes/{kind}",
    "queues routes": "GET /routes",
    "limits list": "GET /limits",
    "limits show": "GET /limits/{name}",
    "limits set": "PUT /limits/{name}",
    "limits reset": "DELETE /limits/{name}",
    "breakers list": "GET /breakers",
    "breakers trip": "POST /breakers/{name}/trip",
    "breakers reset": "POST /breakers/{name}/reset",
    "breakers budget": "GET /breakers/retries, DELETE /breakers/retries",
    "roles list": "GET /roles",
    "roles set": "PUT /roles/{role}",
    "roles reset": "DELETE /roles/{role}",
    "workers list": "GET /workers",
    "workers pause": "POST /workers/{worker}/pause",
    "workers resume": "POST /workers/{worker}/resume",
    "workers drain": "POST /workers/{worker}/drain",
    "types list": "GET /task-types",
    "types set": "PUT /task-types/{kind}/live",
    "types reset": "DELETE /task-types/{kind}/live",
    "telemetry list": "GET /telemetry",
    "telemetry set": "PUT /telemetry",
    "telemetry reset": "DELETE /telemetry",
    "stats": "GET /stats/queues, GET /stats/workers",
    "strike list": "GET /strikes",
    "strike add": "POST /strikes",
    "strike lift": "DELETE /strikes/{task_id}",
    "dlq list": "GET /dead-letters",
    "dlq show": "GET /tasks/{task_id}",
    "dlq requeue": "POST /dead-letters/requeue, POST /tasks/{task_id}/requeue",
    "dlq drop": "POST /dead-letters/drop",
    "doctor": "GET /doctor, POST /doctor/repair",
    "keys list": "GET /keys",
    "keys create": "POST /keys",
    "keys revoke": "DELETE /keys/{name}",
    "audit": "GET /audit",
    "version": "GET /settings, GET /doctor",
}


def commands() -> Iterator[str]:
    """Every command, and every one beneath it."""
    for name in COMMANDS:
        found = get_command(import_module(f"jobbers.cli.commands.{name}").cli)
        beneath = getattr(found, "commands", None)
        yield from [name] if beneath is None else [f"{name} {under}" for under in beneath]


async def test_every_command_has_its_routes(app: Jobbers) -> None:
    assert set(commands()) - HERE_ONLY == ROUTES.keys(), "a new command needs a route, and a line here"
    there = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in create_app(app).openapi()["paths"].items()
        for method in methods
    }
    needed = {route for routes in ROUTES.values() for route in routes.split(", ")}
    assert not needed - there


def test_the_documents_name_every_command() -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    told = text.partition("### Commands and routes")[2].partition("\n### ")[0]
    assert [name for name in COMMANDS if f"`{name}" not in told] == []
