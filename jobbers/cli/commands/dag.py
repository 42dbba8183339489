"""``jobbers dag``: list graphs, draw them, run them, and see where a run stands."""

from __future__ import annotations

import contextlib
import json as jsonlib
from typing import Annotated, Any

import typer

from jobbers.app import Jobbers
from jobbers.cli import inputs
from jobbers.cli.commands.result import show_result
from jobbers.cli.exit_codes import ExitCode
from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, table
from jobbers.cli.running import guarded
from jobbers.client import new_id
from jobbers.core.task import TaskRecord
from jobbers.dag.render import mermaid, svg
from jobbers.errors import InvalidArgument, UnknownOutcome
from jobbers.flow import Dag
from jobbers.run import NodeState
from jobbers.store.runs import RUN_TYPE

cli = new_cli(
    cls=ListGroup, help="List graphs (also without a command); draw and run them, and look at runs."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the graph.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The id of the run.")]
Drawn = Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")]
Picture = Annotated[bool, typer.Option("--svg", help="Print a picture in SVG.")]


@cli.command("list")
@guarded
async def list_graphs(target: Target, json: Json = False) -> None:
    """List the graphs of the application: their parameters and how many nodes they have."""
    app = target.find()
    graphs = [(dag.name, list(dag.graph.params), len(dag.graph.nodes)) for dag in app.dags.values()]
    if json:
        show_json([{"name": name, "parameters": params, "nodes": nodes} for name, params, nodes in graphs])
    elif not graphs:
        say("no graphs: this application makes none with app.dag(name); name another one with --app")
    else:
        cells = ([name, ", ".join(params), f"{nodes:,}"] for name, params, nodes in graphs)
        console().print(table(["graph", "parameters", ">nodes"], cells))


@cli.command()
@guarded
async def graph(name: Name, target: Target, picture: Picture = False, json: Json = False) -> None:
    """Draw a graph as a Mermaid flowchart, or as a picture. Fails when it could not run."""
    dag = target.find().find_dag(name)
    dag.check()
    nodes = [
        (node.name, node.task.name, [parent.name for parent in node.parents]) for node in dag.graph.ordered()
    ]
    if json:
        show_json([{"name": name, "type": kind, "after": after} for name, kind, after in nodes])
    else:
        show(svg(nodes) if picture else mermaid(nodes))


@cli.command()
@guarded
async def text(
    name: Name,
    target: Target,
    form: Annotated[str, typer.Option("--form", metavar="json|yaml", help="In which form.")] = "json",
) -> None:
    """Print a graph as text, as app.load_dag reads it."""
    show(target.find().find_dag(name).text(form).rstrip())


@cli.command()
@guarded
async def run(
    name: Name,
    *,
    target: Target,
    arg: Annotated[
        list[str] | None,
        typer.Option(
            "--arg", "-a", metavar="NAME=VALUE", help="A parameter, as JSON or text; may be repeated."
        ),
    ] = None,
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="ULID", help="The run's id; starting one twice changes nothing."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the run to end and print what it returned.")
    ] = False,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="How long to wait.")
    ] = None,
    json: Json = False,
) -> int:
    """Start a run of a graph and print its id; with --wait its result is printed in the id's place."""
    seconds = inputs.optional_duration(timeout, "--timeout")
    run_id = id or new_id()
    async with target.open(start=True) as app:
        dag = app.find_dag(name)
        try:
            handle = await dag.submit_as(run_id, read_params(dag, inputs.pairs(arg, "--arg")))
        except UnknownOutcome as error:
            raise UnknownOutcome(f"{error} with --id {run_id}") from error
        if wait:
            say(f"waiting for {handle.id}")
            return await show_result(app, handle, seconds, json)
    if json:
        show_json({"id": handle.id})
    else:
        show(handle.id)
    return ExitCode.OK


@cli.command()
@guarded
async def status(
    run_id: RunId, target: Target, drawn: Drawn = False, picture: Picture = False, json: Json = False
) -> None:
    """Show where a run and each of its nodes stands. ``jobbers cancel RUN`` ends it with all its tasks."""
    async with target.open() as app:
        nodes, record = await _read(app, run_id)
    if json:
        show_json({"id": record.id, "status": record.status, "reason": record.reason, "nodes": nodes})
    elif drawn or picture:
        rows = ((node.name, node.type, node.after) for node in nodes)
        draw = svg if picture else mermaid
        show(draw(rows, {node.name: str(node.status) for node in nodes if node.status}))
    else:
        reason = f": {record.reason}" if record.reason else ""
        say(f"run {record.id} of {record.type.partition('.')[2]} is {_word(record.status.value)}{reason}")
        cells = (
            [
                node.name,
                node.type,
                node.queue,
                _status(node),
                ", ".join(node.after),
                node.reason or "",
                node.id,
            ]
            for node in nodes
        )
        console().print(table(["node", "type", "queue", "status", "after", "reason", "task"], cells))


@cli.command()
@guarded
async def runs(
    target: Target,
    dag: Annotated[str | None, typer.Option("--dag", metavar="NAME", help="Only runs of this graph.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="How many at most.")] = 20,
    json: Json = False,
) -> None:
    """List runs, the newest first."""
    async with target.open() as app:
        page = await (await app.inspector()).runs(dag=dag, limit=limit)
    if json:
        show_json([_summary(record) for record in page.tasks])
    elif not page.tasks:
        say("no runs; start one with jobbers dag run NAME")
    else:
        cells = (
            [
                row["id"],
                row["dag"],
                _word(row["status"]),
                f"{row['created']:%Y-%m-%d %H:%M:%S}",
                row["reason"] or "",
            ]
            for row in map(_summary, page.tasks)
        )
        console().print(table(["run", "graph", "status", "created (UTC)", "reason"], cells))


@cli.command()
@guarded
async def pause(run_id: RunId, target: Target) -> None:
    """Let nothing more of a run start; what runs goes on."""
    async with target.open(deed="runs.pause", on=run_id) as app:
        await app.run(run_id).pause()
    show("paused")


@cli.command()
@guarded
async def resume(run_id: RunId, target: Target) -> None:
    """Let a paused run go on."""
    async with target.open(deed="runs.resume", on=run_id) as app:
        await app.run(run_id).resume()
    show("goes on")


@cli.command()
@guarded
async def retry(
    run_id: RunId,
    target: Target,
    from_node: Annotated[
        str | None, typer.Option("--from", metavar="NODE", help="Run this node and all behind it again, too.")
    ] = None,
    json: Json = False,
) -> None:
    """Repeat a run that failed or was cancelled: what did not succeed runs again, what the others returned is kept."""
    async with target.open(deed="runs.retry", on=run_id) as app:
        names = await app.run(run_id).retry(from_node)
    if json:
        show_json({"id": run_id, "again": names})
    else:
        show(f"again: {', '.join(names)}")


def _status(node: NodeState) -> str:
    items = (
        f" {node.items.done:,}/{node.items.total:,}" if node.items and node.items.total is not None else ""
    )
    return f"{node.status or 'expired'}{items}"


def _summary(record: TaskRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "dag": record.type.removeprefix(RUN_TYPE),
        "status": record.status,
        "created": record.created,
        "finished": record.finished,
        "reason": record.reason,
    }


def _word(status: str) -> str:
    return "open" if status == "blocked" else status


async def _read(app: Jobbers, run_id: str) -> tuple[list[NodeState], Any]:
    handle = app.run(run_id)
    return await handle.nodes(), await handle.record()


def read_params(dag: Dag, texts: dict[str, str]) -> dict[str, Any]:
    """As JSON where that is JSON and what takes it does, else as text; what nobody could take is refused by the graph."""
    return {name: _param(dag, name, text) for name, text in texts.items()}


def _param(dag: Dag, name: str, text: str) -> Any:
    candidates: list[Any] = [text]
    with contextlib.suppress(ValueError, RecursionError):
        candidates.insert(0, jsonlib.loads(text))
    for candidate in candidates:
        with contextlib.suppress(InvalidArgument):
            return dag.graph.load({name: candidate})[name]
    return text
