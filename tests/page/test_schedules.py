"""Schedules on the page: made, changed, paused, started now and deleted."""

from __future__ import annotations

import pytest

from tests.page.stage import Stage

pytest.importorskip("playwright")
from playwright.async_api import expect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_make_a_schedule(stage: Stage) -> None:
    page = stage.page
    await page.get_by_role("link", name="Schedules", exact=True).click()
    await stage.see("There are no schedules.")
    await page.get_by_role("link", name="New schedule").click()
    await page.get_by_role("button", name="Make it").click()
    await expect(page.get_by_label("name")).to_be_focused()
    await page.get_by_label("name").fill("nightly")
    await page.get_by_label("starts").select_option(label="task echo")
    await page.get_by_role("button", name="Make it").click()
    await expect(page.locator(".error-text")).to_contain_text("give a cron line or an interval")
    stage.expect_complaints("422")
    await page.get_by_label("cron").fill("99 3 * * *")
    await page.get_by_role("button", name="Make it").click()
    await expect(page.locator(".error-text")).to_contain_text("is no cron line")
    await expect(page.get_by_label("cron")).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("cron").fill("30 3 * * *")
    await page.get_by_label("tz").fill("Asia/Tokyo")
    await page.get_by_label("kwargs").fill('{"value": {"deep": [1, 2]}}')
    await page.get_by_role("button", name="Make it").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("nightly")
    await stage.see("30 3 * * * (Asia/Tokyo)")
    await expect(page.get_by_role("list", name="Next times").get_by_role("listitem")).to_have_count(10)
    found = await stage.app.schedules.get("nightly")
    assert (found.cron, found.tz, found.kwargs) == ("30 3 * * *", "Asia/Tokyo", {"value": {"deep": [1, 2]}})


async def test_change_pause_start_and_delete_it(stage: Stage) -> None:
    page = stage.page
    await stage.app.schedules.create(
        "often", stage.app.find("echo").s("said"), every=3600, overlap="queue", catch_up=7
    )
    await stage.go("#/schedules", "Schedules")
    await page.get_by_role("button", name="pause schedule often").click()
    await page.get_by_role("button", name="resume schedule often").wait_for()
    assert (await stage.app.schedules.get("often")).paused
    await page.get_by_role("link", name="often").click()
    await page.get_by_role("button", name="Resume").click()
    await page.get_by_role("button", name="Pause", exact=True).wait_for()
    await page.get_by_role("button", name="Run now").click()
    await page.get_by_text("Started once").wait_for()
    inspector = await stage.app.inspector()
    assert not (await stage.app.schedules.get("often")).paused

    await page.get_by_role("link", name="Edit").click()
    await expect(page.get_by_label("args", exact=True)).to_have_value('["said"]')
    await expect(page.get_by_label("overlap")).to_have_value("1")
    await page.get_by_label("every").fill("7200")
    await page.get_by_role("button", name="Change it").click()
    await stage.see("every 7200 s")
    found = await stage.app.schedules.get("often")
    assert (found.every, found.overlap, found.catch_up, list(found.args)) == (7200, "queue", 7, ["said"])

    await page.get_by_role("button", name="Delete…").click()
    await page.get_by_role("button", name="Delete it").click()
    await stage.see("There are no schedules.")
    assert await stage.app.schedules.list() == []
    assert inspector is not None
