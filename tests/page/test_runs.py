"""A run on the page: its time axis, and how it is spread over queues."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from jobbers import Jobbers
from tests.page.stage import Stage, make_app

if TYPE_CHECKING:
    from playwright.async_api import Browser

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


async def test_groups_of_a_large_run_open_by_keyboard(stage: Stage) -> None:
    page = stage.page
    dag = stage.app.dag("deep")
    last = dag.node(stage.app.find("echo"), 1, fail=True).named("first")
    for number in range(700):
        last = dag.node(stage.app.find("echo")).named(f"n{number}").after(last)
    run = await dag.submit()
    await stage.go(f"#/runs/{run.id}", "deep")
    groups = page.locator(".graph .group")
    await expect(groups).to_have_count(59)  # 701 stages, twelve in each box
    await expect(groups.first).to_contain_text("1 failed")
    await groups.first.focus()
    await page.keyboard.press("Enter")
    await expect(groups.first).to_have_attribute("aria-expanded", "true")
    await expect(page.locator(".graph .node")).to_have_count(59 + 12)
    await expect(page.locator(".graph .node", has_text="failed").nth(1)).to_contain_text("first")
    await page.keyboard.press(" ")
    await expect(page.locator(".graph .node")).to_have_count(59)
    await page.get_by_role("button", name="200 more").click()
    await expect(page.get_by_role("region", name="Nodes of the run").locator("tbody tr")).to_have_count(400)


async def test_a_time_axis_of_many_nodes_has_pages(stage: Stage) -> None:
    page = stage.page
    dag = stage.app.dag("broad")
    for number in range(250):
        dag.node(stage.app.find("words"), "a").named(f"n{number}")
    run = await dag.submit()
    await run.wait(20)
    await stage.go(f"#/runs/{run.id}", "broad")
    await expect(page.locator(".gantt .span")).to_have_count(60)
    await page.get_by_role("button", name="Show all, 200 at a time").click()
    await expect(page.locator(".gantt .span")).to_have_count(200)
    await (
        page.get_by_role("navigation", name="Pages of the time axis")
        .get_by_role("button", name="Next")
        .click()
    )
    await expect(page.locator(".gantt .span")).to_have_count(50)
    await stage.see("201–250 of 250")
    await expect(page.get_by_role("link", name="Its tasks")).to_have_attribute(
        "href", f"#/tasks?status=succeeded&run={run.id}"
    )


def with_a_broad_graph(url: str, namespace: str) -> tuple[Jobbers, asyncio.Event]:
    """The usual app with a graph of 250 nodes."""
    app, gate = make_app(url, namespace)
    dag = app.dag("broad")
    for number in range(250):
        dag.node(app.find("words"), "a").named(f"n{number}")
    return app, gate


async def test_the_nodes_of_a_large_graph_come_in_parts(browser: Browser, jobbers_server: str) -> None:
    async with Stage(browser, jobbers_server, "page-broad", with_a_broad_graph) as stage:
        page = await stage.open()
        await stage.go("#/dags/broad", "broad")
        rows = page.get_by_role("region", name="Nodes").locator("tbody tr")
        await expect(rows).to_have_count(200)
        await page.get_by_role("button", name="50 more").click()
        await expect(rows).to_have_count(250)


async def test_a_run_shows_first_what_failed_and_what_runs(stage: Stage) -> None:
    page = stage.page
    dag = stage.app.dag("late")
    last = dag.node(stage.app.find("echo"), 0).named("n0")
    for number in range(1, 12):
        last = dag.node(stage.app.find("echo")).named(f"n{number}").after(last)
    dag.node(stage.app.find("echo"), "no such file", fail=True).named("broken").after(last)
    dag.node(stage.app.find("hold"), text="x").named("slow").after(last)
    run = await dag.submit()
    await stage.go("#/runs", "Runs")
    await expect(page.get_by_role("row", name="late")).to_contain_text("under way")
    await stage.go(f"#/runs/{run.id}", "late")
    failed = page.get_by_role("region", name="Nodes that failed")
    await expect(failed.get_by_role("link", name="broken")).to_be_visible()
    await expect(failed).to_contain_text("ValueError no such file")
    await expect(
        page.get_by_role("region", name="Nodes that run").get_by_role("link", name="slow")
    ).to_be_visible()
    await expect(page.locator(".graph .is-failed")).to_be_in_viewport()
    assert await page.locator(".graph").evaluate("one => one.scrollLeft") > 0
    rows = page.get_by_role("region", name="Nodes of the run").locator("tbody tr")
    await expect(rows).to_have_count(14)
    await page.get_by_label("Find", exact=True).fill("N1")
    await expect(rows).to_have_count(3)
    await stage.see("3 of 14 nodes")
    await page.get_by_label("Find", exact=True).fill("nothing like it")
    await stage.see("No node matches.")
    stage.gate.set()
    await expect(page.locator(".title .status")).to_have_text("failed")
    await expect(page.get_by_role("region", name="Nodes that run")).to_have_count(0)
