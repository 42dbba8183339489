"""The files of the admin page, as they are served and as they are stored."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import Depends, FastAPI, HTTPException

from jobbers import Jobbers
from jobbers.api import page_router, router
from jobbers.api.routes.page import ROOT
from tests.api.support import call, served

FILES = sorted(path for path in ROOT.rglob("*") if path.suffix in (".css", ".html", ".js", ".svg"))
OWN = [path for path in FILES if path.parent.name != "vendor"]


@pytest.fixture
async def admin(app: Jobbers) -> AsyncIterator[httpx2.AsyncClient]:
    async with call(served(app)) as client:
        client.base_url = httpx2.URL("http://api.test/")
        yield client


async def test_every_file_comes_with_its_type_and_the_policy(admin: httpx2.AsyncClient) -> None:
    for path in FILES:
        answer = await admin.get(f"admin/{path.relative_to(ROOT).as_posix()}")
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        kinds = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
        assert answer.headers["content-type"].startswith(kinds[path.suffix])
        assert answer.headers["x-content-type-options"] == "nosniff"
        if path.suffix in (".js", ".css"):
            continue  # what these may do is said by the page that loads them
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


async def test_the_page_is_led_to_by_a_relative_address(admin: httpx2.AsyncClient) -> None:
    for address in ("admin", "/"):
        answer = await admin.get(address)
        assert (answer.status_code, answer.headers["location"]) == (307, "admin/")
    assert (await admin.get("admin/")).content == (ROOT / "index.html").read_bytes()


async def test_what_is_known_is_not_sent_again(admin: httpx2.AsyncClient) -> None:
    tag = (await admin.get("admin/style.css")).headers["etag"]
    answer = await admin.get("admin/style.css", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert (await admin.get("admin/style.css", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_files_are_packed_for_who_can_unpack_them(admin: httpx2.AsyncClient) -> None:
    sizes = {}
    for accepted in ("gzip, deflate", "identity", "gzip;q=0", ""):
        answer = await admin.get("admin/style.css", headers={"Accept-Encoding": accepted})
        assert answer.content == (ROOT / "style.css").read_bytes()  # the client unpacks it
        assert answer.headers["vary"] == "Accept-Encoding"
        sizes[accepted] = int(answer.headers["content-length"])
    assert sizes["gzip, deflate"] < sizes["identity"] / 2
    assert sizes["identity"] == sizes["gzip;q=0"] == sizes[""]


def first_view() -> set[Path]:
    """What a browser loads before it shows the overview: what ``index.html`` names, and what that imports at once."""
    found: set[Path] = set()
    left = [ROOT / "index.html", ROOT / "style.css", ROOT / "icon.svg", ROOT / "theme.js", ROOT / "js/app.js"]
    while left:
        path = left.pop().resolve()
        if path not in found:
            found.add(path)
            if path.suffix == ".js":
                left += [
                    path.parent / name
                    for name in re.findall(r'^import .* from "(.+)";', path.read_text(), re.MULTILINE)
                ]
    return found


async def test_the_first_view_is_small(admin: httpx2.AsyncClient) -> None:
    total = 0
    for path in first_view():
        answer = await admin.get(
            f"admin/{path.relative_to(ROOT).as_posix()}", headers={"Accept-Encoding": "gzip"}
        )
        assert answer.status_code == 200
        total += int(answer.headers["content-length"]) + 400  # and its headers
    assert 30_000 < total < 60_000  # beside what it tells: tests/page/test_first_view.py


def test_what_the_first_view_needs_is_asked_for_at_once() -> None:
    """A browser learns of a module's imports when it has the module; so each depth of them would be a round trip more."""
    named = re.findall(r'<link rel="modulepreload" href="(.+)">', (ROOT / "index.html").read_text())
    modules = {path.relative_to(ROOT).as_posix() for path in first_view() if path.suffix == ".js"}
    assert sorted(named) == sorted(modules - {"theme.js", "js/app.js"})


def test_what_operators_need_now_and_then_is_loaded_when_they_do() -> None:
    later = {path.name for path in FILES} - {path.name for path in first_view()}
    assert later - {"entry.js"} == {
        "again.js",
        "audit.js",
        "breakers.js",
        "bulk.js",
        "dags.js",
        "dead.js",
        "form.js",
        "gantt.js",
        "graph.js",
        "happening.js",
        "keyboard.js",
        "keys.js",
        "limits.js",
        "logs.js",
        "policies.js",
        "queue_pages.js",
        "roles.js",
        "runs.js",
        "schedules.js",
        "settings.js",
        "spread.js",
        "strikes.js",
        "task.js",
        "tasks.js",
        "types.js",
        "why.js",
        "worker_pages.js",
    }


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "vendor/README.md",
        "vendor/package.json",
        "js",
        "js/",
    ],
)
async def test_nothing_else_is_served(admin: httpx2.AsyncClient, name: str) -> None:
    assert (await admin.get(f"admin/{name}")).status_code == 404


async def test_it_works_below_a_prefix_behind_a_login(app: Jobbers) -> None:
    def login(token: str = "") -> None:
        if token != "right":
            raise HTTPException(401)

    own = FastAPI()
    own.include_router(router(app), prefix="/jobs", dependencies=[Depends(login)])
    own.include_router(page_router(), prefix="/jobs", dependencies=[Depends(login)])
    async with call(own) as client:
        client.base_url = httpx2.URL("http://api.test/")
        assert (await client.get("jobs/admin/")).status_code == 401
        assert (await client.get("jobs/admin/?token=right")).status_code == 200
        assert (await client.get("jobs/admin?token=right")).headers["location"] == "admin/"


def test_addresses_are_relative() -> None:
    for path in OWN:
        source = path.read_text()
        assert not re.findall(
            r"""(?:src|href|url|from|import|fetch)[=( ]*["'](?:/|https?:)[^"']*""", source
        ), path.name


def test_nothing_makes_markup_or_code_out_of_text() -> None:
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|createContextualFragment"
    for path in OWN:
        assert not re.findall(ways, path.read_text()), path.name
    index = (ROOT / "index.html").read_text()
    assert not re.findall(r"\son\w+=|style=|<style|<script(?![^>]*\ssrc=)", index)


def test_what_came_from_npm_is_what_was_checked() -> None:
    vendor = ROOT / "vendor"
    for line in (vendor / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, (
            f"{name} changed: make vendor"
        )
    said = (vendor / "README.md").read_text()
    packages = json.loads((vendor / "package.json").read_text())
    for name, version in (packages["dependencies"] | packages["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert re.search(rf"\| {re.escape(name)}[^|]*\| {re.escape(version)} \|", said), name
    locked = json.loads((vendor / "package-lock.json").read_text())["packages"]
    assert all("integrity" in package for name, package in locked.items() if name)
    assert Path(vendor / "LICENSES.txt").read_text().count("====") >= 4
