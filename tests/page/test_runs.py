"""A run on the page: its time axis, and how it is spread over queues."""

from __future__ import annotations

import pytest

from tests.page.stage import Stage

pytest.importorskip("playwright")
from playwright.async_api import expect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_a_run_tells_how_it_is_spread(stage: Stage) -> None:
    page = stage.page
    stage.gate.set()
    dag = stage.app.dag("spread")
    first = dag.node(stage.app.find("words"), "a b").named("first")
    for number in range(3):
        dag.node(stage.app.find("divide"), number).named(f"n{number}").after(first)
    run = await dag.submit()
    await run.wait(20)
    await stage.go(f"#/runs/{run.id}", "spread")
    table = page.get_by_role("region", name="Nodes by queue")
    await expect(table.locator("tbody tr")).to_have_count(2)
    await expect(table.get_by_role("row", name="sums").locator("td").nth(1)).to_have_text("3")
    await stage.see("By number of nodes: the fullest has 1.5 times its share.")
    assert await page.locator(".gantt .axis text").count() >= 2
    assert await page.locator(".gantt .axis text").first.text_content() == "0 ms"


async def test_marks_of_the_axis_are_few_and_round(stage: Stage) -> None:
    found = await stage.page.evaluate("""async () => {
        const { ticks } = await import('./js/gantt.js');
        const { skew } = await import('./js/spread.js');
        return [[1, 7, 90, 61_000, 3_600_000, 1e10].map(ticks), [[2, 2], [3, 1], [4], [0, 0]].map(skew)];
    }""")
    marks, skews = found
    assert all(2 <= len(some) <= 8 for some in marks)
    assert marks[2] == [0, 20, 40, 60, 80]
    assert marks[3][-1] == 60_000
    assert skews == [1, 1.5, None, None]
