"""Graphs as text, and graphs and runs as drawings: what ``jobbers dag text``, ``graph`` and ``status`` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Query, Response

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import ApiError, documented
from jobbers.api.reach import check_graph, check_run
from jobbers.api.route import Part
from jobbers.api.routes.runs import DagName
from jobbers.core.access import Scope
from jobbers.dag.render import mermaid, svg
from jobbers.errors import ConfigError

router = Part(tags=["runs"])

MOST_ARROWS = 20_000
"""Nobody can look at more, and drawing them would keep other callers waiting."""
_WRITTEN = {"json": "application/json", "yaml": "application/yaml"}
_DRAWN = {"mermaid": "text/plain", "svg": "image/svg+xml"}
_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
_FLOWCHART = 'flowchart TD\n    n0["load"]\n    n1["save"]\n    n0 --> n1'
_GRAPH = {
    "dag": "etl",
    "nodes": {"load": {"task": "load"}, "save": {"task": "save", "args": [{"$node": "load"}]}},
}
_WRITTEN_ANSWER = {
    "description": "The graph.",
    "content": {
        "application/json": {"schema": {"type": "object"}, "example": _GRAPH},
        "application/yaml": _TEXT | {"example": "dag: etl\nnodes:\n  load:\n    task: load\n"},
    },
}
_DRAWN_ANSWER = {
    "description": "The drawing.",
    "content": {"text/plain": _TEXT | {"example": _FLOWCHART}, "image/svg+xml": _TEXT},
}
_NO_SCRIPTS = {"Content-Security-Policy": "default-src 'none'; sandbox"}
"""A browser that is led to a picture shows nothing else, though names in it come from elsewhere."""

Written = Annotated[Literal["json", "yaml"], Query(description="In which form.")]
Drawn = Annotated[
    Literal["mermaid", "svg"], Query(description="A flowchart in Mermaid's language, or a picture.")
]
Rows = Sequence[tuple[str, str, Sequence[str]]]


@router.get(
    "/dags/{name}/text",
    response_class=Response,
    responses={200: _WRITTEN_ANSWER, **documented(404, 422)},
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def text(app: deps.TheApp, caller: deps.TheCaller, name: DagName, form: Written = "json") -> Response:
    """A graph as text, with the arguments of its nodes, as `app.load_dag` reads it."""
    dag = app.find_dag(name)
    check_graph(caller, dag)
    try:
        return Response(dag.text(form), media_type=_WRITTEN[form])
    except ConfigError as error:  # a library is missing here: the caller can do without
        raise ApiError(422, "invalid_input", f"{error}; or ask for form=json", "form") from None


@router.get(
    "/dags/{name}/drawing",
    response_class=Response,
    responses={200: _DRAWN_ANSWER, **documented(404, 422)},
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def drawing(app: deps.TheApp, name: DagName, form: Drawn = "mermaid") -> Response:
    """A graph as a drawing: its nodes, their task types, and what they wait for."""
    nodes = app.find_dag(name).graph.ordered()
    rows = [(node.name, node.task.name, [parent.name for parent in node.parents]) for node in nodes]
    return _drawn(rows, {}, form)


@router.get(
    "/runs/{task_id}/drawing",
    response_class=Response,
    responses={200: _DRAWN_ANSWER, **documented(404, 422)},
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def run_drawing(
    app: deps.TheApp,
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    *,
    task_id: deps.TaskId,
    form: Drawn = "mermaid",
) -> Response:
    """A run as a drawing: its nodes, where each stands, in words and colour, and what they wait for."""
    await check_run(caller, app, inspector, task_id)
    nodes = await app.run(task_id).nodes()
    rows = [(node.name, node.type, node.after) for node in nodes]
    return _drawn(rows, {node.name: str(node.status) for node in nodes if node.status}, form)


def _drawn(rows: Rows, statuses: dict[str, str], form: str) -> Response:
    arrows = sum(len(after) for _, _, after in rows)
    if arrows > MOST_ARROWS:
        raise ApiError(
            422,
            "invalid_input",
            f"this has {arrows:,} arrows, and up to {MOST_ARROWS:,} are drawn here: its nodes with what they wait for are "
            "in the same path without /drawing",
        )
    draw = svg if form == "svg" else mermaid
    return Response(draw(rows, statuses), media_type=_DRAWN[form], headers=_NO_SCRIPTS)
