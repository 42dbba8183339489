"""The HTTP API: the only package that knows FastAPI."""

from __future__ import annotations

from jobbers.api.app import create_app, page_router, router

__all__ = ["create_app", "page_router", "router"]
