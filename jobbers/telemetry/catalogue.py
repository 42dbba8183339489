"""Every metric: its unit, and what it counts. ``docs/telemetry.md`` shows it as a table."""

from __future__ import annotations

from jobbers.telemetry import names

UNITS = {
    names.SENT: ("{message}", "Tasks that the server has taken."),
    names.CONSUMED: ("{message}", "Attempts that workers have begun."),
    names.OPERATION_DURATION: ("s", "How long calls took that submit tasks."),
    names.PROCESS_DURATION: ("s", "How long attempts ran."),
    names.TASKS_FINISHED: ("{attempt}", "Attempts that ended, by their outcome."),
    names.TASK_WAIT: (
        "s",
        "From submission to the first start, delays included; the clocks of server and worker apart.",
    ),
    names.TASK_END_TO_END: (
        "s",
        "From submission to the end, delays and retries included; the clocks apart as well.",
    ),
    names.TASK_RETRIES: ("{attempt}", "Attempts that failed and are repeated."),
    names.LEASES_LOST: (
        "{lease}",
        "Executions that ended because the task was somebody else's, or cancelled.",
    ),
    names.TASKS_RECLAIMED: ("{task}", "Tasks taken back from workers whose leases had ended."),
    names.FINISHES_REFUSED: ("{write}", "Completions that the fence has refused."),
    names.WORKER_BUSY: ("{slot}", "Slots of a worker that are taken."),
    names.WORKER_SLOTS: ("{slot}", "Slots of a worker."),
    names.LOOP_LAG: ("s", "By how much a worker's event loop woke too late."),
    names.LOOP_BLOCKED: (
        "s",
        "For how long code blocked a worker's event loop, beyond the setting block_warning.",
    ),
    names.QUEUE_DEPTH: ("{task}", "Tasks that are ready, sent by one worker of the cluster."),
    names.QUEUE_OLDEST: (
        "s",
        "For how long the oldest ready task has waited, sent by one worker of the cluster.",
    ),
    names.PROCESS_CPU: ("s", "Processor time of a worker's process since it started."),
    names.PROCESS_MEMORY: ("By", "Memory of a worker's process; not sent where the system does not tell."),
    names.SCRIPT_DURATION: (
        "s",
        "How long a script of the server took, from sending the call to its answer.",
    ),
    names.CLAIM_SIZE: (
        "{task}",
        "Tasks that one claim has brought; claims that found nothing are not counted.",
    ),
    names.BATCH_SIZE: ("{task}", "Tasks with which a function was called that takes many at once."),
    names.SCHEDULE_LATENESS: ("s", "How long after its time a slot of a schedule was started."),
    names.TASKS: ("{task}", "Tasks that are scheduled, running or dead, sent by one worker of the cluster."),
    names.LIMIT_USED: ("{permit}", "Permits of a limit that are taken, sent by one worker of the cluster."),
    names.LIMIT_WAITING: (
        "{task}",
        "Tasks that wait for a limit or a rate, sent by one worker of the cluster.",
    ),
    names.HEARTBEATS_MISSED: ("{attempt}", "Attempts that their worker ended for a missing heartbeat."),
    names.RUNS_LAST_MINUTE: (
        "{run}",
        "Runs of graphs that ended in the last whole minute, sent by one worker of the cluster.",
    ),
    names.REQUEST_DURATION: (
        "s",
        "How long requests of the API took; of answers that last until their head was sent.",
    ),
    names.EVENT_STREAMS: ("{stream}", "Streams of events that are open."),
    names.CREDENTIALS_REFUSED: ("{request}", "Keys, tokens and logins that the API did not know."),
    names.SPREAD_SKEW: (
        "1",
        "The share of the fullest part times the number of parts: 1 is even; sent by one worker of the cluster.",
    ),
}
"""By name."""

CUMULATIVE = frozenset({names.PROCESS_CPU})
"""Sums whose value is told as a whole, not counted here."""
