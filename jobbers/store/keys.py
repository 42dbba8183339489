"""Every key, channel and record field. No other module spells one; the scripts get these names rendered in.

Keys of one shard share the hash tag ``{<namespace>:<shard>}``, K below, so that one script may touch them all;
what is global has the tag ``{<namespace>}``, G below.

| key                    | type   | owner, and when it goes                                                      |
| ---------------------- | ------ | ---------------------------------------------------------------------------- |
| K:task:<id>            | hash   | the record, fields below; expires after its retention once final             |
| K:args:<id>            | string | the envelope when it is too long for a compact hash; expires with the record |
| K:result:<id>          | string | the result when it is too long for a compact hash; expires with the record   |
| K:errors:<id>          | list   | one error report per failed attempt, capped; expires with the record         |
| K:logs:<id>            | list   | what it has logged, if that is kept, capped; expires with the record         |
| K:items:<id>           | hash   | what the tasks of a map returned, by index; expires with the map's record    |
| K:open:<id>            | set    | the tasks of a map that are under way                                        |
| K:lane:<queue>:<prio>  | stream | ids that are ready; an entry is deleted by the claim                         |
| K:first:<queue>:<prio> | list   | ids of a lane that go before all others in it                                |
| K:lanes                | set    | lanes that ever held a task                                                  |
| K:due                  | zset   | id by the ms at which it is due                                              |
| K:leases               | zset   | running id by the ms at which its lease ends                                 |
| K:dead                 | zset   | failed id by the ms at which it failed; trimmed by the janitor               |
| K:unique:<key>         | string | the id that holds a unique key; expires when its scope is a time             |
| K:collapse:<key>       | string | what a debounced or throttled key has come to; expires                       |
| K:joined:<id>          | string | the task that stands for an id that made none; expires                       |
| K:runs                 | zset   | runs by the ms at which they were launched; trimmed by the janitor           |
| K:expiring             | zset   | open runs by the ms of their deadline; and those of which tasks are left     |
| K:holding              | zset   | open runs of which tasks are left to be held or let go, by ms since when     |
| K:untold               | zset   | ended tasks that have not told all others of it, by ms for which to keep those |
| K:paused               | set    | queues that give nothing out                                                 |
| K:queues               | hash   | rules for queues: drain:, live: and code:<queue>, see store/queues.py        |
| K:recent               | stream | finished ids, capped                                                         |
| K:stats:<minute>       | hash   | counts by "queue|type|outcome" and more: core/tallies.py; expires after a day |
| K:garbage:<id>         | any    | what lay where a record should be; expires after the retention of failures   |
| K:duty:<name>          | string | which worker does a background duty; expires with its lease                  |
| K:schedules            | zset   | schedule by the ms at which to look at it; inf when it is paused             |
| K:schedule:<name>      | hash   | a schedule, fields below; stays until it is deleted                          |
| K:limits               | hash   | what each limit and rate allows, by its name                                 |
| K:permits:<gate>       | zset   | permits by the ms at which they come back; of a rate, expires when unused    |
| K:line:<gate>          | zset   | parked tasks that wait for a permit, by priority and time of creation        |
| K:gates                | set    | gates that have a line                                                       |
| K:refill               | zset   | gates with a line by the ms at which to look at them again                   |
| K:parked               | hash   | how many tasks of a queue stand in lines                                     |
| K:breakers             | hash   | when each breaker opens, by its name                                         |
| K:tripped              | zset   | breakers by the ms until which they are open; then half-open; trimmed        |
| K:outcomes:<breaker>   | string | how attempts ended lately; expires with the breaker's window                 |
| K:retries              | string | first attempts and retries lately, where there is a budget; expires          |
| K:retry_slot           | string | the ms at which the next retry over the budget may go; expires               |
| K:clock                | string | testing kit only: by how many ms the shard's clock runs ahead                |
| G:meta                 | hash   | layout version and shard count                                               |
| G:workers              | zset   | worker id by the ms at which it was last seen                                |
| G:strikes              | hash   | strikes by their ids, and under "version" how often they have changed        |
| G:worker:<id>          | hash   | what a worker says of itself, and under "order" what it is told; expires     |
| G:keys                 | hash   | API key by its name, without its secret; and "-", which stays                |
| G:session:<digest>     | string | a login of the page; expires                                                 |
| G:bucket:<caller>      | string | when a caller's bucket of calls is full, in us; expires then                 |
| G:once:<place>         | hash   | a call of the API that may be repeated, and its answer; expires              |
| G:audit                | stream | who did what, capped                                                         |
| G:routes               | hash   | queues to which types are sent instead of their own                          |
| G:roles                | hash   | roles that operators have changed: name, queues with weights                 |
| G:granularity          | string | how much telemetry types make, by patterns, as operators have changed it     |
| G:policies             | hash   | options of task types that operators have changed, as JSON                   |
| G:served               | zset   | "worker queue" by the ms at which it last served that queue, for a day       |

Channels: K:bell (something became due earlier than the promoter thinks), G:inbox:<client> (a watched task moved),
G:control:<worker> (a running task was cancelled), G:roles (a role of this name was changed).
"""

from __future__ import annotations

LAYOUT_VERSION = 1
GROUP = "workers"
COMPACT_LIMIT = 64
"""Longest value, in bytes, that leaves a hash compact (Redis's ``hash-max-listpack-value``)."""

STRIKES_VERSION = "version"
"""The field beside the strikes that counts their changes."""

WORKER_ORDER = "order"
"""The field beside what a worker says of itself, in which it reads what an operator wants of it."""

SHARD_KEYS: dict[str, str] = {
    "task": ":task:",
    "args": ":args:",
    "result": ":result:",
    "errors": ":errors:",
    "logs": ":logs:",
    "items": ":items:",
    "open": ":open:",
    "lane": ":lane:",
    "first": ":first:",
    "lanes": ":lanes",
    "due": ":due",
    "leases": ":leases",
    "dead": ":dead",
    "unique": ":unique:",
    "collapse": ":collapse:",
    "joined": ":joined:",
    "runs": ":runs",
    "expiring": ":expiring",
    "holding": ":holding",
    "untold": ":untold",
    "paused": ":paused",
    "queues": ":queues",
    "recent": ":recent",
    "stats": ":stats:",
    "duty": ":duty:",
    "bell": ":bell",
    "garbage": ":garbage:",
    "schedules": ":schedules",
    "schedule": ":schedule:",
    "limits": ":limits",
    "permits": ":permits:",
    "line": ":line:",
    "gates": ":gates",
    "refill": ":refill",
    "parked": ":parked",
    "breakers": ":breakers",
    "tripped": ":tripped",
    "outcomes": ":outcomes:",
    "retries": ":retries",
    "retry_slot": ":retry_slot",
    "clock": ":clock",
}

GLOBAL_KEYS: dict[str, str] = {
    "meta": ":meta",
    "workers": ":workers",
    "worker": ":worker:",
    "served": ":served",
    "strikes": ":strikes",
    "inbox": ":inbox:",
    "control": ":control:",
    "keys": ":keys",
    "session": ":session:",
    "bucket": ":bucket:",
    "once": ":once:",
    "audit": ":audit",
    "roles": ":roles",
    "routes": ":routes",
    "granularity": ":granularity",
    "policies": ":policies",
}

FIELDS = (
    "status", "type", "lane", "created", "entry", "env",
    "attempt", "owner", "started", "crashes", "snoozes", "due", "gated", "deadline", "unique", "watch",
    "step", "progress", "beat", "beat_due", "slow_at", "finished", "reason", "result", "blob", "call",
    "run", "node", "waits", "next", "trigger", "cause", "plan", "output", "parts",
    "need", "missed", "caught", "undoes", "map", "index", "total", "expanded", "window", "enough", "broken",
    "stands_in", "held", "expires", "gates", "parked", "winding", "revival", "holding",
)  # fmt: skip
"""Fields of a record. ``lane`` is ``queue:priority``, ``entry`` the id of its lane entry, ``env`` the envelope,
``owner`` ``<worker>/<nonce>``, ``gated`` 1 when there is a deadline, unique key, error report or run, ``unique`` the
scope's first letter and the key, ``watch`` the inboxes to tell, ``blob`` the name of an offloaded result, ``call`` which
call cancelled or requeued it and from what status. Times are ms of the server's clock.

A task of a run has the ``run`` and its ``node``'s name there; ``waits`` says for how many others it waits, ``next`` lists
those that wait for it, ``trigger`` when it may start, ``need`` how many of its parents must still succeed where that
counts, ``cause`` which task first went wrong before it, ``missed`` 1 when a branch that leads to it was not taken,
``caught`` 1 when its failure is provided for, ``undoes`` the task that it makes good for. A run's own record has its
``plan``, lists its tasks as ``parts``, ``expires`` at its deadline, is ``held`` while it is paused, like the tasks that
would start, and its ``output`` is what it returns, with references to results. What takes long is done in steps:
``winding`` says of a run that has ended how many of its tasks are to be looked at ("all" at first), for how many ms they
are kept, and by which call they are cancelled if they have not ended ("-" if the run has not been ended before them);
``revival`` has a line for each task that is still to get its new life; ``holding`` is how far into ``parts`` tasks have
been held, or, if the run is not ``held``, let go.

A map has ``total`` items, of which ``expanded`` have become tasks; at most ``window`` are under way; ``enough`` is how many
must succeed where not all must, ``broken`` the first that did not. Such a task has its ``map`` there, and its ``index``. A
task that has launched a run in its place is a map of one item, the run; ``stands_in`` is its id.

``gates`` are the limits, rates, breakers and turns that a task has to pass (``store/lua/_gates.lua`` has their grammar),
``parked`` the one in whose line it stands."""


SCHEDULE_FIELDS = (
    "turn", "spec", "env", "slot", "waiting", "last", "last_slot", "started", "passed", "paused", "call",
)  # fmt: skip
"""Fields of a schedule. ``turn`` grows with every change, so that nobody acts upon what has changed since; ``spec`` is
the definition and ``env`` the envelope, ``slot`` the next slot, ``waiting`` the slots whose start waits; ``last`` is the
id that was started last, and ``last_slot`` its slot; ``started`` and ``passed`` count slots, ``call`` is which call wrote
it."""


def shard_prefix(namespace: str, shard: int) -> str:
    """K: what all keys of a shard begin with."""
    return f"{{{namespace}:{shard}}}"


def global_prefix(namespace: str) -> str:
    """G: what all global keys begin with."""
    return f"{{{namespace}}}"


class ShardKeys:
    """The keys of one shard."""

    def __init__(self, namespace: str, shard: int) -> None:
        self.prefix = shard_prefix(namespace, shard)
        self.lanes = self.prefix + SHARD_KEYS["lanes"]
        self.due = self.prefix + SHARD_KEYS["due"]
        self.leases = self.prefix + SHARD_KEYS["leases"]
        self.dead = self.prefix + SHARD_KEYS["dead"]
        self.expiring = self.prefix + SHARD_KEYS["expiring"]
        self.holding = self.prefix + SHARD_KEYS["holding"]
        self.untold = self.prefix + SHARD_KEYS["untold"]
        self.runs = self.prefix + SHARD_KEYS["runs"]
        self.paused = self.prefix + SHARD_KEYS["paused"]
        self.queues = self.prefix + SHARD_KEYS["queues"]
        self.recent = self.prefix + SHARD_KEYS["recent"]
        self.bell = self.prefix + SHARD_KEYS["bell"]
        self.schedules = self.prefix + SHARD_KEYS["schedules"]
        self.limits = self.prefix + SHARD_KEYS["limits"]
        self.gates = self.prefix + SHARD_KEYS["gates"]
        self.refill = self.prefix + SHARD_KEYS["refill"]
        self.parked = self.prefix + SHARD_KEYS["parked"]
        self.breakers = self.prefix + SHARD_KEYS["breakers"]
        self.tripped = self.prefix + SHARD_KEYS["tripped"]
        self.retries = self.prefix + SHARD_KEYS["retries"]
        self.retry_slot = self.prefix + SHARD_KEYS["retry_slot"]
        self.clock = self.prefix + SHARD_KEYS["clock"]
        self._task = self.prefix + SHARD_KEYS["task"]

    def task(self, task_id: str) -> str:
        """The record of a task."""
        return self._task + task_id

    def args(self, task_id: str) -> str:
        """A task's long envelope."""
        return f"{self.prefix}{SHARD_KEYS['args']}{task_id}"

    def result(self, task_id: str) -> str:
        """A task's long result."""
        return f"{self.prefix}{SHARD_KEYS['result']}{task_id}"

    def errors(self, task_id: str) -> str:
        """A task's error reports."""
        return f"{self.prefix}{SHARD_KEYS['errors']}{task_id}"

    def logs(self, task_id: str) -> str:
        """What a task has logged."""
        return f"{self.prefix}{SHARD_KEYS['logs']}{task_id}"

    def items(self, task_id: str) -> str:
        """What the tasks of a map returned."""
        return f"{self.prefix}{SHARD_KEYS['items']}{task_id}"

    def open(self, task_id: str) -> str:
        """The tasks of a map that are under way."""
        return f"{self.prefix}{SHARD_KEYS['open']}{task_id}"

    def lane(self, lane: object) -> str:
        """The stream of a lane."""
        return f"{self.prefix}{SHARD_KEYS['lane']}{lane}"

    def first(self, lane: object) -> str:
        """Who goes first in a lane."""
        return f"{self.prefix}{SHARD_KEYS['first']}{lane}"

    def unique(self, key: str) -> str:
        """The holder of a unique key."""
        return f"{self.prefix}{SHARD_KEYS['unique']}{key}"

    def permits(self, gate: str) -> str:
        """The permits of a gate."""
        return f"{self.prefix}{SHARD_KEYS['permits']}{gate}"

    def line(self, gate: str) -> str:
        """Who waits for a permit of a gate."""
        return f"{self.prefix}{SHARD_KEYS['line']}{gate}"

    def joined(self, task_id: str) -> str:
        """The task that stands for an id that made none."""
        return f"{self.prefix}{SHARD_KEYS['joined']}{task_id}"

    def collapse(self, key: str) -> str:
        """What a debounced or throttled key has come to."""
        return f"{self.prefix}{SHARD_KEYS['collapse']}{key}"

    def outcomes(self, gate: str) -> str:
        """How attempts behind a breaker ended lately."""
        return f"{self.prefix}{SHARD_KEYS['outcomes']}{gate}"

    def schedule(self, name: str) -> str:
        """A schedule."""
        return f"{self.prefix}{SHARD_KEYS['schedule']}{name}"

    def stats(self, minute: int) -> str:
        """The counters of one minute since 1970."""
        return f"{self.prefix}{SHARD_KEYS['stats']}{minute}"

    def duty(self, name: str) -> str:
        """Who does a background duty."""
        return f"{self.prefix}{SHARD_KEYS['duty']}{name}"

    def garbage(self, place: str) -> str:
        """Where something is kept that lay in a wrong place."""
        return f"{self.prefix}{SHARD_KEYS['garbage']}{place}"

    @property
    def task_pattern(self) -> str:
        """A SCAN pattern of all records."""
        return f"{_escaped(self._task)}*"

    @property
    def permits_pattern(self) -> str:
        """A SCAN pattern of the permits of all gates."""
        return f"{_escaped(self.permits(''))}*"

    def task_id(self, key: str) -> str:
        """The id in the key of a record."""
        return key.removeprefix(self._task)


class GlobalKeys:
    """The keys and channels that belong to no shard."""

    def __init__(self, namespace: str) -> None:
        self.prefix = global_prefix(namespace)
        self.meta = self.prefix + GLOBAL_KEYS["meta"]
        self.workers = self.prefix + GLOBAL_KEYS["workers"]
        self.keys = self.prefix + GLOBAL_KEYS["keys"]
        self.audit = self.prefix + GLOBAL_KEYS["audit"]
        self.routes = self.prefix + GLOBAL_KEYS["routes"]
        self.roles = self.prefix + GLOBAL_KEYS["roles"]
        self.served = self.prefix + GLOBAL_KEYS["served"]
        self.strikes = self.prefix + GLOBAL_KEYS["strikes"]
        self.granularity = self.prefix + GLOBAL_KEYS["granularity"]
        self.policies = self.prefix + GLOBAL_KEYS["policies"]

    def worker(self, worker_id: str) -> str:
        """What a worker says of itself."""
        return f"{self.prefix}{GLOBAL_KEYS['worker']}{worker_id}"

    def inbox(self, client: str) -> str:
        """The channel on which a client hears of tasks that it watches."""
        return f"{self.prefix}{GLOBAL_KEYS['inbox']}{client}"

    def session(self, digest: str) -> str:
        """A login of the page."""
        return f"{self.prefix}{GLOBAL_KEYS['session']}{digest}"

    def control(self, worker_id: str) -> str:
        """The channel on which a worker hears of cancelled tasks."""
        return f"{self.prefix}{GLOBAL_KEYS['control']}{worker_id}"


def namespace_pattern(namespace: str) -> str:
    """A SCAN pattern of everything that a namespace owns."""
    return f"{_escaped('{' + namespace)}[:}}]*"


def _escaped(text: str) -> str:
    return "".join(f"\\{character}" if character in "*?[]\\^" else character for character in text)
