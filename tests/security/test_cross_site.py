"""What a page of another site can make a browser send changes nothing, and tells that page nothing."""

from __future__ import annotations

import httpx2
import pytest

from tests.api.support import error_of
from tests.security.conftest import Locked
from tests.security.process import JSON, Service, exchange

WRITES = [
    ("POST", "/tasks", b'{"type": "keep"}'),
    ("POST", "/tasks/batch", b'{"tasks": [{"type": "keep"}]}'),
    ("POST", "/queues/foreign/pause", b""),
    ("PUT", "/routes/keep", b'{"queue": "foreign"}'),
    ("POST", "/dead-letters/drop", b'{"all": true}'),
    ("POST", "/keys", b'{"name": "foreign", "scope": "admin"}'),
    ("DELETE", "/limits/adding", b""),
]
FOREIGN = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "https://["},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"},
    {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:1"},
]


@pytest.mark.parametrize("said", FOREIGN, ids=str)
@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=lambda it: str(it)[:30])
def test_where_nobody_is_asked_other_sites_change_nothing(
    api: httpx2.Client, said: dict[str, str], method: str, path: str, body: bytes
) -> None:
    error_of(api.request(method, path, content=body, headers={**JSON, **said}), 403, "cross_site")
    assert api.get("/me").json()["kind"] == "open"  # nobody has made a key
    assert not [queue for queue in api.get("/queues").json()["queues"] if queue["name"] == "foreign"]


def test_the_page_itself_may_write(service: Service, api: httpx2.Client) -> None:
    for said in ({"origin": service.url}, {"origin": service.url, "sec-fetch-site": "same-origin"}, {}):
        assert api.post("/tasks", json={"type": "keep"}, headers=said).status_code == 201


@pytest.mark.parametrize("said", FOREIGN[:1] + FOREIGN[-2:], ids=str)
def test_a_cookie_does_not_help_another_site(locked: Locked, said: dict[str, str]) -> None:
    with locked.service.client() as browser:
        own = {"origin": locked.service.url, "sec-fetch-site": "same-origin"}
        assert browser.post("/login", json={"key": locked.key}, headers=own).status_code == 200
        cookie = browser.cookies
        assert len(cookie) == 1
        for method, path, body in WRITES:
            error_of(browser.request(method, path, content=body, headers={**JSON, **said}), 403, "cross_site")
        assert browser.post("/queues/foreign/pause", headers={**JSON, **own}).status_code == 200
        error_of(browser.post("/logout", json={}, headers=said), 403, "cross_site")
        assert browser.get("/me").status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
def test_forms_are_refused(api: httpx2.Client, content_type: str) -> None:
    for method, path, body in WRITES:
        if method != "DELETE":  # a form cannot send that
            response = api.request(method, path, content=body, headers={"content-type": content_type})
            error_of(response, 415, "unsupported_media_type")


def test_browsers_that_ask_first_are_told_nothing(api: httpx2.Client) -> None:
    for method, path, _ in WRITES:
        asked = {"origin": "http://evil.example", "access-control-request-method": method}
        response = api.options(path, headers={**asked, "access-control-request-headers": "content-type"})
        assert response.status_code >= 400
        assert not [name for name in response.headers if name.startswith("access-control-")]
    for path in ("/tasks?status=queued", "/me", "/openapi.json"):
        response = api.get(path, headers={"origin": "http://evil.example"})
        assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example:8000",
        "evil.example:80",
        "0.0.0.0",
        "[::ffff:7f00:1]",
        "127.1",
        "2130706433",
    ],
)
def test_a_foreign_name_that_points_here_is_refused(service: Service, api: httpx2.Client, host: str) -> None:
    for path in ("/health", "/tasks?status=queued", "/openapi.json", "/me"):
        error_of(api.get(path, headers={"host": host}), 421, "wrong_host")
    rebound = {**JSON, "host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    error_of(api.post("/tasks", content=b'{"type": "keep"}', headers=rebound), 421, "wrong_host")
    page = exchange(service, f"GET /admin HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert page.startswith(b"HTTP/1.1 421 ")


def test_two_names_or_none_are_refused(service: Service) -> None:
    two = b"GET /api/v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert exchange(service, two).startswith(b"HTTP/1.1 400 ")
    old = b"GET /api/v1/me HTTP/1.0\r\n\r\n"
    assert b" 421 " in exchange(service, old).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "smuggled",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length : 4\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"X: a\x00b\r\n",
        b" X: folded\r\n",
    ],
)
def test_requests_that_two_servers_may_read_in_two_ways(service: Service, smuggled: bytes) -> None:
    head = b"POST /api/v1/logout HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    answer = exchange(
        service, head + smuggled + b"\r\n0\r\n\r\nGET /api/v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b'"kind"' not in answer
