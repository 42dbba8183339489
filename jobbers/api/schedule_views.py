"""What callers send and get to see of schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from jobbers.api.schemas import HUNDRED_YEARS, Arguments, Keywords, Sent, SomeSeconds, TypeText
from jobbers.api.task_views import View
from jobbers.api.values import to_json_list, to_json_object
from jobbers.api.windows import Next
from jobbers.core.names import check_name
from jobbers.core.schedule import MOST_CATCH_UP
from jobbers.errors import InvalidInput
from jobbers.schedules import ScheduleState


def _name(value: str) -> str:
    return check_name(value, "the name of a schedule")


class ScheduleRequest(Sent):
    """A schedule to create: what it starts, when, and what it does when things overlap or were missed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "nightly",
                    "type": "report",
                    "kwargs": {"day": "yesterday"},
                    "cron": "0 3 * * *",
                    "tz": "Europe/Berlin",
                }
            ]
        }
    )

    name: Annotated[str, AfterValidator(_name)] = Field(examples=["nightly"])
    type: TypeText | None = Field(None, description="The task type that it starts.")
    dag: str | None = Field(None, max_length=200, description="Or the graph that it starts.")
    args: Arguments = Field([])
    kwargs: Keywords = Field({})
    cron: str | None = Field(None, max_length=500, description="A cron line.", examples=["0 3 * * *"])
    tz: str | None = Field(None, max_length=100, description="The cron line's time zone; UTC by default.")
    every: SomeSeconds | None = Field(None, description="Or again every so many seconds, 0.1 or more.")
    overlap: Literal["skip", "queue", "cancel", "allow"] = Field(
        "skip", description="What a slot does while what the slot before started goes on."
    )
    missed: Literal["skip", "one", "all"] = Field("one", description="Which missed slots are made good for.")
    catch_up: Annotated[int, Field(strict=True, ge=1, le=MOST_CATCH_UP)] = 100
    jitter: Annotated[float, Field(ge=0, le=HUNDRED_YEARS, strict=True, allow_inf_nan=False)] = Field(
        0, description="Each slot starts up to so many seconds later."
    )
    replace: bool = Field(False, description="Change the schedule that has this name, if there is one.")

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.type is None) == (self.dag is None):
            raise InvalidInput(
                "a schedule starts a task type or a graph: give one of type and dag",
                "type" if self.type is None else "dag",
            )
        if self.dag is not None and self.args:
            raise InvalidInput("a graph takes its parameters by name: give them in kwargs", "args")
        return self

    def options(self) -> dict[str, Any]:
        """What :meth:`Schedules.create` takes."""
        names = {"cron", "tz", "every", "overlap", "missed", "catch_up", "jitter", "replace"}
        return self.model_dump(include=names)


class ScheduleView(View):
    """How a schedule stands."""

    name: str
    timing: str = Field(examples=["0 3 * * * (Europe/Berlin)"])
    kind: str = Field(description="`task` or `dag`.")
    target: str = Field(description="The task type or graph.")
    overlap: str
    missed: str
    jitter: float
    paused: bool
    next: datetime | None = Field(description="Its next slot; `null` when it is paused or has no more.")
    last: datetime | None = Field(description="The slot started last.")
    last_id: str | None = Field(description="The task or run that it started.")
    waiting: int = Field(description="How many slots wait for the end of what was started last.")
    started: int = Field(description="How many slots were started.")
    passed: int = Field(description="How many slots were passed over since the one before went on.")
    cron: str | None
    tz: str | None
    every: float | None = Field(description="Seconds.")
    catch_up: int
    args: list[Any] = Field(description="What each start is given.")
    kwargs: dict[str, Any]

    @classmethod
    def of(cls, state: ScheduleState) -> ScheduleView:
        """The view of a schedule."""
        own = {name: getattr(state, name) for name in cls.model_fields}
        return cls.model_validate(
            own | {"args": to_json_list(state.args), "kwargs": to_json_object(state.kwargs)}
        )


class ScheduleList(View):
    """Schedules, by name."""

    schedules: list[ScheduleView]
    cursor: Next = None


class ScheduleTimes(View):
    """The next slots of a schedule, in its time zone and without jitter."""

    name: str
    times: list[datetime]


class ScheduleChange(View):
    """What became of a schedule: `made`, `changed`, `same`, `paused`, `resumed` or `deleted`."""

    name: str
    became: str


class ScheduleRun(View):
    """What was started."""

    id: str = Field(description="Of the task or run.", examples=["01JGZ3Y9W5V8Q2M4T6R8K0N1PD"])
