"""``jobbers keys`` and ``jobbers audit``."""

from __future__ import annotations

import getpass

import pytest

from jobbers.core.access import split_key
from jobbers.keyring import Access

pytestmark = pytest.mark.usefixtures("surroundings")


def test_a_key_from_its_making_to_its_end(jobbers, desk) -> None:
    assert "no keys" in jobbers("keys").err
    made = jobbers(
        "keys", "create", "mailer", "--scope", "submit", "--queue", "mail", "--queue", "sms", "--expires", "30d",
        "--rate", "5",
    )  # fmt: skip
    key = made.out.strip()
    assert split_key(key) is not None
    assert "not shown again" in made.err
    assert "the first key" in made.err
    assert "the first key" not in jobbers("keys", "create", "other", "--scope", "read").err
    listed = jobbers("keys", "list")
    assert "mailer" in listed.out
    assert "mail, sms" in listed.out
    assert key not in listed.out
    mailer = next(entry for entry in jobbers("keys", "--json").data if entry["name"] == "mailer")
    assert (mailer["scope"], mailer["queues"], mailer["rate"]) == ("submit", ["mail", "sms"], 5)

    async def find(app):
        return await Access((await app.client()).store).find(key)

    assert desk(find).name == "mailer"
    assert jobbers("keys", "revoke", "mailer", "other").out == "revoked mailer\nrevoked other\n"
    assert desk(find) is None
    assert "no keys" in jobbers("keys").err
    assert "there is no key" in jobbers("keys", "revoke", "mailer", code=3).err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["k", "--scope", "root"], 2, "scope must be one of read, submit, operate, admin"),
        (["k", "--scope", "admin", "--queue", "mail"], 2, "cannot be restricted"),
        (["k", "--scope", "read", "--expires", "soon"], 2, "is no duration"),
        (["k", "--scope", "read", "--expires", "0s"], 2, "more than 0 seconds"),
        (["a b", "--scope", "read"], 2, "not a legal name"),
        (["k", "--scope", "read", "--queue", "a b"], 2, "not a legal name"),
        (["taken", "--scope", "read"], 6, "revoke it first"),
    ],
)
def test_what_makes_no_sense_is_refused(jobbers, words, code, says) -> None:
    jobbers("keys", "create", "taken", "--scope", "read")
    assert says in jobbers("keys", "create", *words, code=code).err
    assert [key["name"] for key in jobbers("keys", "--json").data] == ["taken"]


def test_what_commands_do_is_in_the_audit_log(jobbers, shop, desk) -> None:
    task_id = jobbers("submit", "add", "--arg", "a=987654").out.strip()
    run_id = jobbers("dag", "run", "sums", "--arg", "start=5").out.strip()
    key = jobbers("keys", "create", "k", "--scope", "read").out.strip()
    jobbers("queues", "pause", "mail", "post")
    jobbers("queues", "resume", "mail")
    jobbers("cancel", task_id)
    jobbers("dlq", "requeue", "--queue", "mail")
    jobbers("dlq", "drop", "--all", "--yes")
    jobbers("dag", "pause", run_id)
    jobbers("schedules", "add", "s", "add", "--arg", "a=987654", "--every", "1h")
    jobbers("schedules", "pause", "s")
    jobbers("schedules", "delete", "none", code=3)
    jobbers("keys", "revoke", "k")
    jobbers("doctor", "--repair")
    answer = jobbers("audit", "--json")
    entries = answer.data["entries"]
    assert [(entry["action"], entry["target"], entry["status"]) for entry in reversed(entries)] == [
        ("keys.create", "k scope=read", ""),
        ("queues.pause", "mail post", ""),
        ("queues.resume", "mail", ""),
        ("tasks.cancel", task_id, ""),
        ("tasks.requeue", "queue=mail", ""),
        ("tasks.drop", "all=True", ""),
        ("runs.pause", run_id, ""),
        ("schedules.create", "s", ""),
        ("schedules.pause", "s", ""),
        ("schedules.delete", "none", "failed"),
        ("keys.revoke", "k", ""),
        ("doctor.repair", "", ""),
    ]
    assert {entry["who"] for entry in entries} == {f"user:{getpass.getuser()}"}
    assert {entry["via"] for entry in entries} == {"cli"}
    assert "987654" not in answer.out
    assert key not in answer.out
    page = jobbers("audit", "--limit", "5", "--json").data
    rest = jobbers("audit", "--cursor", page["cursor"], "--json").data
    assert [*page["entries"], *rest["entries"]] == entries
    assert rest["cursor"] is None
    assert "queues.pause" in jobbers("audit").out
    assert "cursor" in jobbers("audit", "--cursor", "x", code=2).err
