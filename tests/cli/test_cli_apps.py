"""Application paths, settings, and servers that are not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobbers import Jobbers
from jobbers.cli.apps import load_app
from jobbers.errors import ConfigError

SECRET = "t0psecret"


@pytest.mark.parametrize("path", ["shop", "shop:app"])
def test_an_application_is_found(path: str, shop: Path) -> None:
    assert isinstance(load_app(path), Jobbers)


def test_an_application_in_a_package_and_an_object(tmp_path: Path) -> None:
    package = tmp_path / "firm" / "eu"
    package.mkdir(parents=True)
    (package / "tasks.py").write_text("from jobbers import Jobbers\nclass Box:\n    inner = Jobbers()\n")
    assert isinstance(load_app("firm.eu.tasks:Box.inner"), Jobbers)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("nowhere", r"there is no module 'nowhere': looked in .* and on Python's path"),
        ("firm.nowhere", r"there is no module 'firm'"),
        ("shop.tasks", r"there is no module 'shop\.tasks'"),
        ("shop:nothing", r"module 'shop' has no attribute 'nothing'; it has shop:app"),
        ("shop:app.deeper", r"module 'shop' has no attribute 'app\.deeper'; it has shop:app"),
        ("shop:add", r"shop:add is a TaskType and no Jobbers application; it has shop:app"),
        ("empty", r"module 'empty' has no attribute 'app'; the module has no Jobbers application at all"),
        ("broken", r"importing module 'broken' failed: ZeroDivisionError: .*broken\.py, line 2\)"),
        (
            "needy",
            r"importing module 'needy' failed: ModuleNotFoundError: No module named 'not_installed'.*line 1\)",
        ),
        ("leaving", r"importing module 'leaving' failed: SystemExit: 3"),
        ("typo", r"importing module 'typo' failed: SyntaxError: .*typo\.py, line 1\)"),
        ("shop.py", r"'shop\.py' names a file: write it as a module, shop:app"),
        ("./firm/tasks.py:it", r"names a file: write it as a module, firm\.tasks:it"),
        (":app", r"':app' is not module:attribute"),
        ("shop:", r"'shop:' is not module:attribute"),
        ("", r"'' is not module:attribute"),
        (f"redis://:{SECRET}@host", r"a URL was given: that belongs in --redis-url"),
    ],
)
def test_what_is_wrong_with_a_path_is_said(path: str, sentence: str, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "broken.py").write_text("\n1 / 0\n")
    (tmp_path / "needy.py").write_text("import not_installed\n")
    (tmp_path / "leaving.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "typo.py").write_text("def:\n")
    with pytest.raises(ConfigError, match=sentence) as caught:
        load_app(path)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("command", ["worker", "api", "dev"])
def test_a_wrong_path_ends_the_command(command: str, process) -> None:
    answer = process(command, "nowhere:app")
    assert answer.code == 2
    assert re.fullmatch(r"error: there is no module 'nowhere': [^\n]*\n", answer.err)
    assert answer.out == ""


@pytest.mark.parametrize("command", ["worker", "api", "dev"])
def test_no_path_at_all(command: str, jobbers) -> None:
    assert "JOBBERS_APP" in jobbers(command, code=2).err


def test_a_wrong_setting(jobbers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBBERS_SHARDS", "many")
    assert jobbers("queues", code=2).err.startswith("error: setting 'shards' (JOBBERS_SHARDS): ")


@pytest.mark.parametrize(
    "command", [["queues"], ["status", "0" * 26], ["dlq"], ["doctor"], ["top", "--once"]]
)
def test_a_server_that_is_away(command: list[str], process) -> None:
    url = f"redis://user:{SECRET}@127.0.0.1:1/0"
    answer = process(*command, "--redis-url", url, env={"JOBBERS_PATIENCE": "0"})
    assert answer.code == 4
    assert re.fullmatch(
        r"error: cannot reach the server at redis://user:\*\*\*@127\.0\.0\.1:1/0 [^\n]*\n", answer.err
    )
    assert answer.out == ""


def test_a_worker_without_a_server(process, shop: Path) -> None:
    url = f"redis://:{SECRET}@127.0.0.1:1/0"
    answer = process(
        "worker", "--redis-url", url, "--log-level=debug", "--debug", env={"JOBBERS_PATIENCE": "0"}
    )
    assert answer.code == 4
    assert SECRET not in answer.err + answer.out


@pytest.mark.parametrize(
    "url", [f"redis://:{SECRET}@host:port/0", f"http://me:{SECRET}@host", f"redis://me:{SECRET}"]
)
def test_a_url_that_is_wrong_is_shown_without_its_password(url: str, process, shop: Path) -> None:
    for command in (["queues"], ["worker"]):
        answer = process(*command, "--debug", "--redis-url", url)
        assert answer.code == 2
        assert SECRET not in answer.err + answer.out


def test_looking_starts_no_server(jobbers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JOBBERS_REDIS_URL")
    answer = jobbers("queues", code=4)
    assert "no server was named" in answer.err
    assert not (tmp_path / ".jobbers").exists()


def test_options_win_over_the_application(jobbers, server, tmp_path: Path, surroundings: str) -> None:
    (tmp_path / "far.py").write_text(
        'from jobbers import Jobbers\napp = Jobbers("redis://nowhere.invalid:1/0")\n'
    )
    answer = jobbers(
        "queues", "--app=far", "--redis-url", server.url, "--namespace", f"{surroundings}-other", "--json"
    )
    assert answer.data == []


def test_a_namespace_with_other_shards(jobbers, desk) -> None:
    desk.submit("add", 1)
    assert "was made with 1 shards" in jobbers("queues", "--shards=4", code=2).err
