"""PostgreSQL: a pool that keeps prepared statements, transactions with events and audit in them, typed errors."""

from services.kit.db.database import Database
from services.kit.db.faults import translated
from services.kit.db.hints import Hints
from services.kit.db.pool import Connection, Pool
from services.kit.db.transaction import Reading, Transaction

__all__ = ["Connection", "Database", "Hints", "Pool", "Reading", "Transaction", "translated"]
