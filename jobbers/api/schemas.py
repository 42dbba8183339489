"""What callers send."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from jobbers.core.ids import check_id
from jobbers.core.names import check_name, check_unique_key
from jobbers.core.policy import HIGHEST_PRIORITY, LOWEST_PRIORITY
from jobbers.errors import InvalidInput

MAX_BATCH = 1_000
MAX_REASON = 500
MAX_ARGUMENTS = 10_000
"""How many arguments a task may have: each is checked by itself. Lists in them may be longer."""
HUNDRED_YEARS = 100 * 365 * 86_400


def _name(what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        return check_name(value, what)

    return check


def only_text(value: object) -> object:
    """A time as text, before it is read."""
    if isinstance(value, str | datetime):
        return value
    raise ValueError(
        "must be a time in ISO 8601, with its offset"
    )  # not a number: of seconds or milliseconds?


def _until(value: object) -> object:
    if value in ("started", "finished"):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= HUNDRED_YEARS:
        return value
    raise ValueError("must be 'started', 'finished' or a number of seconds")


Id = Annotated[str, AfterValidator(check_id)]
QueueText = Annotated[str, AfterValidator(_name("the queue"))]
TypeText = Annotated[str, AfterValidator(_name("the task type"))]
Seconds = Annotated[float, Field(ge=0, le=HUNDRED_YEARS, strict=True, allow_inf_nan=False)]
SomeSeconds = Annotated[float, Field(gt=0, le=HUNDRED_YEARS, strict=True, allow_inf_nan=False)]
Arguments = Annotated[
    list[Any], Field(max_length=MAX_ARGUMENTS, description="Positional arguments, in order.")
]
Keywords = Annotated[dict[str, Any], Field(max_length=MAX_ARGUMENTS, description="Arguments by name.")]
Reason = Annotated[str, Field(max_length=MAX_REASON, description="Kept with the task.")]


class Sent(BaseModel):
    """Base of all that is sent: a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class UniqueKey(Sent):
    """Of tasks with the same unique key only one is accepted at a time."""

    key: Annotated[str, AfterValidator(check_unique_key)] = Field(examples=["invoice-4711"])
    until: Annotated[Literal["started", "finished"] | float, BeforeValidator(_until)] = Field(
        "finished",
        description="How long the key is held: until the task started or finished, or for so many seconds.",
    )


KeyName = Annotated[
    str | None,
    Field(
        max_length=100,
        description="The parameter whose value is the key; without one the type has a single key.",
        examples=["user_id"],
    ),
]


class DebounceRequest(Sent):
    """Run once it is quiet: later submissions with the same key put the waiting task off and replace its arguments."""

    wait: SomeSeconds = Field(description="Seconds for which it must be quiet.", examples=[5])
    key: KeyName = None
    max_wait: SomeSeconds | None = Field(None, description="It is never put off for longer than that in all.")


class ThrottleRequest(Sent):
    """Run once in a period: other submissions with the same key are attached to the first."""

    period: SomeSeconds = Field(description="Seconds of a period.", examples=[60])
    key: KeyName = None
    trailing: bool = Field(
        False, strict=True, description="The last one of a period runs at its end, and begins the next."
    )


class Submission(Sent):
    """A task to submit. Arguments are checked against the annotations of the task type."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"type": "resize", "kwargs": {"image": "cat.png", "width": 640}, "delay": 5}]
        }
    )

    type: TypeText = Field(description="Name of a registered task type.", examples=["resize"])
    args: Arguments = Field(default_factory=list)
    kwargs: Keywords = Field(default_factory=dict)
    id: Id | None = Field(
        None,
        description="A ULID of your own. Submitting it again changes nothing, so a call whose answer was lost can "
        "safely be repeated.",
    )
    queue: QueueText | None = Field(None, description="Another queue than that of the task type.")
    priority: Annotated[int, Field(strict=True, ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY)] | None = Field(
        None, description="From 0 (last) to 9 (first)."
    )
    delay: Seconds | None = Field(None, description="Seconds from now until the task is due.")
    at: Annotated[AwareDatetime, BeforeValidator(only_text)] | None = Field(
        None,
        description="When the task is due, in ISO 8601 with an offset.",
        examples=["2030-01-01T06:00:00Z"],
    )
    deadline: SomeSeconds | None = Field(
        None, description="Longest wait, in seconds, from now to the task's start."
    )
    unique: UniqueKey | None = None
    debounce: DebounceRequest | None = None
    throttle: ThrottleRequest | None = None
    headers: dict[str, str] | None = Field(None, description="Text that travels along with the task.")

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if self.delay is not None and self.at is not None:
            raise InvalidInput("give a delay or a time (at), not both", "at")
        return self


class Batch(Sent):
    """Tasks to submit together. All are checked before any is written."""

    tasks: list[Submission] = Field(min_length=1, max_length=MAX_BATCH)

    @model_validator(mode="after")
    def _distinct_ids(self) -> Self:
        seen: dict[str, int] = {}
        for index, task in enumerate(self.tasks):
            if task.id is not None and seen.setdefault(task.id, index) != index:
                raise InvalidInput(
                    f"tasks[{index}].id is that of tasks[{seen[task.id]}] already", f"tasks[{index}].id"
                )
        return self


class RunRequest(Sent):
    """A run to start."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"params": {"url": "https://example.org"}}]})

    params: dict[str, Any] = Field(
        {}, max_length=MAX_ARGUMENTS, description="What the graph's parameters are in this run."
    )
    id: Id | None = Field(
        None,
        description="A ULID of your own. Starting it again changes nothing, so the call can safely be repeated.",
    )


class Repetition(Sent):
    """From where a run is repeated."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from_node": "load"}]})

    from_node: str | None = Field(
        None,
        max_length=200,
        description="The name of a node that is to run again with all behind it, though it has succeeded.",
    )


class Cancellation(Sent):
    """Why a task is cancelled."""

    reason: Reason = "cancelled by an operator"


class Edit(Sent):
    """Other arguments. What is not given stays: `kwargs` alone replace all that were given by name, and leave the
    positional ones as they were, but for those that they name; `args` alone replace the positional ones."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kwargs": {"image": "cat.png", "width": 640}}]}
    )

    args: Arguments | None = None
    kwargs: Keywords | None = None

    @property
    def given(self) -> bool:
        """Whether there are other arguments."""
        return self.args is not None or self.kwargs is not None


class Selection(Sent):
    """Dead letters: by their ids; or those of a type, of a queue, or of both; or all."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"type": "resize", "queue": "mail"}]})

    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_BATCH)] | None = None
    type: str | None = Field(None, max_length=200, description="Those of this task type.")
    queue: str | None = Field(None, max_length=200, description="Those of this queue.")
    all: bool = Field(False, strict=True, description="All there are: must be said.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        filtered = self.type is not None or self.queue is not None
        if [self.ids is not None, filtered, self.all].count(True) != 1:
            raise InvalidInput("say which dead letters: 'ids', or 'type' and 'queue', or 'all': true", "ids")
        return self


class RequeueSelection(Selection, Edit):
    """Dead letters to give a new life; a single one by its id may get other arguments."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"type": "resize", "limit": 100}]})

    limit: Annotated[int, Field(strict=True, ge=1, le=100_000)] = Field(
        1_000, description="How many to requeue at most, of those that a type, a queue or `all` selects."
    )

    @model_validator(mode="after")
    def _one_edit(self) -> Self:
        if self.given and (self.ids is None or len(self.ids) != 1):
            raise InvalidInput("other arguments need exactly one id", "ids")
        return self
