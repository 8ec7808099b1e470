"""Switches that people turn in the console and other processes obey: simulated traffic."""

from __future__ import annotations

from typing import Final

from kefu.common.v1 import errors_pb2

from services.gateway.config import GatewayConfig
from services.gateway.identity.user import User
from services.gateway.runtime import Runtime
from services.kit.access import EVERY_SITE, Access
from services.kit.audit import Entry
from services.kit.db import Database, Transaction
from services.kit.errors import FailedPrecondition, PermissionDenied

SIMULATION: Final = "simulated_traffic"
MANAGE: Final = "simulation.manage"


class Switches:
    """Reads and turns switches. Simulated traffic exists in local, dev and test environments only."""

    def __init__(self, runtime: Runtime, config: GatewayConfig, access: Access) -> None:
        self._runtime = runtime
        self._environment = config.environment
        self._access = access
        self.simulation_allowed = config.local

    def read(self, site: str, name: str) -> bool:
        """Whether a switch is on; one that nobody turned is on for simulated traffic, which local stacks start with."""
        return self._runtime.run(read_switch, self._runtime.database, site, name)

    def set_simulation(self, *, turned_on: bool, actor: User) -> None:
        """Start or stop simulated traffic at all sites; FailedPrecondition SIMULATION_REFUSED in production."""
        if turned_on and not self.simulation_allowed:
            raise FailedPrecondition(errors_pb2.ERROR_REASON_SIMULATION_REFUSED, {"environment": self._environment})
        if not self._access.grants(actor.roles_at(EVERY_SITE), MANAGE):
            raise PermissionDenied(metadata={"permission": MANAGE})
        self._runtime.run(_turn, self._runtime.database, turned_on, actor.subject)


async def read_switch(database: Database, site: str, name: str) -> bool:
    """Whether a switch is on; for other processes too (the simulator asks by REST)."""
    found = await database.fetchval("SELECT turned_on FROM switches WHERE site = $1 AND name = $2", site, name)
    return name == SIMULATION if found is None else bool(found)


async def turn(tx: Transaction, site: str, name: str, *, turned_on: bool, actor: str) -> None:
    """Turn a switch, with its audit row."""
    await tx.execute(
        "INSERT INTO switches (site, name, turned_on, changed_by) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (site, name) DO UPDATE SET turned_on = excluded.turned_on,"
        " changed_by = excluded.changed_by, changed_at = now()",
        site,
        name,
        turned_on,
        actor,
    )
    tx.audit(Entry(site, actor, "switched_on" if turned_on else "switched_off", f"switches/{name}"))


async def _turn(database: Database, turned_on: bool, actor: str) -> None:
    async with database.transaction() as tx:
        await turn(tx, EVERY_SITE, SIMULATION, turned_on=turned_on, actor=actor)
