"""JSON logs, one line a record: time, level, message, service, trace, span and site of the current call, and extras.

A record never carries personal data: log ids and states as `extra`, and a protobuf message only through `redacted()`
(services.kit.telemetry.redact). There is no line per call at INFO; errors and slow calls have one.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import msgspec
from google.protobuf.message import Message

from services.kit import call as calls
from services.kit.telemetry.redact import redacted

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "service": self._service,
        }
        call = calls.maybe()
        if call is not None:
            line["trace_id"] = call.trace.trace_id
            line["span_id"] = call.trace.span_id
            line["site"] = call.site
        for key, value in vars(record).items():
            if key not in _STANDARD:
                line[key] = redacted(value) if isinstance(value, Message) else value
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _encode(line).decode()


def configure(service: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every logger's records to `stream` (stderr) as JSON; called once, by the program's entry."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
