"""What axe-core finds on every page: nothing, however minor."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from jobbers.core.status import Status
from tests.page.stage import Stage
from tests.page.test_looks import filled
from tests.page.test_page import settled

pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")  # of which only the script is used

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

AXE = files("axe_playwright_python") / "axe.min.js"
RUN = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .map(one => ({id: one.id, help: one.help, where: one.nodes.slice(0, 4).map(
        node => node.html.slice(0, 160) + ' ' + node.any.map(it => it.message).join(';'))}))"""


async def found(stage: Stage) -> list[Any]:
    if not await stage.page.evaluate("typeof axe === 'object'"):
        await stage.page.evaluate(AXE.read_text() + "; null")
    return list(await stage.page.evaluate(RUN))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_nothing_on_any_page(stage: Stage, theme: str, width: int) -> None:
    pages = await filled(stage)
    await stage.page.context.close()
    page = await stage.open(viewport={"width": width, "height": 860}, color_scheme=theme)
    wrong: dict[str, list[Any]] = {}
    for name, (where, heading) in pages.items():
        await stage.go(where, heading)
        await page.locator("main .loading").first.wait_for(state="detached")
        if here := await found(stage):
            wrong[name] = here
    assert wrong == {}, wrong


async def test_nothing_in_what_opens(stage: Stage) -> None:
    page = stage.page
    failed = await stage.submit("echo", "no", fail=True)
    await settled(stage, failed, Status.FAILED)
    await stage.go(f"#/tasks/{failed}", "echo")
    await page.get_by_role("button", name="Run with other arguments…").click()
    assert await found(stage) == []
    stage.gate.set()
    run = await stage.app.dags["count_words"].submit(text="one two")
    await run.result(timeout=20)
    await stage.go(f"#/runs/{run.id}", "count_words")
    assert await found(stage) == []
    await stage.go("#/dead?by=error", "Dead letters")
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").wait_for()
    assert await found(stage) == []


async def test_large_runs_are_drawn_in_time(stage: Stage) -> None:
    """5,000 nodes in layers of 100, each with ten parents: as many as a run may have."""
    took = await stage.page.evaluate("""async () => {
        const { grouped, layout } = await import('./js/graph.js');
        const { critical, spans } = await import('./js/gantt.js');
        const at = (ms) => new Date(1.7e12 + ms).toISOString();
        const nodes = Array.from({ length: 5000 }, (_, i) => ({
            name: `n${i}`, type: `t${i % 7}`, status: 'succeeded', items: null,
            after: i < 100 ? [] : Array.from({ length: 10 },
                (_, p) => `n${(Math.floor(i / 100) - 1) * 100 + (i + p * 7) % 100}`),
            started: at(Math.floor(i / 100) * 1000 + 100), finished: at(Math.floor(i / 100) * 1000 + 200 + i % 100),
        }));
        let ms = Infinity, groups, places, path;
        for (let round = 0; round < 3; round++) {  // the machine may stand still in one of them
            const begun = performance.now();
            groups = grouped(nodes);
            places = layout(groups).places;
            path = critical(nodes, spans(nodes, at(0), 2e12));
            ms = Math.min(ms, performance.now() - begun);
        }
        return { ms, groups: groups.length, places: places.size, path: path.length };
    }""")
    assert (took["groups"], took["places"], took["path"]) == (350, 350, 50)
    assert took["ms"] < 5000
