"""Correlation ids belong to a thread or a task, not to the process."""

from __future__ import annotations

import asyncio
import threading

from mqd_core.logging import LogContext, current_correlation_id


def test_threads_have_ids_of_their_own() -> None:
    """Two threads inside one and the same context object, and one outside, do not see each other's id."""
    shared = LogContext("shared")
    seen: list[str | None] = []
    inside = threading.Barrier(2)

    def work() -> None:
        seen.append(current_correlation_id())
        with shared:
            inside.wait(10)
            seen.append(current_correlation_id())
        seen.append(current_correlation_id())

    with LogContext("main"):
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert current_correlation_id() == "main"
    assert sorted(seen, key=str) == [None, None, None, None, "shared", "shared"]


def test_tasks_have_ids_of_their_own() -> None:
    """Two tasks that take turns keep their ids."""

    async def work(name: str, turns: list[str]) -> None:
        with LogContext(name):
            for _ in range(3):
                await asyncio.sleep(0)
                turns.append(str(current_correlation_id()))

    async def both() -> list[str]:
        turns: list[str] = []
        await asyncio.gather(work("a", turns), work("b", turns))
        return turns

    assert asyncio.run(both()) == ["a", "b", "a", "b", "a", "b"]
