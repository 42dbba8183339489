"""Putting things right for many at once, and from the pages of a run and a task."""

from __future__ import annotations

import asyncio

import pytest

from jobbers.core.status import Status
from tests.page.stage import Stage
from tests.page.test_page import settled

pytest.importorskip("playwright")
from playwright.async_api import expect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_dead_letters_of_one_error_are_one(stage: Stage) -> None:
    page = stage.page
    failed = [await stage.submit("echo", f"no user {number}", fail=True) for number in range(3)]
    other = await stage.submit("divide", 1, 0)
    for task_id in (*failed, other):
        await settled(stage, task_id, Status.FAILED)
    await stage.go("#/dead", "Dead letters")
    await page.get_by_role("link", name="By error").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    row = page.locator("tbody tr", has_text="no user …")
    await expect(row).to_contain_text("ValueError")
    await expect(row).to_contain_text("echo (3)")
    await row.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Delete: 3 tasks?")
    await dialog.get_by_role("button", name="Delete: 3 tasks").click()
    await page.get_by_text("3 tasks deleted").wait_for()
    await expect(page.locator("tbody tr")).to_have_count(1)
    page_of_dead = await (await stage.app.inspector()).tasks(Status.FAILED)
    assert [record.id for record in page_of_dead.tasks] == [other]


async def test_all_that_match_are_counted_before_they_are_cancelled(stage: Stage) -> None:
    page = stage.page
    inspector = await stage.app.inspector()
    await inspector.pause("default")
    await stage.app.find("echo").map([{"value": number} for number in range(60)])
    other = await stage.submit("hold", text="other", options={"queue": "default"})
    await stage.go("#/tasks?status=queued&type=echo", "Tasks")
    await page.get_by_role("button", name="Cancel all that match…").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Cancel: 60 tasks?")
    await dialog.get_by_role("button", name="Keep as it is").click()
    assert (await inspector.counts())["queued"] == 61
    await page.get_by_role("button", name="Cancel all that match…").click()
    await page.get_by_role("button", name="Cancel: 60 tasks").click()
    await page.get_by_text("60 tasks cancelled").wait_for()
    assert (await inspector.counts())["queued"] == 1
    assert (await inspector.task(other)).status is Status.QUEUED
    await inspector.resume("default")


async def test_a_run_is_paused_and_repeated_from_a_node(stage: Stage) -> None:
    page = stage.page
    run = await stage.app.dags["count_words"].submit(text="one two")
    await stage.go(f"#/runs/{run.id}", "count_words")
    await page.get_by_role("button", name="Pause", exact=True).click()
    await stage.see("paused")
    stage.gate.set()
    await asyncio.sleep(1)
    assert (await run.status()) is Status.BLOCKED
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator(".title .status")).to_have_text("succeeded")
    await expect(page.locator(".gantt .span.decisive")).to_have_count(3)
    await stage.see("The critical path (◆) has 3 nodes")
    stage.gate.clear()
    await page.get_by_role("button", name="From here… each").click()
    await page.get_by_role("button", name="Run them again").click()
    await page.get_by_text("2 nodes run again").wait_for()
    await expect(page.locator(".title .status")).to_have_text("under way")
    stage.gate.set()
    await expect(page.locator(".title .status")).to_have_text("succeeded")
    await page.get_by_role("region", name="Nodes of the run").get_by_role("link", name="split").click()
    await expect(page.get_by_role("heading", level=1, name="words")).to_be_visible()
    await page.locator(".facts a", has_text=run.id).click()
    await expect(page.get_by_role("heading", level=1, name="count_words")).to_be_visible()


async def test_a_task_is_run_again_with_other_arguments(stage: Stage) -> None:
    page = stage.page
    first = await stage.submit("echo", {"big": 2**60, "text": "one"})
    await settled(stage, first, Status.SUCCEEDED)
    await stage.go(f"#/tasks/{first}", "echo")
    await page.get_by_role("button", name="Run with other arguments…").click()
    args = page.get_by_label("args", exact=True)
    await expect(args).to_be_focused()
    await args.fill("[1, ")
    await page.get_by_role("button", name="Submit", exact=True).click()
    await expect(args).to_have_attribute("aria-invalid", "true")
    await args.fill('[{"big": 1, "text": "two"}]')
    await page.get_by_role("button", name="Submit", exact=True).click()
    await expect(page.get_by_role("group", name="Result")).to_contain_text('"two"')
    assert first not in page.url


async def test_a_type_is_held_and_let_run_on_its_page(stage: Stage) -> None:
    page = stage.page
    await stage.go("#/types/echo", "echo")
    await page.get_by_role("button", name="Hold all of them…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Hold them").click()
    await stage.see("all are held")
    inspector = await stage.app.inspector()
    (strike,) = await inspector.strikes()
    assert (strike.type, dict(strike.where), strike.action) == ("echo", {}, "hold")
    await page.get_by_role("button", name="Let them run").click()
    await expect(page.get_by_role("button", name="Hold all of them…")).to_be_visible()
    assert await inspector.strikes() == []
    await expect(page.get_by_role("link", name="Its errors")).to_have_attribute(
        "href", "#/dead?by=error&type=echo"
    )


async def test_what_is_sent_while_the_api_is_away_is_kept_and_not_said_to_be_tried_again(
    stage: Stage,
) -> None:
    page = stage.page
    await stage.submit("divide", 1)
    await stage.go("#/queues/sums", "sums")
    await page.get_by_label("max length").fill("77")
    stage.expect_complaints("ERR_", "Failed to fetch")
    await stage.stop_api()
    await page.get_by_role("button", name="Set it").click()
    await expect(page.locator(".error-text")).to_contain_text("whether this was done is not known")
    await stage.start_api()
    await expect(page.get_by_role("alert")).to_have_count(0)
    await expect(page.get_by_label("max length")).to_have_value("77")
    await page.get_by_role("button", name="Set it").click()
    await page.get_by_text("may have 77 ready tasks").wait_for()
