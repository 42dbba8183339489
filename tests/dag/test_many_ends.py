"""What ends many tasks in one script: all of them are told of."""

from __future__ import annotations

from jobbers import Jobbers
from jobbers.core.status import Status
from jobbers.dag.graph import MAX_NODES


async def test_runs_of_many_nodes_are_cancelled_in_one_call(app: Jobbers) -> None:
    @app.task
    async def echo() -> None: ...

    wide = app.dag("wide")
    for _ in range(MAX_NODES):
        wide.node(echo)
    store = (await app.client()).store
    before = await store.feed.end()
    runs = [(await wide.submit()).id for _ in range(2)]
    inspector = await app.inspector()
    assert set((await inspector.cancel(runs)).values()) == {True}
    ended = (await store.feed.since(before)).ended
    assert len(set(ended)) == 2 * (MAX_NODES + 1)
    assert {status for _, status in ended} == {Status.CANCELLED}
    assert (await inspector.counts())["queued"] == 0
