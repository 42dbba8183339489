"""What callers send to change the policy of a task type live, and how that is shown."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from jobbers.api.schemas import Sent
from jobbers.core.live_policy import RETRY, Live, check


def _as(option: str) -> AfterValidator:
    """Refuses what the decorator refuses, in its words."""

    def checked(value: Any) -> Any:
        check({option: value})
        return value

    return AfterValidator(checked)


_Whole = Annotated[int | None, Field(strict=True)]
_Number = Annotated[float | None, Field(strict=True)]


class LiveRetry(Sent):
    """How often and when a failed task runs again; durations in seconds."""

    attempts: Annotated[_Whole, _as("attempts")] = Field(
        None, description="Executions in all, the first included."
    )
    backoff: Annotated[Literal["fixed", "linear", "exponential"] | None, _as("backoff")] = None
    delay: Annotated[_Number, _as("delay")] = None
    cap: Annotated[_Number, _as("cap")] = Field(None, description="The longest wait.")
    jitter: Annotated[bool | None, Field(strict=True), _as("jitter")] = None


class LiveWanted(Sent):
    """Parts of the policy of a task type; what is not given is as its code says. Durations are in seconds, and `null` is no
    limit where the code knows such a thing: for `timeout`, `heartbeat`, `deadline` and `slow_after`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"timeout": 5, "retry": {"attempts": 1}}]})

    priority: Annotated[_Whole, _as("priority")] = Field(None, description="From 0 (last) to 9 (first).")
    timeout: Annotated[_Number, _as("timeout")] = Field(None, description="Of one execution.")
    heartbeat: Annotated[_Number, _as("heartbeat")] = Field(
        None, description="Longest silence between heartbeats."
    )
    deadline: Annotated[_Number, _as("deadline")] = Field(
        None, description="Longest wait from submission to start."
    )
    slow_after: Annotated[_Number, _as("slow_after")] = Field(
        None, description="When a running task counts as slow."
    )
    retention: Annotated[_Number, _as("retention")] = Field(
        None, description="How long records of tasks stay that succeeded or were cancelled."
    )
    failed_retention: Annotated[_Number, _as("failed_retention")] = Field(
        None, description="How long dead letters stay."
    )
    retry: LiveRetry = Field(default_factory=lambda: LiveRetry.model_validate({}))

    def flat(self) -> dict[str, Any]:
        """Only what was given, by the names that :meth:`LivePolicies.set` takes."""
        given = self.model_dump(exclude_unset=True)
        retry: dict[str, Any] = given.pop("retry", {})
        return given | retry


def nested(live: Live) -> dict[str, Any]:
    """Live options as they are sent and shown."""
    retry = {name: value for name, value in live.items() if name in RETRY}
    return {name: value for name, value in live.items() if name not in RETRY} | (
        {"retry": retry} if retry else {}
    )
