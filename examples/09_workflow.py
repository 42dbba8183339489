"""A graph of tasks: pages are fetched side by side, each is counted, and the counts are added up."""

from __future__ import annotations

import asyncio

from jobbers import Jobbers
from jobbers.worker import Worker

app = Jobbers()

PAGES = {"home": "the quick brown fox", "about": "jumps over", "contact": "the lazy dog"}


@app.task(retry=3)
async def fetch(name: str) -> str:
    return PAGES[name]


@app.task
async def count_words(text: str) -> int:
    return len(text.split())


@app.task
def add_up(title: str, counts: dict[str, int]) -> str:
    return f"{title}: {sum(counts.values())} words in {len(counts)} pages"


report = app.dag("report")
report.node(
    add_up,
    report.param("title"),
    {
        name: report.node(count_words, report.node(fetch, name).named(name)).named(f"count-{name}")
        for name in PAGES
    },
)


async def main() -> None:
    async with app:
        run = await report.submit(title="our site")
        await Worker(app, burst=True).run()
        print(await run.result())
        for node in await run.nodes():
            print(f"{node.name:>14}  {node.status}  after {', '.join(node.after) or 'nothing'}")


if __name__ == "__main__":
    asyncio.run(main())
