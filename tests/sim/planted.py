"""Bugs planted into the scripts, each one that a task queue somewhere has had: the simulation must find them all.

Each changes the text of one or more scripts as the simulated server loads it.
"""

from __future__ import annotations

from collections.abc import Callable

Rewrite = Callable[[str, str], str]

HOLDS = "return record[1] == 'running' and record[2] == owner"


def _replaced(*scripts: str, old: str, new: str) -> Rewrite:
    def rewrite(name: str, text: str) -> str:
        if name not in scripts:
            return text
        if old not in text:
            raise LookupError(f"{name}.lua has changed: {old!r} is not in it any more, plant this bug anew")
        return text.replace(old, new)

    return rewrite


def _both(first: Rewrite, second: Rewrite) -> Rewrite:
    return lambda name, text: second(name, first(name, text))


FENCED = ("succeed", "follow", "fail", "retry", "snooze", "release", "skip")

HANDING = (*FENCED, "reclaim", "cancel", "promote", "permits")
"""What may hand on a permit; the last one is the repair, which would hide that it was not."""

ENDING = ("succeed", "fail", "cancel", "reclaim", "promote", "claim", "skip", "suspend", "follow")

BUGS: dict[str, Rewrite] = {
    "fence by status only": _replaced(*FENCED, old=HOLDS, new="return record[1] == 'running'"),
    "no fence": _replaced(*FENCED, old=HOLDS, new="return true"),
    "no id check at submit": _replaced(
        "submit",
        old="if redis.call('EXISTS', key) == 0 then\n    local holder",
        new="if true then\n    local holder",
    ),
    "claim without a lease": _replaced(
        "claim", old="redis.call('ZADD', P .. K.leases, unpack(leases))", new="local nothing = leases"
    ),
    "due task leaves its set before it is laid into its lane": _replaced(
        "promote", old="if r[1] and FROM.promote[r[1]] and r[2] then", new="if false then"
    ),
    "reclaim before the lease has ended": _replaced(
        "reclaim", old="'-inf', whole(now), 'LIMIT'", new="'-inf', whole(now + 1000), 'LIMIT'"
    ),
    "crashes are not counted": _replaced("reclaim", old="+ crash\n", new="\n"),
    "completion leaves the lease behind": _replaced(
        "succeed", old="redis.call('ZREM', P .. K.leases, unpack(done))", new="local nothing = done"
    ),
    "what follows in place has no lease": _replaced(
        "follow", old="redis.call('ZADD', P .. K.leases, unpack(leases))", new="local nothing = leases"
    ),
    "a join does not wait for all": _replaced(
        *ENDING,
        old="redis.call('HINCRBY', place, 'waits', -1)",
        new="math.max(0, redis.call('HINCRBY', place, 'waits', -1) - 1)",
    ),
    "what needs a failed task is started": _replaced(
        *ENDING, old="return (cause or missed) and 'skip' or 'start'", new="return 'start'"
    ),
    "a run forgets that a task failed": _replaced(
        *ENDING,
        old="'HSETNX', place_of_run, 'cause'",
        new="'HSETNX', place_of_run, 'node'",
    ),
    "a map ends before its tasks": _replaced(*ENDING, old="under_way == 0 and", new="under_way <= 1 and"),
    "a map forgets that an item failed, and does not count": _both(
        _replaced(*ENDING, old="redis.call('HSETNX', place, 'broken', id)", new="local nothing"),
        _replaced(
            *ENDING, old="elseif not r[8] and not enough and good < total then", new="elseif false then"
        ),
    ),
    "a map may be expanded by anybody": _replaced("expand", "suspend", old=HOLDS, new="return true"),
    "a run that ends before its task waits for it is not heard of": _replaced(
        "suspend", old="if not status or not FROM.cancel[status] then", new="if false then"
    ),
    "the tasks of a cancelled run go on": _replaced(
        "cancel", old="for n = #ids, 1, -1 do", new="for n = 0, 1, -1 do"
    ),
    "a pause is noted, and what is ready starts": _replaced(
        "hold", "promote", old="FROM.hold[part[1]]", new="false"
    ),
    "a pause and its end take one step": _replaced(
        "hold", "promote", old="if after < math.huge then", new="if false then"
    ),
    "what a claim holds of a paused run is forgotten": _replaced(
        "claim", old="TO.hold, 'held', 1", new="TO.hold"
    ),
    "a run of many tasks is launched and its tasks go": _replaced(
        "launch", old="redis.call('PERSIST', keys[number])", new="local nothing"
    ),
    "a permit is not given back": _replaced(
        *FENCED,
        "reclaim",
        "cancel",
        old="if on(K.permits .. name, 'ZREM', whole(weight) .. ' ' .. id) == 0 then",
        new="if true then",
    ),
    "a permit of another is given back": _replaced(
        *FENCED,
        "reclaim",
        "cancel",
        old="weigh(name, 1 - weight)",
        new="redis.call('ZPOPMIN', P .. K.permits .. name)",
    ),
    "one more than the limit": _replaced(
        "claim", *FENCED, old="math.min(weight, max) > max", new="math.min(weight, max) > max + 1"
    ),
    "a permit is not handed on": _replaced(
        *HANDING,
        old="if not first[1] or not let_one_on(first[1], name, not first[2], now) then",
        new="if true then",
    ),
    "a start counts a moment too short": _replaced(
        "claim",
        old="P .. K.permits .. name, now + found.per",
        new="P .. K.permits .. name, now + found.per - 500",
    ),
    "newest first": _replaced("claim", old="'XRANGE', key, '-', '+'", new="'XREVRANGE', key, '+', '-'"),
    "cancel forgets the lane": _replaced(
        "cancel", old="redis.call('HGET', key, 'entry') or '0-0'", new="'0-0'"
    ),
}
