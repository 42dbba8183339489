"""What is read out of a server's MONITOR."""

from __future__ import annotations

from jobbers.store import scripts
from jobbers.testing.monitor import Moves

OWNER = "w1-abc/9"


def line(at: float, client: str, *words: str) -> bytes:
    quoted = " ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words)
    return f"+{at:.6f} [0 {client}] {quoted}".encode()


def call(at: float, script: str, *arguments: str) -> bytes:
    return line(at, "unix:/door", "EVALSHA", scripts.load(script).sha.decode(), "1", "{n:0}", *arguments)


def test_a_task_from_submit_to_its_end() -> None:
    moves = Moves()
    events = [
        event
        for raw in (
            b"+OK",
            call(1.0, "submit", "default:5", "add"),
            line(1.1, "lua", "HSET", "{n:0}:task:A", "status", "queued", "lane", "default:5", "entry", "7-0",
                 "env", 'a "quoted" \\ value'),
            call(2.0, "claim", OWNER),
            line(2.1, "lua", "HSET", "{n:0}:task:A", "status", "running", "attempt", "1", "owner", OWNER),
            line(2.1, "lua", "ZADD", "{n:0}:leases", "12000", "A"),
            line(2.5, "unix:/door", "PING"),
            call(3.0, "succeed", "A", "w2-old/1", "60", "result", "x", "A", OWNER, "60", "result", "y"),
            line(3.1, "lua", "HSET", "{n:0}:task:A", "status", "succeeded", "finished", "3000"),
        )
        for event in moves.feed(raw)
    ]  # fmt: skip
    events += moves.flush()
    assert [(event["by"], event["from"], event["to"]) for event in events] == [
        ("submit", "", "queued"),
        ("claim", "queued", "running"),
        ("succeed", "running", "succeeded"),
    ]
    claimed, ended = events[1:]
    assert (claimed["lane"], claimed["entry"], claimed["owner"]) == ("default:5", "7-0", OWNER)
    assert (ended["caller"], ended["lease_left"]) == (OWNER, 9000)


def test_a_completion_that_names_another_owner_is_told_as_such() -> None:
    moves = Moves()
    moves.found(0.0, "A", {"status": "running", "owner": OWNER, "attempt": "2"})
    moves.feed(call(1.0, "fail", "50", "A", "w2-old/1", "60", "why", ""))
    moves.feed(line(1.1, "lua", "HSET", "{n:0}:task:A", "status", "failed"))
    (event,) = moves.flush()
    assert (event["caller"], event["owner"], event["attempt"]) == ("w2-old/1", OWNER, 2)


def test_what_changes_no_standing_is_no_move() -> None:
    moves = Moves()
    moves.found(0.0, "A", {"status": "running", "owner": OWNER, "attempt": "1"})
    moves.feed(call(1.0, "beat", "A", OWNER))
    moves.feed(line(1.1, "lua", "HSET", "{n:0}:task:A", "beat", "1000", "step", "half way"))
    assert list(moves.flush()) == []


def test_bytes_that_are_no_text_are_read() -> None:
    moves = Moves()
    moves.feed(call(1.0, "submit"))
    moves.feed(b'+1.1 [0 lua] "HSET" "{n:0}:task:A" "status" "queued" "env" "\\xff\\x00\\n\\"]"')
    (event,) = moves.flush()
    assert event["to"] == "queued"
