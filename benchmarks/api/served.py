"""What is served and worked on: ``jobbers api benchmarks.api.served:app``."""

from __future__ import annotations

from jobbers import Jobbers


def register(app: Jobbers) -> None:
    """Give an app its task types."""

    @app.task
    async def noop(number: int = 0) -> None:
        """Do nothing."""

    @app.task(queue="other")
    async def fail(text: str) -> None:
        """Fail, so that there is something to see."""
        raise ValueError(text)


app = Jobbers()
register(app)
