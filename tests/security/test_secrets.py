"""Canaries: what is secret is nowhere to be seen but where it belongs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import redis

from jobbers.store.embedded import EmbeddedServer, start
from tests.security.conftest import arguments
from tests.security.process import JSON, ROOT, Service, running, sound

PASSWORD = "canary-of-the-url-51b7"
ARGUMENT = "canary-of-an-argument-93e2"
NAMESPACE = "canaries"
READS = [
    *(
        "/queues",
        "/workers",
        "/stats",
        "/stats/queues",
        "/stats/workers",
        "/advice",
        "/metrics",
        "/task-types",
        "/dags",
    ),
    *(
        "/tasks?status=queued",
        "/tasks?status=failed",
        "/dead-letters",
        "/dead-letters/groups",
        "/runs",
        "/schedules",
    ),
    *(
        "/limits",
        "/roles",
        "/routes",
        "/strikes",
        "/keys",
        "/audit",
        "/me",
        "/health",
        "/ready",
        "/openapi.json",
    ),
    *("/tasks/nothing", "/nothing", "/../../metrics", "/../../admin"),
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL, with a password, of a server of its own: nothing else may be done there without one."""
    with start(tmp_path_factory.mktemp("canaries")) as server:
        path = server.url.removeprefix("unix://").partition("?")[0]
        client = redis.Redis(unix_socket_path=path)
        client.execute_command("ACL", "SETUSER", "canary", "on", f">{PASSWORD}", "~*", "&*", "+@all")
        client.close()
        yield f"unix://canary:{PASSWORD}@{path}?db=0"


@pytest.fixture(scope="module")
def service(guarded: str) -> Iterator[Service]:
    environment = {"JOBBERS_REDIS_URL": guarded, "JOBBERS_NAMESPACE": NAMESPACE, "JOBBERS_KEEP_LOGS": "all"}
    with running(["--log-level=debug"], environment) as started:
        yield started


def everything(client: httpx2.Client) -> str:
    """All that is answered to all reads, with headers."""
    seen = []
    for path in READS:
        response = client.get(path)
        assert response.status_code < 500, path
        seen += [response.text, str(response.headers)]
    return "\n".join(seen)


def command(url: str, *words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "jobbers", *words],
        env={"JOBBERS_REDIS_URL": url, "JOBBERS_NAMESPACE": NAMESPACE, "PATH": "/usr/bin:/bin", **environment},
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=50, check=False,
    )  # fmt: skip
    return done.stdout


def test_arguments_are_in_the_view_of_their_task_only(service: Service, guarded: str) -> None:
    with service.client() as client:
        sent = client.post("/tasks", json={"type": "explode", "kwargs": {"secret": ARGUMENT}})
        task_id = sent.json()["id"]
        refused = [
            client.post("/tasks", json={"type": "add", "kwargs": {"a": ARGUMENT}}),
            client.post("/tasks", json={"type": "add", "args": [[ARGUMENT]]}),
            client.post("/tasks/batch", json={"tasks": [{"type": "add", "args": [ARGUMENT]}]}),
            client.post("/dags/sums/runs", json={"params": {"start": ARGUMENT}}),
            client.post("/schedules", json={"name": "s", "every": 60, "type": "add", "args": [ARGUMENT]}),
            client.post("/tasks", content=f'{{"type": "keep", "args": ["{ARGUMENT}",}}', headers=JSON),
            client.post(f"/tasks/{task_id}/requeue", json={"args": [1], "kwargs": {"secret": [ARGUMENT]}}),
        ]
        for response in refused:
            assert sound(response) >= 400
            assert ARGUMENT not in response.text
        assert ARGUMENT in client.get(f"/tasks/{task_id}").text
        assert sound(client.post(f"/tasks/{task_id}/cancel", headers=JSON)) == 200
        assert ARGUMENT not in everything(client)
    assert ARGUMENT not in service.output
    assert task_id in command(guarded, "status", task_id)


def test_the_password_of_the_url_is_nowhere(service: Service, guarded: str) -> None:
    with service.client() as client:
        assert client.get("/ready").status_code == 200
        assert PASSWORD not in everything(client)
    assert PASSWORD not in service.output
    for words in (
        ["doctor"],
        ["queues"],
        ["doctor", "--json"],
        ["status", "nothing"],
        ["submit", "x", "--debug"],
    ):
        said = command(guarded, *words)
        assert said
        assert PASSWORD not in said, words


@pytest.mark.parametrize("wrong", ["login", "address", "url"])
def test_neither_is_it_in_errors(guarded: str, wrong: str, tmp_path: Path) -> None:
    urls = {
        "login": guarded.replace(PASSWORD, f"{PASSWORD}-wrong"),
        "address": f"redis://canary:{PASSWORD}@127.0.0.1:1/0",
        "url": f"redis://canary:{PASSWORD}/with/slashes@127.0.0.1:port/0",
    }
    serve = ["api", "tests.security.served:app", "--port=0"] if wrong != "address" else ["queues"]
    for words in (["queues"], ["doctor"], ["queues", "--debug"], serve):
        said = command(urls[wrong], *words, JOBBERS_PATIENCE="0.2")
        assert said
        assert PASSWORD not in said, said
    if wrong != "address":
        return
    environment = {"JOBBERS_REDIS_URL": urls[wrong], "JOBBERS_PATIENCE": "0.2"}
    with running(["--log-level=debug"], environment) as broken, broken.client() as client:
        for path in ("/ready", "/queues", "/tasks?status=queued", "/metrics", "/events?topic=stats"):
            response = client.get(path)
            assert response.status_code >= 500 or response.status_code == 200
            assert PASSWORD not in response.text
        assert PASSWORD not in client.post("/tasks", json={"type": "keep"}).text
        assert PASSWORD not in broken.output


def test_keys_are_shown_once(server: EmbeddedServer) -> None:
    with running([*arguments(server), "--log-level=debug"]) as asking, asking.client() as client:
        made = client.post("/keys", json={"name": "root", "scope": "admin"}).json()["key"]
        secret = made.rpartition(".")[2]
        client.headers["authorization"] = f"Bearer {made}"
        again = client.post("/keys", json={"name": "root", "scope": "admin"})
        other = client.post("/keys", json={"name": made, "scope": "read"})
        assert (again.status_code, other.status_code) == (409, 422)
        as_target = client.delete(f"/keys/{made}")
        as_field = client.post("/queues/mail/purge", json={"queue": made})
        login = client.post("/login", json={"key": made})
        assert login.status_code == 200
        cookie = next(iter(login.cookies.values()))
        client.cookies.clear()
        for response in (again, as_target, as_field, login):
            assert secret not in response.text
        seen = everything(client)
        assert secret not in seen
        assert cookie not in seen
        wrong = client.get("/me", headers={"authorization": f"Bearer {made}x"})
        assert wrong.status_code == 401
        assert secret not in wrong.text
        assert cookie not in asking.output
    assert secret not in asking.output, [line for line in asking.output.splitlines() if secret in line]
