"""What callers get to see of why a task waits."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jobbers.api.task_views import View
from jobbers.api.values import to_json_object
from jobbers.core.status import Status
from jobbers.core.why_facts import Reason, Why


class ReasonView(View):
    """One thing that a task waits for."""

    code: str = Field(examples=["limit"])
    text: str = Field(examples=["limit send is full: 2 of 2 taken; it is 3rd of 7 in line"])
    facts: dict[str, Any] = Field(
        description="Its numbers and names, by code; times are ISO 8601, or ms since 1970."
    )
    task: str | None = Field(description="The task that it is about, if that is another: a node of the run.")

    @classmethod
    def of(cls, reason: Reason) -> ReasonView:
        """The view of a reason."""
        return cls(
            code=reason.code, text=reason.text, facts=to_json_object(dict(reason.facts)), task=reason.task
        )


class WhyView(View):
    """Why a task or a run does not run."""

    id: str
    type: str
    status: Status
    waits: bool = Field(description="False for one that runs or has ended.")
    primary: ReasonView
    others: list[ReasonView] = Field(description="What would hold it up next.")

    @classmethod
    def of(cls, why: Why) -> WhyView:
        """The view of what was found."""
        return cls(
            id=why.id,
            type=why.type,
            status=why.status,
            waits=why.waits,
            primary=ReasonView.of(why.primary),
            others=[ReasonView.of(reason) for reason in why.others],
        )
