"""Why a task waits, limits, roles, what is done with queues, the audit log and keys: on the page."""

from __future__ import annotations

import asyncio
import re

import pytest

from jobbers.core.status import Status
from jobbers.errors import InvalidInput
from jobbers.keyring import Access
from tests.page.stage import SECONDS, Stage
from tests.page.test_page import settled

pytest.importorskip("playwright")
from playwright.async_api import expect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_why_a_task_waits_is_told_and_kept_fresh(stage: Stage) -> None:
    page = stage.page
    first = await stage.submit("visit", "ann")
    await settled(stage, first, Status.RUNNING)
    second = await stage.submit("visit", "ann")
    await settled(stage, second, Status.BLOCKED)
    await stage.go(f"#/tasks/{second}", "visit")
    why = page.locator(".card", has=page.get_by_role("heading", name="Why is it waiting?"))
    await expect(why.locator(".why-first")).to_contain_text(
        "limit visit:user for ann is full: 1 of 1 taken, by"
    )
    await expect(why.get_by_role("link", name=first)).to_have_attribute("href", f"#/tasks/{first}")
    await (await stage.app.inspector()).pause("slow")
    await expect(why).to_contain_text("queue slow is paused", timeout=SECONDS)
    await (await stage.app.inspector()).resume("slow")
    stage.gate.set()
    await settled(stage, second, Status.SUCCEEDED)
    await expect(why).to_have_count(0)


async def test_change_and_reset_a_limit(stage: Stage) -> None:
    page = stage.page
    await settled(stage, await stage.submit("visit", "ann"), Status.RUNNING)
    await settled(stage, await stage.submit("visit", "ann"), Status.BLOCKED)
    await page.get_by_role("link", name="Limits", exact=True).click()
    await page.get_by_role("link", name="visit:user").click()
    await expect(page.get_by_role("row", name="ann")).to_be_visible()
    await page.get_by_label("amount").fill("many")
    await page.get_by_role("button", name="Change it").click()
    await expect(page.locator(".error-text")).to_contain_text("not a whole number")
    await page.get_by_label("amount").fill("3")
    await page.keyboard.press("Enter")
    await stage.see("3 at a time")
    await stage.see("Nobody waits for it.")
    assert (await stage.app.limits.get("visit:user")).amount == 3
    await page.get_by_role("button", name="Reset visit:user").click()
    await expect(page.get_by_role("button", name="Reset visit:user")).to_have_count(0)
    assert (await stage.app.limits.get("visit:user")).amount == 1
    stage.expect_complaints("404")
    await stage.go("#/limits/nothing", "Limit")
    await stage.see("There is no such limit.")


async def test_open_a_breaker_and_close_it(stage: Stage) -> None:
    page = stage.page
    await stage.go("#/limits", "Limits")
    table = page.get_by_role("region", name="Breakers")
    await expect(table.locator("tbody tr")).to_contain_text("closed")
    await page.get_by_role("button", name="Open breaker call…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Open it").click()
    await expect(table.locator("tbody tr")).to_contain_text("open, until it is closed")
    task = await stage.submit("call", "hello")
    await settled(stage, task, Status.BLOCKED)
    await page.get_by_role("button", name="Close breaker call").click()
    await expect(table.locator("tbody tr")).to_contain_text("closed")
    await settled(stage, task, Status.SUCCEEDED)


async def test_strike_some_tasks_and_lift_it(stage: Stage) -> None:
    page = stage.page
    await stage.go("#/limits", "Limits")
    await stage.see("Nothing is struck.")
    await page.get_by_text("New strike").click()
    await page.get_by_role("button", name="Strike them").click()
    await expect(page.get_by_label("type", exact=False)).to_be_focused()
    await page.get_by_label("type", exact=False).fill("echo")
    await page.get_by_label("where").fill('{"value": 42}')
    await page.get_by_label("reason").fill("a look at it first")
    await page.get_by_role("button", name="Strike them").click()
    table = page.get_by_role("region", name="Strikes")
    await expect(table.locator("tbody tr")).to_contain_text("a look at it first")
    inspector = await stage.app.inspector()
    async with asyncio.timeout(20):  # workers hear of it within a second
        while True:
            held = await stage.submit("echo", 42)
            await settled(stage, await stage.submit("echo", 1), Status.SUCCEEDED)
            await asyncio.sleep(0.3)
            if (await inspector.task(held)).status is not Status.SUCCEEDED:
                break
    await page.get_by_role("button", name="Lift… the strike on echo").click()
    await page.get_by_role("dialog").get_by_role("button", name="Lift it").click()
    await stage.see("Nothing is struck.")


async def test_change_a_role_by_keyboard(stage: Stage) -> None:
    page = stage.page
    await stage.go("#/roles", "Roles")
    await stage.see("There are no roles.")
    await page.get_by_role("button", name="Define it").click()
    await expect(page.get_by_label("name")).to_be_focused()
    await page.get_by_label("name").fill("post")
    await page.get_by_label("queue", exact=False).last.fill("sums")
    await page.keyboard.press("Enter")
    card = page.get_by_role("region", name="Role post")
    await expect(card).to_be_visible()
    await card.get_by_label("Queue to add to role post").fill("slow")
    await page.keyboard.press("Enter")
    await expect(card).to_contain_text("not saved yet")
    await card.get_by_label("Weight of slow in role post").fill("0")
    stage.expect_complaints("422")
    await card.get_by_role("button", name="Save role post").click()
    await expect(card.get_by_role("alert")).to_contain_text("weight of queue slow")
    await card.get_by_label("Weight of slow in role post").fill("3")
    await card.get_by_role("button", name="Move slow in role post up").click()
    await card.get_by_role("button", name="Save role post").click()
    await expect(card.get_by_text("not saved yet")).to_have_count(0)
    inspector = await stage.app.inspector()
    changed = (await inspector.store.roles.all())["post"]
    assert list(changed.queues.items()) == [("slow", 3), ("sums", 1)]
    await card.get_by_role("button", name="Take sums in role post away").click()
    await card.get_by_label("Strict order").check()
    await card.get_by_role("button", name="Save role post").click()
    await expect(card.get_by_text("not saved yet")).to_have_count(0)
    changed = (await inspector.store.roles.all())["post"]
    assert (list(changed.queues), changed.strict) == (["slow"], True)


async def test_drag_an_unserved_queue_onto_a_role(stage: Stage) -> None:
    page = stage.page
    await stage.submit("echo", 1, options={"queue": "letters"})
    await (await stage.app.live_roles()).set("post", ["sums"], force=True)
    await stage.go("#/roles", "Roles")
    unserved = page.get_by_role("list", name="Queues that nobody serves")
    await expect(unserved.get_by_text("1 waiting")).to_be_visible()
    card = page.get_by_role("region", name="Role post")
    await unserved.get_by_role("listitem").drag_to(card)
    await expect(card.get_by_label("Weight of letters in role post")).to_have_value("1")
    assert "letters" not in (await (await stage.app.inspector()).store.roles.all())["post"].queues
    await card.get_by_role("button", name="Save role post").click()
    await expect(card.get_by_text("not saved yet")).to_have_count(0)
    assert "letters" in (await (await stage.app.inspector()).store.roles.all())["post"].queues


async def test_put_a_queue_into_a_role_by_keyboard_and_by_touch(stage: Stage) -> None:
    await (await stage.app.live_roles()).set("post", ["letters"], force=True)
    await stage.page.context.close()
    page = await stage.open(viewport={"width": 390, "height": 860}, has_touch=True)
    await stage.go("#/roles", "Roles")
    card = page.get_by_role("region", name="Role post")
    sums, slow = [page.get_by_role("button", name=name, exact=True) for name in ("sums", "slow")]
    put = card.get_by_role("button", name="Put sums into role post")
    await sums.focus()
    await page.keyboard.press("Enter")
    await expect(sums).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("Escape")
    await expect(put).to_have_count(0)
    await page.keyboard.press("Space")
    await put.focus()
    await page.keyboard.press("Enter")
    await expect(card.get_by_label("Weight of sums in role post")).to_have_value("1")
    await slow.tap()
    await card.get_by_role("button", name="Put slow into role post").tap()
    await expect(card.get_by_label("Weight of slow in role post")).to_have_value("1")
    await card.get_by_role("button", name="Save role post").tap()
    await expect(card.get_by_text("not saved yet")).to_have_count(0)
    assert set((await (await stage.app.inspector()).store.roles.all())["post"].queues) == {
        "letters",
        "sums",
        "slow",
    }


async def test_drain_purge_and_bound_a_queue(stage: Stage) -> None:
    page = stage.page
    inspector = await stage.app.inspector()
    await inspector.pause("default")
    for number in range(3):
        await stage.submit("echo", number)
    await stage.go("#/queues", "Queues")
    await page.get_by_role("link", name="default", exact=True).click()
    await page.get_by_role("heading", level=1, name="default").wait_for()
    await page.get_by_role("button", name="Drain").click()
    await stage.see("paused, drained")
    purge = page.get_by_role("button", name="Purge the queue")
    await expect(purge).to_be_disabled()
    await page.get_by_label("Type the name of the queue").fill("defaul")
    await expect(purge).to_be_disabled()
    await page.get_by_label("Type the name of the queue").fill("default")
    await purge.click()
    await page.get_by_text("Cancelled 3 tasks").wait_for()
    await page.get_by_label("max length").fill("-1")
    stage.expect_complaints("422")
    await page.get_by_role("button", name="Set it").click()
    await expect(page.locator(".error-text")).to_contain_text("1")
    await page.get_by_label("max length").fill("50")
    await page.get_by_label("when full").select_option(label="drop_oldest")
    await page.get_by_role("button", name="Set it").click()
    await page.get_by_text("may have 50 ready tasks").wait_for()
    queue = next(one for one in await inspector.queues() if one.name == "default")
    assert (queue.depth, queue.max_length, queue.when_full, queue.draining) == (0, 50, "drop_oldest", True)
    await page.get_by_role("button", name="As the code says").click()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator(".title .state")).to_contain_text("open")
    queue = next(one for one in await inspector.queues() if one.name == "default")
    assert (queue.max_length, queue.draining, queue.paused) == (None, False, False)


async def test_send_a_type_to_another_queue(stage: Stage) -> None:
    page = stage.page
    await stage.go("#/queues", "Queues")
    await stage.see("No type is sent elsewhere.")
    await page.get_by_role("button", name="Send them there").click()
    await expect(page.locator(".error-text")).to_have_count(2)
    await page.get_by_label("type needed", exact=True).fill("echo")
    await page.get_by_label("queue needed", exact=True).fill("letters")
    await page.get_by_role("button", name="Send them there").click()
    await page.get_by_role("row", name="echo letters").wait_for()
    inspector = await stage.app.inspector()
    assert await inspector.routes() == {"echo": "letters"}
    await page.get_by_role("button", name="End it: the route of echo").click()
    await stage.see("No type is sent elsewhere.")
    assert await inspector.routes() == {}


async def test_keys_and_the_audit_log(stage: Stage) -> None:
    page = stage.page
    await page.get_by_role("link", name="Keys", exact=True).click()
    await stage.see("The first key closes the API")
    await page.get_by_role("button", name="Make the key").click()
    await expect(page.get_by_label("name")).to_be_focused()
    await page.get_by_label("name").fill("boss")
    await page.get_by_role("button", name="Make the key").click()
    shown = page.get_by_label("It is shown this once", exact=False)
    key = await shown.input_value()
    assert key.startswith("jobbers-key.boss.")
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()  # it has logged in with it
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="I have kept it").click()
    await expect(shown).to_have_count(0)
    assert key not in await page.content()

    await page.get_by_label("name").fill("mailer")
    await page.get_by_label("scope").select_option(label="read")
    await page.get_by_label("queues").fill("sums, slow")
    await page.get_by_label("expires").fill("30")
    await page.keyboard.press("Enter")
    await page.get_by_role("row", name="mailer read").wait_for()
    access = Access((await stage.app.client()).store)
    made = {facts.name: facts for facts in await access.keys()}
    assert (made["mailer"].queues, made["boss"].scope) == (("slow", "sums"), "admin")
    assert made["mailer"].expires is not None
    await page.get_by_role("button", name="Revoke key mailer…").click()
    await page.get_by_role("button", name="Revoke it").click()
    await expect(page.get_by_role("row", name="mailer read")).to_have_count(0)
    assert [facts.name for facts in await access.keys()] == ["boss"]

    await page.get_by_role("link", name="Audit", exact=True).click()
    await page.get_by_role("row", name="keys.revoke").wait_for()
    await page.get_by_label("Filter").fill("keys.create mailer")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_label("Filter").fill("no such words")
    await stage.see("Nothing matches the filter.")


async def test_those_who_are_no_admins_see_no_way_to_keys(stage: Stage) -> None:
    page = stage.page
    await expect(page.get_by_role("link", name="Keys", exact=True)).to_be_visible()
    access = Access((await stage.app.client()).store)
    key = (await access.create("ops", "operate")).text
    stage.expect_complaints("401", "403")
    await page.reload()
    await page.get_by_role("dialog", name="Log in").get_by_label("Key").fill(key)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()
    await expect(page.get_by_role("link", name="Roles", exact=True)).to_be_visible()
    await expect(page.get_by_role("link", name="Keys", exact=True)).to_have_count(0)
    await stage.go("#/keys", "Keys")
    await stage.see("this needs the scope admin")


async def test_find_tasks_by_their_arguments_and_cancel_just_those(stage: Stage) -> None:
    page = stage.page
    await (await stage.app.inspector()).pause("default")
    for customer in ("acme", "globex", "acme"):
        await stage.submit("echo", {"customer": customer})
    await stage.go("#/tasks?status=queued", "Tasks")
    rows = page.get_by_role("region", name="Tasks that are queued").locator("tbody tr")
    await expect(rows).to_have_count(3)
    await expect(page.get_by_role("row", name="globex")).to_contain_text('{"customer": "globex"}')
    await page.get_by_label("Arguments").fill("ACME")
    await expect(rows).to_have_count(2)
    await page.get_by_role("button", name="Cancel all that match…").click()
    await page.get_by_role("button", name="Cancel: 2 tasks").click()
    await stage.see("Nothing matches the filter.")
    await page.get_by_role("button", name="Clear", exact=True).click()
    await expect(rows).to_have_count(1)


async def test_those_that_stand_in_line_are_listed_in_pages_and_cancelled(stage: Stage) -> None:
    page = stage.page
    for user in ("ann", "bob"):
        await settled(stage, await stage.submit("visit", user), Status.RUNNING)
    waiting = [await stage.submit("visit", user) for user in ("ann", "bob", "ann", "ann", "bob")]
    for task in waiting:
        await settled(stage, task, Status.BLOCKED)
    inspector = await stage.app.inspector()
    found: list[str] = []
    cursor = None
    while True:
        part = await inspector.tasks(Status.BLOCKED, cursor=cursor, limit=2)
        found += [record.id for record in part.tasks]
        if part.cursor is None:
            break
        cursor = part.cursor
        if len(found) == 2:  # whom the cursor names leaves its line, and nobody is passed over
            assert (await inspector.cancel([found[1]]))[found[1]]
    assert sorted(found) == sorted(waiting)
    with pytest.raises(InvalidInput, match="cursor"):
        await inspector.tasks(Status.BLOCKED, cursor="0/1:x")
    await stage.go("#/tasks?status=blocked", "Tasks")
    rows = page.get_by_role("region", name="Tasks that are blocked").locator("tbody tr")
    await expect(rows).to_have_count(4)
    await page.get_by_label("Arguments").fill("bob")
    await expect(rows).to_have_count(2 - (found[1] in (waiting[1], waiting[4])))
    await page.get_by_role("button", name="Cancel all that match…").click()
    await page.get_by_role("dialog").get_by_role("button", name=re.compile("^Cancel: ")).click()
    await stage.see("Nothing matches the filter.")
    assert {one.id for one in (await inspector.tasks(Status.BLOCKED)).tasks} <= {
        waiting[i] for i in (0, 2, 3)
    }
