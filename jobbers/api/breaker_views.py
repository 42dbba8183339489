"""What callers send and get to see of breakers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jobbers.api.schemas import Sent
from jobbers.api.task_views import View
from jobbers.api.windows import Next


class TripRequest(Sent):
    """Which breaker to open, and for how long."""

    key: str | None = Field(None, description="The value of its key, if each has a breaker of its own.")
    open_for: Annotated[float, Field(strict=True, gt=0, le=366 * 86400)] | None = Field(
        None, description="Seconds; `null`: until it is reset."
    )


class ResetRequest(Sent):
    """Which breaker to close."""

    key: str | None = Field(None, description="The value of its key; `null`: of all its keys.")


class BreakerView(View):
    """How a breaker stands."""

    name: str = Field(examples=["send:host"])
    key: str | None = Field(description="The value of its key; `null` if it has none, or all are closed.")
    state: Literal["closed", "open", "half-open"]
    half_opens_in: float | None = Field(
        description="Seconds; `null` when it is not open, or stays so until it is reset."
    )
    ended: int = Field(description="How many attempts ended within its window.")
    failed: int = Field(description="How many of them failed.")
    waiting: int = Field(description="How many tasks stand in line.")
    failures: float = Field(description="The share of failed attempts that opens it.")
    of: int = Field(description="How many must have ended for that.")
    window: float = Field(description="Seconds for which an end counts.")
    open_for: float = Field(description="Seconds until it lets probes go.")
    probes: int = Field(description="How many tasks run at a time while it is half-open.")


class BreakerList(View):
    """Breakers, by name and key."""

    breakers: list[BreakerView]
    cursor: Next = None


class RetryBudgetView(View):
    """How the retry budget of the cluster stands."""

    share: float = Field(description="What share of first attempts retries may be; 0 is no limit.")
    least: float = Field(description="How many retries a second may be in any case.")
    attempts: int = Field(description="First attempts of the last minute, if there is a budget.")
    retries: int = Field(description="Retries within the share.")
    wait: float = Field(description="How many seconds longer the next retry over it waits.")


class BreakerReset(View):
    """Which breaker was closed."""

    name: str
    key: str | None
