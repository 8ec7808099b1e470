"""Rows and what they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import asyncpg
import msgspec

from services.intake.domain.clock import Clock
from services.intake.domain.clock_board import Board
from services.intake.domain.conversation import COLUMNS, Conversation, Message
from services.intake.domain.values import AuthorKind, CallState, MessageKind, State

CONVERSATION: Final = ", ".join(f"c.{column}" for column in COLUMNS)
MESSAGE_COLUMNS: Final = Message._fields
MESSAGE: Final = ", ".join(f"m.{column}" for column in MESSAGE_COLUMNS)

_STATE: Final = COLUMNS.index("state")
_CLOCKS: Final = COLUMNS.index("clocks")
_CALL: Final = COLUMNS.index("call_state")
_REFUSED: Final = COLUMNS.index("refused")
_STATES: Final = {state.value: state for state in State}
_CALLS: Final = {state.value: state for state in CallState}
_read_clocks: Final = msgspec.json.Decoder(tuple[Clock, ...]).decode
_write_clocks: Final = msgspec.json.Encoder().encode


def conversation(record: Iterable[Any]) -> Conversation:
    """Build a conversation from a row that has `CONVERSATION` and nothing else."""
    values = list(record)
    values[_STATE] = _STATES[values[_STATE]]
    values[_CLOCKS] = board(values[_CLOCKS])
    values[_CALL] = _CALLS[values[_CALL]]
    values[_REFUSED] = tuple(values[_REFUSED])
    return Conversation(*values)


def board(clocks: str) -> Board:
    """Read the clocks of a row."""
    return () if clocks == "[]" else _read_clocks(clocks)


def clocks(of: Board) -> str:
    """Write clocks for a row."""
    return _write_clocks(of).decode() if of else "[]"


def message(record: asyncpg.Record) -> Message:
    """Build a message from a row that has `MESSAGE` and nothing else."""
    site, conversation_id, id_, author_kind, author, kind, text, created_at, external_id, attachment = record
    return Message(
        site,
        conversation_id,
        id_,
        AuthorKind(author_kind),
        author,
        MessageKind(kind),
        text,
        created_at,
        external_id,
        attachment,
    )
