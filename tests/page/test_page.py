"""What one does on the admin page, done in a browser against a real server, worker and API."""

from __future__ import annotations

import asyncio
import re

import pytest

from jobbers.core.status import Status
from tests.page.stage import Stage

pytest.importorskip("playwright")
from playwright.async_api import expect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def settled(stage: Stage, task_id: str, status: Status) -> None:
    """Wait until a task is there."""
    async with asyncio.timeout(20):
        while (await (await stage.app.inspector()).task(task_id)).status is not status:  # noqa: ASYNC110 - nothing tells of every move
            await asyncio.sleep(0.05)


async def test_submit_a_task_and_watch_it_run(stage: Stage) -> None:
    page = stage.page
    await page.get_by_role("link", name="Task types").first.click()
    await page.get_by_role("link", name="hold").click()
    await page.get_by_label("text").fill("what was typed")
    await page.get_by_label("times").fill("[1, 2")
    await page.get_by_role("button", name="Submit", exact=True).click()
    await expect(page.get_by_label("times")).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_label("times")).to_be_focused()
    await expect(page.get_by_label("text")).to_have_value("what was typed")
    await page.get_by_label("times").fill('["x"]')
    stage.expect_complaints("422")
    await page.get_by_role("button", name="Submit", exact=True).click()
    await expect(page.locator(".error-text")).to_contain_text("times")  # that is what the API says
    await expect(page.get_by_label("times")).to_have_value('["x"]')
    await page.get_by_label("times").fill("[1, 2]")
    await page.get_by_label("mode").select_option("thorough")
    await page.get_by_role("button", name="Submit", exact=True).click()
    await page.get_by_role("status").get_by_role("link").click()
    await expect(page.locator(".title .status")).to_have_text("running")
    await stage.see("at the gate")
    await stage.see("40 %")
    stage.gate.set()
    await expect(page.locator(".title .status")).to_have_text("succeeded")
    await expect(page.get_by_role("group", name="Result")).to_contain_text('"what was typed"')
    await expect(page.get_by_role("group", name="Arguments")).to_contain_text('"thorough"')
    await page.go_back()
    await expect(page.get_by_label("text")).to_have_value("what was typed")


async def test_cancel_tasks_that_run_and_run_them_again(stage: Stage) -> None:
    page = stage.page
    ids = [await stage.submit("hold", text=f"task {number}") for number in range(3)]
    await stage.go("#/tasks?status=running", "Tasks")
    await expect(page.locator("tbody tr")).to_have_count(3)
    await page.get_by_label("Choose all on this page").check()
    await page.get_by_role("button", name="Cancel…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Keep as it is").click()
    await page.get_by_label(f"Choose task {ids[0]}").uncheck()
    await page.get_by_role("button", name="Cancel…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel them").click()
    await stage.page.get_by_text("2 tasks cancelled").wait_for()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await stage.go(f"#/tasks/{ids[1]}", "hold")
    await expect(page.locator(".title .status")).to_have_text("cancelled")
    await page.get_by_role("button", name="Run again").click()
    await expect(page.locator(".title .status")).to_have_text("running")
    await page.get_by_role("button", name="Cancel…").click()
    await expect(page.get_by_role("button", name="Keep as it is")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert (await (await stage.app.inspector()).task(ids[1])).status is Status.RUNNING


async def test_find_out_why_a_task_failed_and_run_it_again(stage: Stage) -> None:
    page = stage.page
    failed = await stage.submit("divide", 1, 0)
    await settled(stage, failed, Status.FAILED)
    await page.get_by_role("link", name="Dead letters", exact=True).first.click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text("ZeroDivisionError")
    await page.get_by_role("link", name="divide").click()
    await expect(page.locator("pre").first).to_contain_text("return a / b")
    await expect(page.locator(".error")).to_have_count(2)
    await expect(page.locator(".timeline")).to_contain_text("attempt 2 went wrong")
    await page.go_back()
    await page.get_by_label(f"Choose task {failed}").check()
    await page.get_by_role("button", name="Run again", exact=True).click()
    await page.get_by_text("1 task queued again").wait_for()
    await settled(stage, failed, Status.FAILED)
    await page.get_by_label(f"Choose task {failed}").check()
    await page.get_by_role("button", name="Delete…", exact=True).click()
    await page.get_by_role("button", name="Delete them").click()
    await stage.see("No task has failed for good.")


async def test_pause_a_queue_and_resume_it(stage: Stage) -> None:
    page = stage.page
    await settled(stage, await stage.submit("echo", 1), Status.SUCCEEDED)
    await page.get_by_role("link", name="Queues", exact=True).first.click()
    await page.get_by_role("button", name="pause queue default").click()
    await stage.see("paused")
    waiting = await stage.submit("echo", 2)
    await expect(page.locator("tbody tr", has_text="default").locator("td").nth(2)).to_have_text("1")
    assert (await (await stage.app.inspector()).task(waiting)).status is Status.QUEUED
    await page.get_by_role("button", name="resume queue default").click()
    await settled(stage, waiting, Status.SUCCEEDED)
    await expect(page.get_by_role("button", name="pause queue default")).to_be_visible()


async def test_filter_and_leaf_through_tasks(stage: Stage) -> None:
    page = stage.page
    await (await stage.app.inspector()).pause("default")
    for number in range(60):
        await stage.submit("echo", number)
    await stage.submit("hold", text="other", options={"queue": "default"})
    await stage.go("#/tasks?status=queued", "Tasks")
    await expect(page.locator("tbody tr")).to_have_count(50)
    await page.get_by_role("button", name="Next").click()
    await expect(page.locator("tbody tr")).to_have_count(11)
    await page.get_by_role("button", name="Previous").click()
    await expect(page.locator("tbody tr")).to_have_count(50)
    await page.get_by_label("Type", exact=True).fill("hold")
    await expect(page.locator("tbody tr")).to_have_count(1)
    assert "type=hold" in page.url
    await page.get_by_label("Type", exact=True).fill("nothing")
    await stage.see("Nothing matches the filter.")
    await stage.go("#/tasks?status=queued&until=2020-01-01T00:00:00.000Z", "Tasks")
    await stage.see("Nothing matches the filter.")
    await page.get_by_role("button", name="Clear these").click()
    await expect(page.locator("tbody tr")).to_have_count(50)
    await (await stage.app.inspector()).resume("default")


async def test_follow_a_run_live_cancel_it_and_repeat_it(stage: Stage) -> None:
    page = stage.page
    await stage.go("#/dags/count_words", "count_words")
    await expect(page.locator("svg .node")).to_have_count(3)
    await page.get_by_label("text").fill("one two three")
    await page.get_by_role("button", name="Start a run").click()
    await expect(page.locator(".error-text")).to_contain_text("put text in quotes")
    await page.get_by_label("text").fill('"one two three"')
    await page.get_by_role("button", name="Start a run").click()
    await page.locator("svg .node.is-succeeded", has_text="split").wait_for()
    await page.locator("svg .node", has_text="0 of 3 items").wait_for()
    await page.get_by_role("button", name="Cancel…").click()
    await page.get_by_role("button", name="Cancel it").click()
    await page.locator("svg .node.is-cancelled", has_text="gather").wait_for()
    stage.gate.set()
    await page.get_by_role("button", name="Run what failed again").click()
    await page.locator("svg .node.is-succeeded", has_text="gather").wait_for()
    await expect(page.locator(".title .status")).to_have_text("succeeded")
    await expect(page.get_by_role("group", name="Result")).to_contain_text('"three"')
    await page.get_by_role("link", name="Runs", exact=True).first.click()
    await expect(page.locator("tbody tr", has_text="count_words")).to_have_count(1)


async def test_it_goes_on_when_the_api_comes_back(stage: Stage) -> None:
    page = stage.page
    stage.expect_complaints("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE")
    await stop_and_see(stage)
    submitted = await stage.submit("echo", "meanwhile")
    await stage.start_api()
    await expect(page.locator(".banner")).to_have_count(0)
    await stage.go(f"#/tasks/{submitted}", "echo")
    await expect(page.get_by_role("group", name="Result")).to_contain_text('"meanwhile"')


async def stop_and_see(stage: Stage) -> None:
    await stage.stop_api()
    await expect(stage.page.locator(".banner")).to_contain_text("does not answer")
    await expect(stage.page.get_by_role("heading", level=1)).to_have_text("Overview")  # what was known stays


async def test_nothing_is_asked_for_by_a_hidden_tab(stage: Stage) -> None:
    page = stage.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    hide = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true}); "
    hide += "document.dispatchEvent(new Event('visibilitychange')) }"
    await page.evaluate(hide, True)
    await page.wait_for_timeout(500)
    asked.clear()
    await page.wait_for_timeout(4500)
    assert asked == []
    async with page.expect_request("**/api/v1/**"):
        await page.evaluate(hide, False)


async def test_it_is_used_with_the_keyboard(stage: Stage) -> None:
    page = stage.page
    task_id = await stage.submit("echo", "found")
    await settled(stage, task_id, Status.SUCCEEDED)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("/")
    await page.keyboard.type(task_id)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1, name="echo")).to_be_focused()
    await expect(page).to_have_title("echo · Jobbers")


async def test_a_list_is_worked_through_with_the_keyboard(stage: Stage) -> None:
    page = stage.page
    ids = [await stage.submit("hold", text=f"task {number}") for number in range(3)]
    for task_id in ids:
        await settled(stage, task_id, Status.RUNNING)
    await stage.go("#/tasks?status=running", "Tasks")
    await expect(page.locator("tbody tr")).to_have_count(3)
    here = page.locator("tr[aria-current]")
    for _ in range(50):  # rows are there a moment before keys are listened for
        await page.keyboard.press("k")
        if await here.count():
            break
        await asyncio.sleep(0.1)
    await expect(page.locator("tbody tr").first).to_have_attribute("aria-current", "true")
    for _ in range(5):
        await page.keyboard.press("j")
    await expect(page.locator("tbody tr").last).to_have_attribute("aria-current", "true")
    await page.keyboard.press("x")
    await stage.see("1 task chosen")
    await expect(here.get_by_role("checkbox")).to_be_checked()
    await page.keyboard.press("/")
    await page.keyboard.type("jxk")
    await expect(page.get_by_label("Find a task by its id")).to_have_value("jxk")
    await stage.see("1 task chosen")
    await page.keyboard.press("Escape")
    await page.get_by_role("heading", level=1).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("hold")


async def test_the_theme_is_remembered(stage: Stage) -> None:
    page = stage.page
    light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.get_by_label("Theme").select_option("dark")
    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    await page.reload()
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


async def test_whole_numbers_stay_exact(stage: Stage) -> None:
    page = stage.page
    await stage.go("#/types/echo", "echo")
    await page.get_by_label("value").fill("[9007199254740993]")
    await page.get_by_role("button", name="Submit", exact=True).click()
    await page.get_by_role("status").get_by_role("link").wait_for()
    task_id = await stage.submit("echo", 2**63 - 1)
    await stage.go(f"#/tasks/{task_id}", "echo")
    await expect(page.get_by_role("group", name="Result")).to_have_text(str(2**63 - 1))


async def test_what_is_not_there_is_said_to_be_so(stage: Stage) -> None:
    stage.expect_complaints("404", "422")
    for where, heading, words in (
        ("#/tasks/nonsense", "Task", "There is no such task."),
        ("#/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV", "Run", "There is no such run."),
        ("#/types/__proto__", "Task types", "There is no such task type."),
        ("#/dags/constructor", "DAGs", "There is no such graph."),
        ("#/elsewhere", "Nothing here", "There is no such page."),
        ("#/tasks?status=toString", "Tasks", "Nothing runs."),
    ):
        await stage.go(where, heading)
        await stage.see(words)
    assert re.search("Tasks", await stage.page.title())


async def test_backlog_by_minute_and_a_forecast_that_knows_of_pauses(stage: Stage) -> None:
    page = stage.page
    inspector = await stage.app.inspector()
    await inspector.pause("sums")
    for number in range(3):
        await stage.submit("divide", number)
    minute = await inspector.store.inspect.now_ms() // 60_000
    for back, depth in ((5, 8), (4, 4)):
        await inspector.store.statistics.sample(minute - back, {"sums": depth})
    await stage.go("#/queues/sums", "sums")
    chart = page.get_by_role("img", name=re.compile("^Ready tasks by minute: 8 at first, .* 8 at most$"))
    await expect(chart).to_be_visible()
    heights = [float(await bar.get_attribute("height") or 0) for bar in await chart.locator(".ready").all()]
    assert heights[:2] == [98, 49]
    await expect(page.locator("dd", has_text="paused")).to_be_visible()
    await stage.go("#/", "Overview")
    await expect(page.get_by_role("img", name=re.compile("^Ready tasks by minute: 8"))).to_be_visible()
    row = page.get_by_role("region", name="Queues").get_by_role("row", name="sums")
    await expect(row.locator("td").nth(4)).to_have_text("paused")
    await expect(page.locator(".number").first).not_to_contain_text("no end")


AT_ONCE = """([keys, at]) => {
    for (const key of keys) {
        const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
        if (at !== null) Object.defineProperty(event, "timeStamp", { value: at });
        document.body.dispatchEvent(event);
    }
}"""
"""Keys between which no machine stands still, and when they come, in ms since the page began."""


async def test_pages_by_keyboard_and_what_keys_there_are(stage: Stage) -> None:
    page = stage.page
    begun = await page.evaluate("history.length")
    await page.evaluate(AT_ONCE, ["q", 100.0])  # a letter alone goes nowhere, not even the first moment
    await page.evaluate(AT_ONCE, ["gw", None])
    await page.get_by_role("heading", level=1, name="Workers", exact=True).wait_for()
    assert await page.evaluate("history.length") == begun + 1
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Shortcuts")
    await expect(dialog).to_contain_text("Dead letters")
    await page.evaluate(AT_ONCE, ["gq", None])  # nothing goes on behind it
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("heading", level=1, name="Workers", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Shortcuts ?").click()
    await dialog.get_by_role("button", name="Close").click()
    await page.keyboard.press("/")
    await page.keyboard.type("gq")
    await expect(page.get_by_label("Find a task by its id")).to_have_value("gq")


async def test_who_paused_a_queue(stage: Stage) -> None:
    page = stage.page
    await stage.submit("divide", 1)
    await stage.go("#/queues/sums", "sums")
    await page.get_by_role("button", name="pause queue sums").click()
    said = page.get_by_role("list", name="Who changed it").get_by_role("listitem")
    await expect(said).to_have_count(1)
    await expect(said).to_contain_text("pause by open:anyone (api)")
    await page.get_by_role("link", name="All of it in the audit log").click()
    await page.get_by_role("heading", level=1, name="Audit").wait_for()
    await expect(page.get_by_role("region", name="Audit log").locator("tbody tr")).to_have_count(1)


async def test_a_page_that_could_not_be_loaded_comes_when_the_api_is_back(stage: Stage) -> None:
    page = stage.page
    stage.expect_complaints("ERR_CONNECTION_REFUSED", "Failed to fetch", "ERR_")
    await stage.stop_api()
    await stage.go("#/limits", "Limits")
    await stage.see("this part of the page cannot be loaded now")
    await stage.start_api()
    await page.get_by_role("link", name="visit:user").wait_for()
