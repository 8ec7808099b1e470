"""Group commit: commands that wait at the same time share one transaction, and each gets its own answer after it.

No artificial delay: while one group is in the database, the next gathers. Commands with the same lane key never run
at the same time, so that an aggregate does not race itself; several lanes keep several groups in flight.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.kit.errors import DeadlineExceeded, ResourceExhausted, Unavailable

C = TypeVar("C")
R = TypeVar("R")

# With these the next attempt would fail too, or the group may be stored after all: the callers repeat with their ids.
_HOPELESS = (Unavailable, DeadlineExceeded, ResourceExhausted)

Run = Callable[[list[C]], Awaitable[Sequence[R | Exception]]]


@dataclass(slots=True, eq=False)
class _Waiting(Generic[C, R]):
    command: C
    answer: asyncio.Future[R]


class GroupCommit(Generic[C, R]):
    """Runs commands in groups.

    `run` takes the commands of one group, does them in one transaction of its own and returns one result or exception
    for each, in order. When it raises, nothing of the group is stored, and each command is run once more by itself, so
    that only the one at fault fails; while the database is away, all fail. `key` chooses the lane (the aggregate or its
    site). Commands of equal `unique` (the request id) never share a group: the second one finds what the first
    one stored. With `linger_seconds` a lane that is shared waits that long, once, for those just answered to come back
    beside those who wait: fuller groups cost each command less (docs/decisions/0117, 0119). A lone caller never waits.
    """

    def __init__(
        self,
        run: Run[C, R],
        *,
        key: Callable[[C], Hashable],
        unique: Callable[[C], Hashable | None] = lambda _: None,
        lanes: int = 2,
        group_size: int = 128,
        queue_size: int = 2_000,
        linger_seconds: float = 0.0,
    ) -> None:
        self._linger_seconds = linger_seconds
        self._run = run
        self._key = key
        self._unique = unique
        self._group_size = group_size
        self._queue_size = queue_size
        self._queues: list[deque[_Waiting[C, R]]] = [deque() for _ in range(lanes)]
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._waiting = 0

    async def submit(self, command: C) -> R:
        """Run the command with its neighbours and return its result.

        Raises what `run` returned or raised for it; ResourceExhausted at once when too many are waiting. A caller that
        gives up is forgotten if its group has not begun; otherwise the command completes unobserved.
        """
        if self._waiting >= self._queue_size:
            raise ResourceExhausted(retry_after=0.2)
        lane = hash(self._key(command)) % len(self._queues)
        # Not `_Waiting[C, R](…)`: typing would try to note the types in each of them, which takes 3 µs.
        waiting: _Waiting[C, R] = _Waiting(command, asyncio.get_running_loop().create_future())
        self._queues[lane].append(waiting)
        self._waiting += 1
        if lane not in self._busy:
            # an empty context: a group must not end at the deadline of the caller who happened to open it
            self._busy[lane] = asyncio.create_task(self._serve(lane), context=Context())
        return await waiting.answer

    async def close(self) -> None:
        """Wait until everything submitted is answered; for draining."""
        while self._busy:
            await asyncio.gather(*self._busy.values())

    async def _serve(self, lane: int) -> None:
        try:
            queue, expected = self._queues[lane], 1
            while queue:
                if self._linger_seconds and len(queue) < expected:
                    await asyncio.sleep(self._linger_seconds)
                if group := self._gather(queue):
                    await self._answer(group)
                    expected = len(queue) + len(group)
        finally:
            del self._busy[lane]

    def _gather(self, queue: deque[_Waiting[C, R]]) -> list[_Waiting[C, R]]:
        """Take the next group: nobody who gave up, no two commands of equal `unique`; those wait for the next group."""
        group: list[_Waiting[C, R]] = []
        later: list[_Waiting[C, R]] = []
        seen: set[Hashable] = set()
        while queue and len(group) < self._group_size:
            waiting = queue.popleft()
            if waiting.answer.done():
                self._waiting -= 1
            elif (unique := self._unique(waiting.command)) is not None and unique in seen:
                later.append(waiting)
            else:
                seen.add(unique)
                group.append(waiting)
        queue.extendleft(reversed(later))
        self._waiting -= len(group)
        return group

    async def _answer(self, group: list[_Waiting[C, R]]) -> None:
        results = await self._results([waiting.command for waiting in group])
        for waiting, result in zip(group, results, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(result, Exception):
                waiting.answer.set_exception(result)
            else:
                waiting.answer.set_result(result)

    async def _results(self, commands: list[C]) -> Sequence[R | Exception]:
        try:
            results = await self._run(commands)
            if len(results) != len(commands):
                raise RuntimeError(f"{len(commands)} commands gave {len(results)} results")  # noqa: TRY301
        except _HOPELESS as error:
            # one each: whoever raises an exception adds its own traceback and context to it
            return [copy.copy(error) for _ in commands]
        except Exception as error:
            if len(commands) == 1:
                return [error]
            return [(await self._results([command]))[0] for command in commands]
        return results
