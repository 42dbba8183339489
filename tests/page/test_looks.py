"""Every page at two widths and in both themes: it fits, it complains of nothing, and there is a picture to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobbers.core.status import Status
from jobbers.keyring import Access
from tests.page.stage import Stage
from tests.page.test_page import settled

pytest.importorskip("playwright")

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PLAIN = {
    "overview": ("#/", "Overview"),
    "queues": ("#/queues", "Queues"),
    "running": ("#/tasks?status=running", "Tasks"),
    "filtered": ("#/tasks?status=failed&since=2020-01-01T00:00:00.000Z", "Tasks"),
    "succeeded": ("#/tasks?status=succeeded", "Tasks"),
    "skipped": ("#/tasks?status=skipped", "Tasks"),
    "dead-letters": ("#/dead", "Dead letters"),
    "dead-groups": ("#/dead?by=error", "Dead letters"),
    "schedules": ("#/schedules", "Schedules"),
    "schedule-new": ("#/schedules?new=1", "New schedule"),
    "runs": ("#/runs", "Runs"),
    "dags": ("#/dags", "DAGs"),
    "dag": ("#/dags/count_words", "count_words"),
    "types": ("#/types", "Task types"),
    "type": ("#/types/hold", "hold"),
    "workers": ("#/workers", "Workers"),
    "settings": ("#/settings", "Settings"),
    "queue": ("#/queues/sums", "sums"),
    "roles": ("#/roles", "Roles"),
    "limits": ("#/limits", "Limits"),
    "limit": ("#/limits/visit:user", "visit:user"),
    "audit": ("#/audit", "Audit"),
    "keys": ("#/keys", "Keys"),
}
UNLABELLED = """() => [...document.querySelectorAll('input, select, textarea, button, a, summary')].filter(one =>
    !one.closest('[aria-hidden=true]') && one.getAttribute('aria-hidden') !== 'true' &&
    !one.labels?.length && !one.getAttribute('aria-label') && !one.textContent.trim()).map(one => one.outerHTML)"""


async def filled(stage: Stage) -> dict[str, tuple[str, str]]:
    """Something of everything. Returns all pages, each with its heading."""
    done = await stage.submit("echo", {"words": ["one", "two"], "deep": {"a": [1, 2.5, None, True]}})
    await settled(stage, done, Status.SUCCEEDED)
    failed = await stage.submit("divide", 1, 0)
    await settled(stage, failed, Status.FAILED)
    held = await stage.submit("hold", text="held")
    await settled(stage, held, Status.RUNNING)
    later = await stage.submit("echo", 1, options={"delay": 600})
    await settled(stage, await stage.submit("visit", "ann"), Status.RUNNING)
    await settled(stage, waiting := await stage.submit("visit", "ann"), Status.BLOCKED)
    roles = await stage.app.live_roles()
    await roles.set("post", {"sums": 3, "letters": 1}, force=True)
    await roles.set("bulk", ["slow", "default"], strict=True, force=True)
    await stage.submit("echo", 1, options={"queue": "unserved"})
    await (await stage.app.inspector()).route("words", "other")
    await Access((await stage.app.client()).store).note(
        "key:boss", "queues.pause", "mail", via="api", status="200", most=100
    )
    run = await stage.app.dags["count_words"].submit(text="one two three four")
    (worker,) = await (await stage.app.inspector()).workers()
    echo = stage.app.find("echo")
    await stage.app.schedules.create(
        "nightly", echo.s({"deep": [1, 2]}), cron="0 3 * * *", tz="Europe/Berlin"
    )
    await stage.app.schedules.create("often", echo.s("said"), every=3600)
    await stage.app.schedules.pause("often")
    for number in range(3):
        await settled(stage, await stage.submit("echo", f"no user {number}", fail=True), Status.FAILED)
    return PLAIN | {
        "task-succeeded": (f"#/tasks/{done}", "echo"),
        "task-failed": (f"#/tasks/{failed}", "divide"),
        "task-running": (f"#/tasks/{held}", "hold"),
        "task-waiting": (f"#/tasks/{waiting}", "visit"),
        "task-later": (f"#/tasks/{later}", "echo"),
        "run": (f"#/runs/{run.id}", "count_words"),
        "worker": (f"#/workers/{worker.id}", worker.facts["name"]),
        "schedule": ("#/schedules/nightly", "nightly"),
        "schedule-edit": ("#/schedules/nightly?edit=1", "Edit nightly"),
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_every_page(stage: Stage, shots: Path, theme: str, width: int) -> None:
    pages = await filled(stage)
    await stage.page.context.close()
    page = await stage.open(viewport={"width": width, "height": 860}, color_scheme=theme)
    for name, (where, heading) in pages.items():
        await stage.go(where, heading)
        await page.locator("main .loading").first.wait_for(state="detached")
        await page.screenshot(path=shots / f"{name}-{theme}-{width}.png", full_page=True)
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (
            f"{name} is too wide"
        )
        assert await page.evaluate(UNLABELLED) == [], name
        assert await page.locator("h1").count() == 1, name
        assert await page.locator("#app > .first").count() == 0, "the page still says that it loads"


async def test_every_list_says_what_to_do_when_it_is_empty(stage: Stage) -> None:
    for name, (where, heading) in PLAIN.items():
        if name in (
            "running",
            "queues",
            "skipped",
            "dead-letters",
            "dead-groups",
            "schedules",
            "runs",
            "succeeded",
        ):
            await stage.go(where, heading)
            await stage.page.locator(".empty").first.wait_for()


async def test_large_graphs_are_grouped(stage: Stage) -> None:
    wide = stage.app.dag("wide")
    first = wide.node(stage.app.find("words"), "a b").named("first")
    many = [wide.node(stage.app.find("echo"), first).named(f"node{number}") for number in range(320)]
    wide.node(stage.app.find("echo"), many).named("last")
    run = await wide.submit()
    await stage.go(f"#/runs/{run.id}", "wide")
    await stage.page.locator("svg .node", has_text="echo × 320").wait_for()
    assert await stage.page.locator("svg .node").count() == 3
    assert await stage.page.get_by_role("region", name="Nodes of the run").locator("tbody tr").count() == 200
    await stage.page.get_by_role("button", name="122 more").click()
    assert await stage.page.get_by_role("region", name="Nodes of the run").locator("tbody tr").count() == 322
    await run.result(timeout=20)
