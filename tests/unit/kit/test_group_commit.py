"""Group commit without a database: what is grouped, who is answered what."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from services.kit.call import Call, bind, maybe
from services.kit.deadline import Deadline
from services.kit.errors import FailedPrecondition, ResourceExhausted, Unavailable
from services.kit.group_commit import GroupCommit
from services.kit.testing.polling import eventually


class Store:
    """Answers each number with its double; keeps the groups; can be held up; 13 breaks a whole group."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running: Counter[int] = Counter()

    async def run(self, commands: list[int]) -> Sequence[int | Exception]:
        self.groups.append(commands)
        for command in commands:
            self.running[command] += 1
            assert self.running[command] == 1, "the same key ran twice at once"
        try:
            await self.gate.wait()
            if 13 in commands:
                raise ValueError("constraint")
            return [FailedPrecondition() if command < 0 else command * 2 for command in commands]
        finally:
            for command in commands:
                self.running[command] -= 1


def group_commit(store: Store, *, group_size: int = 128, queue_size: int = 2_000) -> GroupCommit[int, int]:
    return GroupCommit(store.run, key=lambda _: "one lane", group_size=group_size, queue_size=queue_size)


async def test_what_waits_shares_one_group() -> None:
    store = Store()
    group = group_commit(store)
    store.gate.clear()
    tasks = [asyncio.create_task(group.submit(number)) for number in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    more = [asyncio.create_task(group.submit(number)) for number in range(20, 25)]
    await asyncio.sleep(0)
    store.gate.set()
    assert await asyncio.gather(*tasks) == [number * 2 for number in range(10)]
    assert await asyncio.gather(*more) == [number * 2 for number in range(20, 25)]
    assert store.groups == [list(range(10)), list(range(20, 25))]


async def test_a_refused_command_does_not_fail_its_neighbours() -> None:
    group = group_commit(Store())
    answers = await asyncio.gather(group.submit(1), group.submit(-1), group.submit(2), return_exceptions=True)
    assert (answers[0], answers[2]) == (2, 4)
    assert isinstance(answers[1], FailedPrecondition)


async def test_a_broken_group_is_run_once_more_one_by_one() -> None:
    store = Store()
    group = group_commit(store)
    answers = await asyncio.gather(*(group.submit(number) for number in (1, 13, 2)), return_exceptions=True)
    assert list(answers[0::2]) == [2, 4]
    assert isinstance(answers[1], ValueError)
    assert store.groups == [[1, 13, 2], [1], [13], [2]]


async def test_an_absent_database_fails_all_at_once() -> None:
    groups: list[list[int]] = []

    async def run(commands: list[int]) -> Sequence[int | Exception]:
        groups.append(commands)
        raise Unavailable

    group: GroupCommit[int, int] = GroupCommit(run, key=lambda _: 1)
    answers = await asyncio.gather(*(group.submit(number) for number in range(5)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert groups == [list(range(5))]


async def test_who_gives_up_disturbs_nobody() -> None:
    store = Store()
    group = group_commit(store)
    store.gate.clear()
    first = asyncio.create_task(group.submit(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    quitter, patient = asyncio.create_task(group.submit(2)), asyncio.create_task(group.submit(3))
    await asyncio.sleep(0)
    quitter.cancel()
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    store.gate.set()
    assert await patient == 6
    assert store.groups == [[1], [3]]
    await group.close()


async def test_twins_never_share_a_group() -> None:
    store = Store()
    group: GroupCommit[int, int] = GroupCommit(store.run, key=lambda _: 1, unique=lambda command: command % 10)
    await asyncio.gather(*(group.submit(number) for number in (1, 11, 2, 21)))
    assert store.groups == [[1, 2], [11], [21]]


async def test_the_same_key_never_runs_twice_at_once_and_lanes_run_beside_each_other() -> None:
    store = Store()
    group: GroupCommit[int, int] = GroupCommit(
        store.run, key=lambda command: command, unique=lambda command: command, lanes=4
    )
    store.gate.clear()
    tasks = [asyncio.create_task(group.submit(number % 8)) for number in range(64)]
    await eventually(lambda: len(store.groups) == 4)
    store.gate.set()
    assert sorted(await asyncio.gather(*tasks)) == sorted((number % 8) * 2 for number in range(64))


async def test_a_full_queue_refuses_at_once() -> None:
    store = Store()
    group = group_commit(store, queue_size=3)
    store.gate.clear()
    first = asyncio.create_task(group.submit(0))
    await eventually(lambda: store.groups)
    waiting = [asyncio.create_task(group.submit(number)) for number in range(1, 4)]
    await asyncio.sleep(0)
    with pytest.raises(ResourceExhausted):
        await group.submit(4)
    store.gate.set()
    assert await asyncio.gather(first, *waiting) == [0, 2, 4, 6]


async def test_groups_are_bounded() -> None:
    store = Store()
    group = group_commit(store, group_size=4)
    await asyncio.gather(*(group.submit(number) for number in range(10)))
    assert [len(one) for one in store.groups] == [4, 4, 2]


async def test_a_group_has_nobodys_deadline() -> None:
    seen: list[Call | None] = []

    async def run(commands: list[int]) -> Sequence[int | Exception]:
        seen.append(maybe())
        return commands

    group: GroupCommit[int, int] = GroupCommit(run, key=lambda _: 1)
    with bind(Call("m", deadline=Deadline(0.01))):
        assert await group.submit(1) == 1
    assert seen == [None]


async def test_a_wrong_number_of_results_is_an_error_for_all() -> None:
    async def run(commands: list[int]) -> Sequence[int | Exception]:
        return []

    group: GroupCommit[int, int] = GroupCommit(run, key=lambda _: 1)
    answers = await asyncio.gather(group.submit(1), group.submit(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [RuntimeError, RuntimeError]


async def test_each_caller_gets_an_exception_of_its_own() -> None:
    async def away(commands: list[int]) -> Sequence[int]:
        raise Unavailable(metadata={"what": "database"})

    group = GroupCommit[int, int](away, key=lambda _: "one lane")
    raised = await asyncio.gather(group.submit(1), group.submit(2), return_exceptions=True)
    assert [str(error) for error in raised] == [str(Unavailable(metadata={"what": "database"}))] * 2
    assert raised[0] is not raised[1]
