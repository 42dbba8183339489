"""Workers, task types and settings: on the page."""

from __future__ import annotations

import pytest

from jobbers.client import new_id
from jobbers.core.status import Status
from jobbers.core.strike import Strike
from tests.page.stage import SECONDS, Stage
from tests.page.test_page import settled

pytest.importorskip("playwright")
from playwright.async_api import expect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_a_worker_is_paused_resumed_and_drained(stage: Stage) -> None:
    page = stage.page
    task = await stage.submit("hold", text="held")
    await settled(stage, task, Status.RUNNING)
    (worker,) = await (await stage.app.inspector()).workers()
    await stage.go("#/workers", "Workers")
    await page.locator(".card").get_by_role("link", name=worker.facts["name"]).click()
    await page.get_by_role("heading", level=1, name=worker.facts["name"]).wait_for()
    await expect(
        page.get_by_role("region", name="What it runs").get_by_role("link", name=task)
    ).to_be_visible()
    await page.get_by_role("button", name="Pause worker").click()
    await expect(page.locator(".card .state")).to_contain_text("paused", timeout=SECONDS)
    await page.get_by_role("button", name="Resume worker").click()
    await expect(page.locator(".card .state")).to_contain_text("alive", timeout=SECONDS)
    await page.get_by_role("button", name="Drain worker").click()
    await page.get_by_role("dialog").get_by_role("button", name="Keep as it is").click()
    await expect(page.locator(".card .state")).to_contain_text("alive")
    await page.get_by_role("button", name="Drain worker").click()
    await page.get_by_role("dialog").get_by_role("button", name="Let it end").click()
    await expect(page.locator(".card .state")).to_contain_text("stopping", timeout=SECONDS)
    await expect(page.get_by_role("button", name="Drain worker")).to_have_count(0)
    stage.gate.set()
    stage.expect_complaints("404")
    await stage.go("#/workers/nobody", "Worker")
    await stage.see("There is no such worker.")


async def test_what_was_changed_about_a_type_is_told(stage: Stage) -> None:
    await stage.go("#/types/words", "words")
    await stage.see("it runs as its code says")
    inspector = await stage.app.inspector()
    await inspector.route("words", "elsewhere")
    await inspector.strike(Strike(new_id(), "words", {"text": "<b>no</b>"}, "hold", "too loud", by="ann"))
    await stage.go("#/types/echo", "echo")
    await stage.go("#/types/words", "words")
    changed = stage.page.locator(".card", has=stage.page.get_by_role("heading", name="Changed while it runs"))
    await expect(changed.get_by_role("link", name="elsewhere")).to_have_attribute(
        "href", "#/queues/elsewhere"
    )
    await expect(changed).to_contain_text("are held")
    await expect(changed).to_contain_text("<b>no</b>")
    await expect(changed).to_contain_text("too loud")


async def test_the_policy_of_a_type_is_changed_live(stage: Stage) -> None:
    page, app = stage.page, stage.app
    await stage.go("#/types/divide", "divide")
    await page.get_by_text("Timeout, retries, priority and more").click()
    await expect(page.get_by_label("attempts")).to_be_visible(timeout=SECONDS)
    await stage.see("in code: 2 · executions in all")
    await expect(page.get_by_label("backoff").locator("option:checked")).to_have_text("as the code says")
    await page.get_by_label("timeout").fill("2.5")
    await page.get_by_label("attempts").fill("0")
    stage.expect_complaints("422")
    await page.get_by_role("button", name="Change it").click()
    await expect(page.locator("#live-attempts-error")).to_contain_text("attempts of 1 or more")
    await page.get_by_label("attempts").fill("4")
    await page.get_by_role("button", name="Change it").click()
    await stage.see("Set live, instead of what its code says: timeout 2.5 s, attempts 4.")
    assert (await app.policies.get("divide")).live == {"timeout": 2.5, "attempts": 4}
    await page.get_by_role("button", name="Reset").click()
    await stage.see("it runs as its code says")
    assert (await app.policies.get("divide")).live == {}


async def test_what_the_service_is_set_to(stage: Stage) -> None:
    page = stage.page
    await page.get_by_role("link", name="Settings", exact=True).click()
    await page.get_by_role("heading", level=1, name="Settings").wait_for()
    row = page.get_by_role("row", name="JOBBERS_NAMESPACE")
    await expect(row).to_contain_text(stage.app.settings.namespace)
