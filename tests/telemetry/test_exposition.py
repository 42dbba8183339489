"""Metrics as Prometheus asks for them, from workers and from the API, with exemplars that lead to spans that were sent."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import httpx2
import pytest
from pydantic import ValidationError

from jobbers import Jobbers
from jobbers.api import create_app
from jobbers.core.events import AttemptEnded, AttemptStarted, Dispatcher, Outcome, WorkerPulse
from jobbers.errors import ConfigError
from jobbers.settings import Settings
from jobbers.telemetry import names
from jobbers.telemetry.exposition import OPENMETRICS, TEXT, exposition, wants_openmetrics
from jobbers.telemetry.metrics import Metrics
from jobbers.telemetry.ports import count
from jobbers.testing import Receiver
from tests.scenarios.harness import until
from tests.telemetry.rig import Rig

LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
NUMBER = r"[-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|Inf)"
SAMPLE = re.compile(
    rf"([a-zA-Z_:][\w:]*)(\{{{LABEL}(?:,{LABEL})*\}})? ({NUMBER})(?: # (\{{.*\}}) ({NUMBER}) ({NUMBER}))?"
)
SUFFIXES = {"counter": {"_total"}, "histogram": {"_bucket", "_sum", "_count"}, "gauge": {""}}
SLEEPY = "import asyncio; from tests.telemetry.program import quick; asyncio.run(quick.submit('x'))"


def samples(text: str, *, openmetrics: bool) -> Iterator[tuple[str, str, float, str]]:
    """Name, labels, value and exemplar of each sample. Fails for what the format does not allow."""
    lines = text.splitlines()
    assert text.endswith("\n")
    assert (lines[-1] == "# EOF") is openmetrics
    kinds: dict[str, str] = {}
    for line in lines[:-1] if openmetrics else lines:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds, "a metric comes in one piece"
            kinds[name] = kind
        elif line.startswith("# UNIT "):
            assert line.split(" ")[2].endswith("_" + line.split(" ")[3])
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            name, labels, value, exemplar, exemplary, _ = match.groups()
            family, kind = list(kinds.items())[-1]
            if not openmetrics and kind == "counter":
                assert name == family
            else:
                assert name.removeprefix(family) in SUFFIXES[kind], line
            if exemplar:
                assert openmetrics
                assert name.endswith("_bucket")
                upper = re.search(r'le="([^"]+)"', labels or "")
                assert upper is not None
                assert float(exemplary) <= float(upper[1])
            yield name, labels or "", float(value), exemplar or ""


def counted() -> Metrics:
    metrics = Metrics()
    metrics.started(AttemptStarted("t", 'a"b\n', "q", 5, 1, 0, 0, 1, "w", {}))
    for seconds, where in ((0.003, (1, 2)), (0.2, None), (9000.0, None)):
        metrics.ended(AttemptEnded("t", 'a"b\n', "q", 1, "w", Outcome.SUCCEEDED, seconds, None), where)
    metrics.pulse(WorkerPulse("w", 1, 2, 0.0, 1.5, 1000))
    return metrics


@pytest.mark.parametrize("openmetrics", [False, True])
def test_the_text_is_as_the_formats_want_it(openmetrics: bool) -> None:
    text = exposition(counted().families(), openmetrics=openmetrics) + "# EOF\n" * openmetrics
    found = {
        (name, labels): (value, exemplar)
        for name, labels, value, exemplar in samples(text, openmetrics=openmetrics)
    }
    of = 'messaging_operation_name="process",messaging_destination_name="q",jobbers_task_type="a\\"b\\n"'
    of += ',jobbers_task_outcome="succeeded"'
    run = "messaging_process_duration_seconds"
    exemplar = f'{{trace_id="{1:032x}",span_id="{2:016x}"}}' if openmetrics else ""
    assert found[f"{run}_bucket", f'{{{of},le="0.005"}}'] == (1, exemplar)
    assert found[f"{run}_bucket", f'{{{of},le="0.0025"}}'] == (0, "")
    assert found[f"{run}_bucket", f'{{{of},le="0.25"}}'] == (2, "")
    assert found[f"{run}_bucket", f'{{{of},le="+Inf"}}'] == (3, "")
    assert found[f"{run}_count", f"{{{of}}}"] == (3, "")
    assert found[f"{run}_sum", f"{{{of}}}"][0] == pytest.approx(9000.203)
    assert found["process_cpu_time_seconds_total", '{jobbers_worker_id="w"}'] == (1.5, "")
    assert found["process_memory_usage_bytes", '{jobbers_worker_id="w"}'] == (1000, "")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", True),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;q=nonsense", False),
        (",;;,=", False),
    ],
)
def test_what_is_asked_for(accept: str, wanted: bool) -> None:
    assert wants_openmetrics(accept) is wanted


@pytest.mark.parametrize("value", ["x", "0.0.0.0", "70000", "host:", "a b:1", "[::1]", ":9464", "٣"])
def test_where_to_listen_is_checked(value: str) -> None:
    with pytest.raises((ConfigError, ValidationError), match="9464"):
        Jobbers(metrics_listen=value)
    assert Settings(metrics_listen="[::1]:9464").metrics_listen


def asked(port: int, accept: str = "", path: str = "/metrics") -> tuple[str, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["content-type"], answer.read().decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_worker_is_asked_and_its_exemplars_lead_to_spans_that_came() -> None:
    port = free_port()
    with Receiver() as receiver, Rig(receiver.environment()) as rig:
        worker = await rig.worker(JOBBERS_METRICS_LISTEN=str(port))
        rig.run("-c", SLEEPY)
        receiver.wait(lambda it: it.named("process mail"), "the attempt's span is here")
        kind, text = asked(port, "application/openmetrics-text;version=1.0.0")
        assert kind == OPENMETRICS
        found = list(samples(text, openmetrics=True))
        exemplars = {
            exemplar for name, *_, exemplar in found if name.startswith("messaging_process") and exemplar
        }
        (span,) = receiver.named("process mail")
        assert exemplars == {f'{{trace_id="{span.trace_id}",span_id="{span.span_id}"}}'}
        kind, text = asked(port)
        assert kind == TEXT
        assert any(name == "jobbers_tasks_finished_total" for name, *_ in samples(text, openmetrics=False))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            asked(port, path="/")
        worker.terminate()
        assert await worker.ended(20) == 0


async def test_without_otlp_it_counts_and_imports_nothing_and_a_taken_port_ends_nothing() -> None:
    port = free_port()
    with Rig({"JOBBERS_METRICS_LISTEN": str(port)}) as rig:
        await rig.worker()
        second = await rig.worker()
        assert "metrics cannot be asked for" in second.said()
        await until(lambda: "jobbers_worker_slots" in asked(port)[1], "the first one counts")
        await until(lambda: 'jobbers_script="' in asked(port)[1], "and calls scripts")
        code = (
            "import sys; from tests.telemetry.off import app;"
            "print(app.telemetry, 'opentelemetry.sdk.trace' in sys.modules)"
        )
        printed = rig.run("-c", code)
        assert "Counting" in printed
        assert printed.split()[-1] == "False"


async def test_the_api_adds_what_its_process_has_counted(app: Jobbers) -> None:
    @app.task
    async def work() -> None: ...

    app.telemetry = count(Dispatcher(lambda: 0.0))
    metrics = app.telemetry.metrics
    metrics.sent("mail", 0.003, None, (7, 8))
    metrics.pulse(WorkerPulse("w", 1, 2, 0.0, 1.5, 1000))
    transport = httpx2.ASGITransport(create_app(app))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        plain = await client.get("/api/v1/metrics")
        full = await client.get("/api/v1/metrics", headers={"accept": "application/openmetrics-text"})
    assert (plain.headers["content-type"], full.headers["content-type"]) == (TEXT, OPENMETRICS)
    list(samples(plain.text, openmetrics=False))
    exemplars = [exemplar for *_, exemplar in samples(full.text, openmetrics=True) if exemplar]
    assert exemplars == [f'{{trace_id="{7:032x}",span_id="{8:016x}"}}']
    assert "jobbers_queue_depth" in full.text
    gauge = names.WORKER_BUSY.replace(".", "_")
    assert f"# TYPE {gauge} " not in full.text, "what the server says of workers is enough"
