"""Extract, transform, load: a branch by what came, a handler for what fails, and steps that follow each other in place."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

from jobbers import Jobbers, Retry
from jobbers.worker import Worker

app = Jobbers()

SOURCES = {
    "orders.csv": "customer,pages\nada,12\ngrace,7\nada,3\n",
    "orders.json": '[{"customer": "kurt", "pages": 5}]',
    "broken.json": '[{"customer": ',
}
TABLE: list[dict[str, Any]] = []


@app.task(retry=3)
async def extract(name: str) -> dict[str, str]:
    return {"form": name.rpartition(".")[2], "text": SOURCES[name]}


@app.task
async def form_of(source: dict[str, str]) -> str:
    return source["form"]


@app.task
async def read_csv(source: dict[str, str]) -> list[dict[str, Any]]:
    return [row | {"pages": int(row["pages"])} for row in csv.DictReader(io.StringIO(source["text"]))]


@app.task(retry=Retry(attempts=1))
async def read_json(source: dict[str, str]) -> list[dict[str, Any]]:
    return json.loads(source["text"])


@app.task
async def clean(from_csv: list[dict[str, Any]] | None, from_json: list[dict[str, Any]] | None) -> list[Any]:
    """What was skipped is ``None``."""
    return [row for row in (from_csv or from_json or []) if row["pages"] > 0]


@app.task
async def load(rows: list[dict[str, Any]]) -> int:
    TABLE.extend(rows)
    return len(rows)


@app.task
async def quarantine(name: str, error: dict[str, str]) -> str:
    return f"{name}: {error['type']}"


etl = app.dag("etl")
source = etl.node(extract, etl.param("name"))
form = etl.node(form_of, source).inline()
csv_rows, json_rows = etl.node(read_csv, source), etl.node(read_json, source)
etl.switch(form, {"csv": csv_rows, "json": json_rows})
cleaned = etl.node(clean, csv_rows, json_rows).when("none_failed")
loaded = etl.node(load, cleaned).inline()
put_aside = etl.node(quarantine, etl.param("name"), json_rows.error)


async def main() -> None:
    async with app:
        runs = {name: await etl.submit(name=name) for name in SOURCES}
        await Worker(app, burst=True).run()
        for name, run in runs.items():
            nodes = {node.name: str(node.status) for node in await run.nodes()}
            print(f"{name}: {await run.status()}, load {nodes['load']}, quarantine {nodes['quarantine']}")
        print(f"{len(TABLE)} rows, {sum(row['pages'] for row in TABLE)} pages")


if __name__ == "__main__":
    asyncio.run(main())
