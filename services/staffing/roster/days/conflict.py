"""Why nobody could work by a contract: the smallest set of its rules that contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from services.staffing.roster.days.rules import Contract

Rule = tuple[str, Callable[[Contract], Contract]]


def conflict(contract: Contract, days: int, possible: Callable[[Contract], bool]) -> list[str]:
    """Rules in words; without any one of them the others can be kept.

    A deletion filter (Chinneck & Dravnieks 1991): each rule in turn is left out for good where a contradiction remains.
    """
    kept = []
    for words, without in _rules(contract, days):
        lighter = without(contract)
        if possible(lighter):
            kept.append(words)
        else:
            contract = lighter
    return kept


def _rules(contract: Contract, days: int) -> Iterator[Rule]:
    yield f"{len(contract.off)} days off by name", lambda one: replace(one, off=frozenset())
    for shift, most in contract.most.items():
        yield f"at most {most} shifts {shift}", partial(_without, shift=shift)
    yield f"at most {contract.most_weekends} weekends", lambda one: replace(one, most_weekends=days)
    yield f"at least {contract.least_days_off} days off in a row", lambda one: replace(one, least_days_off=1)
    yield f"at least {contract.least_days_on} shifts in a row", lambda one: replace(one, least_days_on=1)
    yield f"at most {contract.most_days_on} shifts in a row", lambda one: replace(one, most_days_on=days)
    yield f"at most {contract.most_minutes} minutes", lambda one: replace(one, most_minutes=days * 24 * 60)
    yield f"at least {contract.least_minutes} minutes", lambda one: replace(one, least_minutes=0)


def _without(contract: Contract, shift: str) -> Contract:
    return replace(contract, most={name: limit for name, limit in contract.most.items() if name != shift})
