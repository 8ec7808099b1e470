"""What a service knows of a customer, for the customer: told once it has heard that two people granted the request.

Whoever keeps the request publishes `ExportGranted`; the service notes the ids. From then on `SubjectService` reads them
out, anew at each call: nothing that is told is stored. docs/decisions/0518.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from kefu.common.v1 import subject_service_pb2 as api
from kefu.common.v1 import subject_service_pb2_grpc as api_grpc
from kefu.events.v1.event_pb2 import Event

from services.kit.db import Database, Reading, Transaction
from services.kit.errors import Unavailable
from services.kit.resource_names import ResourceName

REQUEST: Final = ResourceName("sites/{site}/dataRequests/{data_request}")
# What one message of the stream may carry, about; a single row or file may be more.
PART_BYTES: Final = 1024 * 1024

_NOTE: Final = """
INSERT INTO kefu_subject_exports (site, request, customers, granted_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
_GRANTED: Final = "SELECT customers FROM kefu_subject_exports WHERE site = $1 AND request = $2"

Rows = Sequence[Any]
"""Mappings of columns, records of a query among them."""
Sections = Callable[[Reading, str, Sequence[str]], AsyncIterator[tuple[str, Rows]]]
"""Reads (tx, site, customers) as sections of rows, one after another."""
NextFile = Callable[[str, Sequence[str], str], Awaitable["File | None"]]
"""Reads (site, customers, after): the first file, or piece of one, after a position; None after the last."""


@dataclass(frozen=True, slots=True)
class File:
    """A file by its name in the service, or a piece of it from `offset` on; they come in order of `position`."""

    name: str
    media_type: str
    content: bytes
    position: str
    offset: int = 0


_FIELDS: Final = ("name", "media_type", "content", "position", "offset")


async def note(event: Event, tx: Transaction) -> None:
    """Keep that an export was granted; other facts are none of its business."""
    if event.WhichOneof("fact") == "export_granted":
        granted = event.export_granted
        await tx.execute(_NOTE, event.site, granted.request, list(granted.customers), tx.now)


class SubjectServicer(api_grpc.SubjectServiceServicer):
    """kefu.common.v1.SubjectService over a service's own tables."""

    def __init__(self, database: Database, sections: Sections, next_file: NextFile) -> None:
        self._database = database
        self._sections = sections
        self._next_file = next_file

    async def ReadSubject(
        self, request: api.ReadSubjectRequest, context: Any
    ) -> AsyncIterator[api.ReadSubjectResponse]:
        """Sections, then files. No connection is held while the caller reads."""
        (site, _) = REQUEST.parse(request.name)
        async with self._database.reading(sites=[site]) as tx:
            customers = await tx.fetchval(_GRANTED, site, request.name)
            if customers is None:
                raise Unavailable(metadata={"name": request.name})
            sections = [] if request.files_only else [one async for one in self._sections(tx, site, customers)]
        for name, rows in sections:
            for part in _parts(rows):
                yield api.ReadSubjectResponse(section=api.SubjectSection(name=name, rows=part))
        after = request.after
        while (one := await self._next_file(site, customers, after)) is not None:
            after = one.position
            yield api.ReadSubjectResponse(file=api.SubjectFile(**{each: getattr(one, each) for each in _FIELDS}))


def to_json(value: object) -> str:
    """JSON as exports have it: indented, times in ISO 8601, bytes in base64."""
    return json.dumps(value, ensure_ascii=False, indent=1, default=_plain)


def _parts(rows: Rows) -> list[bytes]:
    """JSON arrays of about PART_BYTES each; one that is empty for no rows, so that the section shows."""
    parts: list[list[str]] = []
    part: list[str] = []
    size = 0
    for row in rows:
        text = to_json(dict(row))
        if part and size + len(text) > PART_BYTES:
            parts.append(part)
            part, size = [], 0
        part.append(text)
        size += len(text)
    return [f"[{','.join(texts)}]".encode() for texts in (*parts, part)]


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)  # UUID, Decimal
