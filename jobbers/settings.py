"""Settings: frozen, validated once, and the only reader of the environment (variables ``JOBBERS_…``)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobbers.core.durability import Durability
from jobbers.core.fault_points import parse_fault_points
from jobbers.core.granularity import parse_overrides
from jobbers.errors import ConfigError, InvalidInput
from jobbers.store.url import redact
from jobbers.telemetry.ports import Configuration

DAY = 86_400.0


def _fault_points(text: str) -> str:
    try:
        parse_fault_points(text)
    except ConfigError as error:
        raise ValueError(error) from None
    return text


def _trace_url(text: str) -> str:
    if text and not (text.startswith(("https://", "http://")) and "{trace_id}" in text):
        raise ValueError("must begin with https:// or http:// and hold {trace_id}")
    return text


def _telemetry_types(text: str) -> str:
    try:
        parse_overrides(text)
    except InvalidInput as error:
        raise ValueError(error) from None
    return text


def _listen(text: str) -> str:
    if text and (_LISTEN.fullmatch(text) is None or int(text.rpartition(":")[2]) > 65535):
        raise ValueError("must be a port such as '9464', or an address and a port such as '0.0.0.0:9464'")
    return text


_LISTEN = re.compile(r"(?:(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):)?[0-9]{1,5}")


class Settings(BaseSettings):
    """What an app is set to. Each field can be given to :class:`jobbers.Jobbers` or as ``JOBBERS_<FIELD>``; durations
    are in seconds and sizes in bytes."""

    model_config = SettingsConfigDict(
        env_prefix="JOBBERS_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    redis_url: Annotated[str, Field(description="server URL, or 'embedded'", repr=False)] = "embedded"
    app: Annotated[str, Field(description="application of the command line, as module:attribute")] = ""
    namespace: Annotated[str, Field(description="prefix of all keys")] = "jobbers"
    shards: Annotated[
        int, Field(description="hash slots to spread over; fixed once written", ge=1, le=1024)
    ] = 1
    durability: Annotated[
        Durability,
        Field(description="what is accepted survives: 'replicated' waits for a replica"),
    ] = "everysec"
    patience: Annotated[float, Field(description="how long an unreachable server is tried", ge=0)] = 10.0
    max_payload: Annotated[int, Field(description="largest encoded arguments or inline result", ge=1024)] = (
        1024 * 1024
    )
    retention: Annotated[float, Field(description="how long succeeded and cancelled tasks stay", gt=0)] = (
        3600.0
    )
    failed_retention: Annotated[float, Field(description="how long dead letters stay", gt=0)] = 14 * DAY
    offload_above: Annotated[int, Field(description="results above this go to the blob store", ge=64)] = (
        64 * 1024
    )
    max_result: Annotated[int, Field(description="largest encoded result of all", ge=1024)] = (
        256 * 1024 * 1024
    )
    blob_dir: Annotated[Path, Field(description="folder of offloaded results")] = Path(".jobbers/blobs")
    lease: Annotated[float, Field(description="how long a silent worker keeps its tasks", ge=0.5)] = 10.0
    crash_budget: Annotated[
        int, Field(description="how many workers a task may lose before it is poison", ge=0)
    ] = 3
    retry_budget: Annotated[
        float,
        Field(description="share of first attempts that retries may be, as 0.2; 0 is no limit", ge=0, le=10),
    ] = 0.0
    retry_budget_least: Annotated[
        float, Field(description="retries a second that a budget always allows", ge=0.01, le=100_000)
    ] = 10.0
    grace: Annotated[float, Field(description="time to finish at shutdown", ge=0)] = 20.0
    max_block: Annotated[float, Field(description="how long a blocked event loop keeps its leases", gt=0)] = (
        60.0
    )
    block_warning: Annotated[
        float, Field(description="how long tasks may block the event loop before that is told", ge=0.05)
    ] = 1.0
    heartbeat_interval: Annotated[
        float, Field(description="how often heartbeats are sent together", gt=0)
    ] = 1.0
    poll_interval: Annotated[float, Field(description="how often an idle worker looks by itself", ge=0.1)] = (
        2.0
    )

    keep_logs: Annotated[
        str,
        Field(description="task types whose log lines are kept with the task, as 'send,resize', or 'all'"),
    ] = ""
    log_format: Annotated[
        Literal["text", "json"],
        Field(description="lines of the log of commands: for people, or for programs"),
    ] = "text"
    auth: Annotated[
        Literal["auto", "keys", "off"],
        Field(description="who the API answers: 'auto' asks for a key as soon as there is one"),
    ] = "auto"
    api_rate: Annotated[
        float,
        Field(description="calls a second of a caller that has no rate of its own; 0 is no limit", ge=0),
    ] = 0.0
    audit_entries: Annotated[int, Field(description="how many entries the audit log keeps", ge=100)] = 10_000
    oidc_issuer: Annotated[str, Field(description="issuer of bearer tokens that the API takes")] = ""
    oidc_audience: Annotated[str, Field(description="the audience that such a token must name")] = ""
    oidc_jwks_url: Annotated[str, Field(description="the issuer's keys; by default it is asked where")] = ""
    oidc_claim: Annotated[str, Field(description="claim that says what its holder may do")] = "scope"
    oidc_scopes: Annotated[
        dict[str, Literal["read", "submit", "operate", "admin"]],
        Field(description="value of that claim, to scope; by default jobbers:read and so on"),
    ] = {
        "jobbers:read": "read",
        "jobbers:submit": "submit",
        "jobbers:operate": "operate",
        "jobbers:admin": "admin",
    }
    telemetry: Annotated[
        Literal["auto", "on", "off"],
        Field(description="OpenTelemetry; 'auto' is on when an OTLP endpoint is set"),
    ] = "auto"
    telemetry_types: Annotated[
        str,
        AfterValidator(_telemetry_types),
        Field(
            description="how much telemetry types make, as 'mail.*=always, import*=0.01'; before their own"
        ),
    ] = ""
    metrics_listen: Annotated[
        str,
        AfterValidator(_listen),
        Field(description="where a worker answers Prometheus, as '9464' (loopback only) or '0.0.0.0:9464'"),
    ] = ""
    trace_url: Annotated[
        str,
        AfterValidator(_trace_url),
        Field(description="where the admin page finds a trace, with {trace_id} in its place"),
    ] = ""
    fault_points: Annotated[
        str, AfterValidator(_fault_points), Field(description="what goes wrong in workers, to try recovery")
    ] = ""

    @property
    def retention_ms(self) -> int:
        """``retention`` in ms."""
        return int(self.retention * 1000)

    @property
    def failed_retention_ms(self) -> int:
        """``failed_retention`` in ms."""
        return int(self.failed_retention * 1000)

    @property
    def lease_ms(self) -> int:
        """``lease`` in ms."""
        return int(self.lease * 1000)


def load_settings(given: Mapping[str, Any]) -> Settings:
    """Settings from what is given (``None`` counts as not given) and the environment.

    Raises :class:`ConfigError` naming the first setting that is wrong.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"setting {name!r} (JOBBERS_{name.upper()}): {first['msg']}") from None


OTLP_ENDPOINTS = tuple(
    f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_", "LOGS_")
)


def telemetry_of(settings: Settings) -> Configuration | None:
    """How telemetry is to run by the settings and OpenTelemetry's own variables; ``None`` when it is off.

    Raises :class:`ConfigError` for an interval that is no number.
    """
    environment = os.environ
    on = settings.telemetry == "on" or any(environment.get(name) for name in OTLP_ENDPOINTS)
    if settings.telemetry == "off" or not on or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    interval = environment.get("OTEL_METRIC_EXPORT_INTERVAL") or "60000"
    if not interval.isdigit() or int(interval) == 0:
        raise ConfigError(f"OTEL_METRIC_EXPORT_INTERVAL must be a whole number of ms, got {interval[:50]!r}")
    protocol = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    logs = environment.get("OTEL_LOGS_EXPORTER") != "none" and any(
        environment.get(OTLP_ENDPOINTS[place]) for place in (0, 3)
    )
    return Configuration(settings.namespace, protocol, int(interval) / 1000, logs)


def displayed(settings: Settings) -> dict[str, str]:
    """All settings as text, without secrets."""
    values = {name: str(getattr(settings, name)) for name in type(settings).model_fields}
    return values | {"redis_url": redact(settings.redis_url)}
