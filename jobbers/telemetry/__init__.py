"""OpenTelemetry: listens to events and turns them into spans and metrics. The only importer of ``opentelemetry``.

``ports`` and ``histogram`` import nothing of it; the rest is imported by ``start`` only, when telemetry is on.
"""
