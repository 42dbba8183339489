"""The HTTP API: the only package that knows FastAPI."""

from __future__ import annotations

from jobbers.api.app import create_app, page_router, router
from jobbers.api.callers import Caller
from jobbers.core.access import Scope

__all__ = ["Caller", "Scope", "create_app", "page_router", "router"]
