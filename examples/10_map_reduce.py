"""Map and reduce: which packages of the standard library define the most functions, file by file over three queues."""

from __future__ import annotations

import ast
import asyncio
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

from jobbers import HashBy, Jobbers, group
from jobbers.worker import Worker

app = Jobbers()

LIBRARY = Path(sysconfig.get_path("stdlib"))
BY_PACKAGE = HashBy("package", ["index-a", "index-b", "index-c"])


@app.task
def find_packages(names: list[str]) -> list[str]:
    return [name for name in names if (LIBRARY / name / "__init__.py").exists()]


@app.task(queue=BY_PACKAGE)
async def index_package(package: str) -> Any:
    """How many files there are shows only here: what a task returns is run in its place."""
    paths = sorted((LIBRARY / package).glob("*.py"))
    files = [count_functions.s(package, path.name) for path in paths]
    return group(*files).then(add_up.s(package=package))


@app.task(queue=BY_PACKAGE)
def count_functions(package: str, file: str) -> int:
    tree = ast.parse((LIBRARY / package / file).read_bytes())
    return sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))


@app.task(queue=BY_PACKAGE)
async def add_up(counts: list[int], package: str) -> dict[str, int]:
    return {package: sum(counts)}


@app.task
async def report(packages: list[dict[str, int]]) -> list[tuple[str, int]]:
    total: Counter[str] = Counter()
    for counts in packages:
        total.update(counts)
    return total.most_common()


functions = app.dag("functions")
found = functions.node(find_packages, functions.param("names"))
functions.node(report, functions.map(index_package, found).at_a_time(10))


async def main() -> None:
    async with app:
        run = await functions.submit(names=["asyncio", "json", "email", "logging", "no-such-package"])
        await Worker(app, burst=True).run()
        for package, number in await run.result():
            print(f"{package:>8}  {number:4} functions")
        for node in await run.nodes():
            items = f"  {node.items.done} of {node.items.total} items" if node.items else ""
            print(f"{node.name:>13}  {node.status}{items}")


if __name__ == "__main__":
    asyncio.run(main())
