"""Built-in features around executions, one file each, innermost first."""

from __future__ import annotations

from jobbers.middleware import Middleware
from jobbers.worker.middleware.timeout import Timeout

BUILT_IN: tuple[Middleware, ...] = (Timeout(),)
