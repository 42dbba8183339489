"""What the rest of Jobbers sees of telemetry; imports nothing of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from jobbers.core.events import Dispatcher
from jobbers.core.granularity import Granularity
from jobbers.telemetry.counting import Counting
from jobbers.telemetry.metrics import Metrics


class Sending(Protocol):
    """One call that submits tasks."""

    @property
    def headers(self) -> Mapping[str, str] | None:
        """The headers that its tasks get."""
        ...

    def sent(self, task_id: str | None) -> None:
        """The server has it; the id if it is one task."""
        ...

    def failed(self, error: BaseException) -> None:
        """It was not sent, or nobody knows."""
        ...


class Outbound(Protocol):
    """Puts submissions into traces. Never raises."""

    def begin(
        self, type: str, queue: str, granularity: Granularity, headers: Mapping[str, str] | None, count: int
    ) -> Sending:
        """A call begins that submits ``count`` tasks of a type; ``headers`` are those that the caller gave."""
        ...

    def run_headers(self, name: str, run_id: str, tasks: int) -> Mapping[str, str]:
        """The headers of all tasks of a run that is about to be submitted."""
        ...


class Receiving(Protocol):
    """One request of the API, while it is answered."""

    def answered(self, scheme: str, route: str, status: int, seconds: float) -> tuple[int, int] | None:
        """It was; ``route`` is a template, or empty, and the status 0 where nothing was sent. Returns its span if that is
        recorded."""
        ...

    def leave(self) -> None:
        """Its code ends here, in the context where it began."""
        ...


class Inbound(Protocol):
    """Puts requests into traces. Never raises."""

    def begin(self, method: str, route: str, headers: Mapping[str, str]) -> Receiving | None:
        """A request comes; its route is empty where that is not known yet, ``headers`` are those of its trace."""
        ...

    def passed_on(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of what the caller's code submits for a request that brought these: those of the span it runs in."""
        ...


class Telemetry(Protocol):
    """Telemetry that runs, for all apps of this process."""

    @property
    def outbound(self) -> Outbound | None:
        """What submissions go through, if there are traces."""
        ...

    @property
    def inbound(self) -> Inbound | None:
        """What requests go through, if there are traces."""
        ...

    @property
    def metrics(self) -> Metrics:
        """The metrics of this process."""
        ...

    def send_logs(self) -> None:
        """Send lines of the log from now on, if there is a receiver for them and logging was set up."""
        ...

    def flush(self, seconds: float) -> None:
        """Send what is there, for so long at most. From any thread; blocks."""
        ...


@dataclass(frozen=True, slots=True)
class Configuration:
    """How to run telemetry. ``service`` names it when the environment does not; the interval is in seconds. ``logs``: there
    is a receiver for lines of the log, too."""

    service: str
    protocol: str
    interval: float
    logs: bool = False


def count(events: Dispatcher) -> Telemetry:
    """Only count, for whoever asks; imports nothing of OpenTelemetry."""
    return Counting(events)


def start(
    configuration: Configuration, events: Dispatcher, granularity_of: Callable[[str], Granularity]
) -> Telemetry:
    """Begin to listen; imports OpenTelemetry, which takes some hundred milliseconds. Raises :class:`ConfigError`."""
    from jobbers.telemetry.pipeline import shared

    return shared(configuration).listen(configuration, events, granularity_of)
