"""What others wrote is shown as text: nothing of it runs, is taken for markup, or turns what stands beside it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jobbers.core.status import Status
from tests.page.stage import Stage
from tests.page.test_page import settled

pytest.importorskip("playwright")
from playwright.async_api import expect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TRAPS = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned=1'>",
    '"><svg onload=window.pwned=1>',
    "javascript:window.pwned=1",
    "</style><style>*{display:none}</style>",
    "{{constructor.constructor('window.pwned=1')()}}",
    "${window.pwned=1}",
    "'; window.pwned = 1; //",
    "\u202egnitrever\u202c \u2066isolate\u2069 zero\u200bwidth",
    "nul \x00 bell \x07 escape \x1b[31m",
    "null",
    "undefined",
    "",
    "&lt;b&gt; &amp;",
    "a" * 5000,
    "Z̸͎a̷l̶g̴o̵ 👩‍👩‍👧 مرحبا",
]
NAMES = [
    "__proto__",
    "constructor",
    "toString",
    "dangerouslySetInnerHTML",
    "onclick",
    "<b>key</b>",
    "\u202ekey",
]
TRAP: dict[str, Any] = {
    name: {"__html": TRAPS[0], "type": "div", "props": {}, "list": TRAPS} for name in NAMES
}
VNODE = {
    "type": "script",
    "props": {"children": "window.pwned = 1"},
    "constructor": None,
    "key": None,
    "ref": None,
}
WALK = """() => [...document.querySelectorAll('details')].forEach(one => { one.open = true })"""


async def harmless(stage: Stage, where: str, heading: str) -> str:
    """Open a page with all of its details and return its text. Fails if anything ran or became markup."""
    page = stage.page
    await stage.go(where, heading)
    await page.wait_for_timeout(600)
    await page.evaluate(WALK)
    assert await page.evaluate("window.pwned") is None
    strange = "script, img, style, iframe, object, embed, b > b, [onerror], [onload], [onclick], a[href^='javascript']"
    assert await page.locator(f"main :is({strange})").count() == 0
    hrefs = await page.evaluate("[...document.querySelectorAll('main a')].map(a => a.getAttribute('href'))")
    assert all(href.startswith("#/") for href in hrefs), hrefs
    text = await page.evaluate("document.querySelector('main').textContent")
    assert not set(text) & set("\x00\x07\x1b\u202e\u2066\u200b"), "a sign that cannot be seen came through"
    return str(text)


async def test_arguments_results_and_headers(stage: Stage) -> None:
    values = [*TRAPS, TRAP, VNODE, [[VNODE]], None, {}, [], True]
    task_id = await stage.submit(
        "echo", values, options={"headers": dict.fromkeys(NAMES, TRAPS[0]), "unique": TRAPS[0]}
    )
    await settled(stage, task_id, Status.SUCCEEDED)
    text = await harmless(stage, f"#/tasks/{task_id}", "echo")
    for trap in TRAPS[:8]:
        assert text.count(f'"{trap}"') >= 2, trap  # as argument and as result
    for words in (
        "⟨U+202E⟩gnitrever",
        "⟨U+0000⟩",
        '"null"',
        '"undefined"',
        '""',
        "__proto__",
        "<b>key</b>",
        "Z̸͎a̷l̶g̴o̵ 👩⟨U+200D⟩👩",
    ):
        assert words in text, words
    await stage.page.get_by_role("button", name="JSON").first.click()
    await expect(stage.page.locator(".tree pre").first).to_contain_text("window.pwned")
    assert await stage.page.evaluate("window.pwned") is None
    await harmless(stage, "#/tasks?status=succeeded", "Tasks")


async def test_errors_and_reasons(stage: Stage) -> None:
    ids = [await stage.submit("echo", trap, fail=True) for trap in TRAPS]
    for task_id in ids:
        await settled(stage, task_id, Status.FAILED)
    text = await harmless(stage, "#/dead", "Dead letters")
    assert TRAPS[0] in text
    for task_id in ids[:3]:
        assert "window.pwned" in await harmless(stage, f"#/tasks/{task_id}", "echo")
    held = await stage.submit("hold", text=TRAPS[0])
    await settled(stage, held, Status.RUNNING)
    await (await stage.app.inspector()).cancel([held], TRAPS[1])
    assert TRAPS[1] in await harmless(stage, f"#/tasks/{held}", "hold")
    assert TRAPS[1] in await harmless(stage, "#/tasks?status=cancelled", "Tasks")


async def test_workers(stage: Stage) -> None:
    facts = dict.fromkeys(
        ("name", "host", "queues", "role", "concurrency", "running", "started", "pid"), TRAPS[0]
    )
    control = (await stage.app.client()).store.control
    for identity in ("<script>window.pwned=1</script>", "__proto__", "\u202eworker"):
        await control.announce(identity, facts, 60_000)
    assert TRAPS[0] in await harmless(stage, "#/workers", "Workers")
    assert TRAPS[0] in await harmless(stage, "#/", "Overview")


async def test_addresses(stage: Stage) -> None:
    stage.expect_complaints("404", "422")
    for where in (
        "#/tasks/%3Cscript%3Ewindow.pwned=1%3C%2Fscript%3E",
        "#/tasks/%E0%A4%A",
        "#/tasks/..%2F..%2Fhealth",
    ):
        await harmless(stage, where, "Task")
    await harmless(stage, "#/types/%3Cimg%20src=x%20onerror=window.pwned=1%3E", "Task types")
    await harmless(stage, "#/tasks?status=queued&type=%22%3E%3Cscript%3E&queue=__proto__", "Tasks")


async def test_garbage_in_the_store(stage: Stage) -> None:
    """A record that somebody else wrote: of a type and a status that there cannot be."""
    task_id = await stage.submit("echo", "x", options={"delay": 60})
    store = (await stage.app.client()).store
    await store.gateway.command("HSET", store.shards[0].task(task_id), "type", TRAPS[0], "reason", TRAPS[1])
    try:
        assert TRAPS[1] in await harmless(stage, f"#/tasks/{task_id}", TRAPS[0])
        assert TRAPS[0] in await harmless(stage, "#/tasks?status=scheduled", "Tasks")
    finally:
        await store.gateway.command("HSET", store.shards[0].task(task_id), "type", "echo")


async def test_the_policy_stops_what_should_get_through(stage: Stage) -> None:
    """The second wall, should the first one fail: a browser refuses inline code and markup made of text."""
    stage.expect_complaints("Content Security Policy", "TrustedHTML", "requires 'Trusted")
    made = "() => { try { document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.pwned=1>') } catch {} }"
    await stage.page.evaluate(made)
    inline = "() => { const s = document.createElement('div'); document.body.append(s); try { s.setAttribute('onclick', "
    inline += "'window.pwned=1') } catch {} s.click() }"
    await stage.page.evaluate(inline)
    await asyncio.sleep(0.3)
    assert await stage.page.evaluate("window.pwned") is None


async def test_groups_schedules_and_arguments_to_edit(stage: Stage) -> None:
    for trap in TRAPS[:4]:
        await settled(stage, await stage.submit("echo", trap, fail=True), Status.FAILED)
    text = await harmless(stage, "#/dead?by=error", "Dead letters")
    assert "<script>window.pwned = …</script>" in text
    await stage.app.schedules.create("traps", stage.app.find("echo").s(TRAP), every=3600)
    await harmless(stage, "#/schedules/traps", "traps")
    await harmless(stage, "#/schedules/traps?edit=1", "Edit traps")
    kept = await stage.page.get_by_label("args", exact=True).input_value()
    assert TRAPS[0] in kept
    done = await stage.submit("echo", TRAP)
    await settled(stage, done, Status.SUCCEEDED)
    await stage.go(f"#/tasks/{done}", "echo")
    await stage.page.get_by_role("button", name="Run with other arguments…").click()
    await harmless(stage, f"#/tasks/{done}", "echo")
