"""An app with a worker and the API, and a browser's page on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

from jobbers import Breaker, Jobbers, Limit, Retry, current_task
from jobbers.api.live.hub import hub_of
from jobbers.api.server import serve
from jobbers.testing import running_worker

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Page

SECONDS = 30_000
"""How long a page may take to show something, in ms: machines are slow at times."""


def make_app(url: str, namespace: str) -> tuple[Jobbers, asyncio.Event]:
    """An app whose tasks can be held up: those of ``hold`` go on when the event is set."""
    app = Jobbers(url, namespace=namespace, poll_interval=0.2)
    gate = asyncio.Event()

    @app.task(queue="sums", retry=Retry(2, delay=0.05))
    async def divide(a: int, b: int = 1) -> float:
        """Divide two numbers."""
        return a / b

    @app.task(queue="slow")
    async def hold(
        text: str, mode: Literal["quick", "thorough"] = "quick", times: list[int] | None = None
    ) -> str:
        current_task().heartbeat("at the gate", progress=0.4)
        await gate.wait()
        return text

    @app.task(retry=Retry(1))
    async def echo(value: Any = None, fail: bool = False) -> Any:
        if fail:
            raise ValueError(str(value))
        return value

    @app.task
    async def words(text: str) -> list[str]:
        return text.split()

    @app.task(breaker=Breaker(of=5))
    async def call(answer: str) -> str:
        return answer

    @app.task(queue="slow", limits=[Limit(1, key="user")])
    async def visit(user: str) -> str:
        await gate.wait()
        return user

    flow = app.dag("count_words")
    parts = flow.node(words, flow.param("text")).named("split")
    each = flow.map(hold, parts).named("each")
    flow.node(echo, each).named("gather")
    return app, gate


MakeApp = Callable[[str, str], tuple[Jobbers, asyncio.Event]]


class Stage:
    """``async with Stage(...)``: all of it runs; ``complaints`` collects what the browser complained of."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        namespace: str,
        make: MakeApp = make_app,
        workers: Sequence[Mapping[str, Any]] = ({"queues": ["sums", "slow", "default"]},),
    ) -> None:
        self.app, self.gate = make(url, namespace)
        self._make_service = lambda: make(url, namespace)[0]  # the API closes its app when it ends
        self._workers = workers
        self.complaints: list[str] = []
        self._browser = browser
        self._stack = AsyncExitStack()
        self._serving: asyncio.Task[None] | None = None
        self._expected: list[str] = []
        self.port = 0
        self.url = ""
        self.service: Jobbers
        self.page: Page

    async def __aenter__(self) -> Self:
        threads = self._stack.enter_context(ThreadPoolExecutor())  # the loop's own would outlive this test
        asyncio.get_running_loop().set_default_executor(threads)
        await self._stack.enter_async_context(self.app)
        for options in self._workers:
            await self._stack.enter_async_context(running_worker(self.app, **options))
        await self.start_api()
        self._stack.push_async_callback(self.stop_api)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.gate.set()
        with contextlib.suppress(AttributeError):
            await self.page.context.close()
        await self._stack.aclose()

    async def start_api(self) -> None:
        """Serve the API, on the same port each time."""
        url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.service = self._make_service()
        self._serving = asyncio.create_task(serve(self.service, port=self.port, ready=url.set_result))
        await asyncio.wait([self._serving, url], return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            await self._serving
        self.port = urlsplit(await url).port or 0
        self.url = f"http://127.0.0.1:{self.port}/admin/"

    async def told(self) -> None:
        """Wait until the page that is open is told of what happens, by a stream."""
        async with asyncio.timeout(SECONDS / 1000):
            while not hub_of(self.service).listeners:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)

    async def stop_api(self) -> None:
        """End the API; a page that is open has to live without it."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
            self._serving = None

    async def open(self, **context: Any) -> Page:
        """Open the page in a browser context of its own."""
        opened = await self._browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | context))
        self.page = await opened.new_page()
        self.page.set_default_timeout(SECONDS)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        await self.page.goto(self.url)
        await self.page.get_by_role("heading", level=1).wait_for()
        return self.page

    async def go(self, where: str, heading: str) -> None:
        """Open a page within the page: ``#/tasks``."""
        await self.page.evaluate("where => { location.hash = where }", where)
        await self.page.get_by_role("heading", level=1, name=heading, exact=True).wait_for()

    async def see(self, text: str) -> None:
        """Wait until this text is visible somewhere in the content."""
        await self.page.locator("main").get_by_text(text).first.wait_for()

    async def submit(
        self, type: str, *args: Any, options: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> str:
        """Submit a task from outside of the page. Returns its id."""
        handle = await self.app.find(type).options(**(options or {})).submit(*args, **kwargs)
        return str(handle.id)

    def expect_complaints(self, *words: str) -> None:
        """From now on the browser may complain with one of these words: of an answer that a test provokes."""
        self._expected += words

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(word in message.text for word in self._expected):
            self.complaints.append(f"{message.type}: {message.text}")
