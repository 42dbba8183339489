"""The page's login, in a browser."""

from __future__ import annotations

import pytest

from jobbers.keyring import Access
from tests.page.stage import Stage

pytest.importorskip("playwright")
from playwright.async_api import expect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_log_in_and_out_with_what_was_typed_kept(stage: Stage) -> None:
    page = stage.page
    await expect(page.get_by_role("button", name="Log out")).to_have_count(0)
    await stage.go("#/types/hold", "hold")
    await page.get_by_label("text").fill("what was typed")
    stage.expect_complaints("401")
    access = Access((await stage.app.client()).store)
    key = (await access.create("ops", "operate")).text
    await page.get_by_role("button", name="Submit", exact=True).click()
    dialog = page.get_by_role("dialog", name="Log in")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("Key").fill(key[:-2] + "xx")
    await dialog.get_by_role("button", name="Log in").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("no valid key")
    await expect(dialog.get_by_label("Key")).to_have_value(key[:-2] + "xx")
    await dialog.get_by_label("Key").fill(key)
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_label("text")).to_have_value("what was typed")
    await page.get_by_role("button", name="Submit", exact=True).click()
    await page.get_by_role("status").get_by_role("link").click()
    await expect(page.locator(".title .status")).to_have_text("running")
    cookies = await page.context.cookies()
    assert [(cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies] == [(True, "Strict")]
    assert key not in str(await page.context.storage_state())
    await page.reload()
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()
    await page.get_by_role("button", name="Cancel…").click()  # a write, by the cookie
    await page.get_by_role("button", name="Cancel it").click()
    await expect(page.locator(".title .status")).to_have_text("cancelled")
    await page.get_by_role("button", name="Log out").click()
    await expect(dialog).to_be_visible()
    await page.reload()
    await expect(dialog).to_be_visible()
    assert await page.context.cookies() == []


PAGES = {
    "#/": "Overview", "#/queues": "Queues", "#/tasks": "Tasks", "#/dead": "Dead letters", "#/runs": "Runs",
    "#/dags": "DAGs", "#/schedules": "Schedules", "#/types": "Task types", "#/workers": "Workers", "#/roles": "Roles",
    "#/limits": "Limits",
}  # fmt: skip
CLOSED = {"Overview", "Workers", "Roles", "Limits"}


async def test_what_a_key_may_not_see_is_said_in_words(stage: Stage) -> None:
    page = stage.page
    stage.expect_complaints("401", "403")
    first, mine = [await stage.submit("visit", "me") for _ in range(2)]  # which waits for the first one
    await stage.submit("echo", 1)
    access = Access((await stage.app.client()).store)
    await access.create("root", "admin")
    key = (await access.create("ops", "operate", queues=["slow"])).text
    await page.reload()
    dialog = page.get_by_role("dialog", name="Log in")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("Key").fill(key)
    await page.keyboard.press("Enter")
    await expect(page.locator("#restriction")).to_contain_text("restricted to the queue slow")
    for where, heading in PAGES.items():
        await stage.go(where, heading)
        await page.locator("main .loading").first.wait_for(state="detached")
        await expect(page.locator("main .notice.bad")).to_have_count(0)
        closed = page.get_by_text("Your key sees only its own queues.")
        if heading in CLOSED:
            await expect(closed.first).to_be_visible()
        if heading in ("Overview", "Queues"):
            await expect(page.locator("main table").get_by_text("slow", exact=True).first).to_be_visible()
            await expect(page.locator("main table").get_by_text("default", exact=True)).to_have_count(0)
    # a topic that is closed to it does not keep others from being live
    await stage.go(f"#/tasks/{first}", "visit")
    await expect(page.locator(".title .status")).to_have_text("running")
    async with page.expect_response(lambda it: "/events?" in it.url and it.status == 200):
        await stage.go(f"#/tasks/{mine}", "visit")
        await stage.see("Why is it waiting?")
    stage.gate.set()
    await expect(page.locator(".title .status")).to_have_text("succeeded")
