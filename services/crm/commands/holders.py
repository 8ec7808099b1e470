"""What other services know of a customer, asked from each with the token of whoever fetches the export."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kefu.common.v1 import subject_service_pb2 as api

HOLDERS: Final = ("intake", "qa")
CONTRACT: Final = "kefu.common.v1.SubjectService"
# What one page of files holds, about: a piece has at most 2 MiB, and a caller takes 16.
PAGE_BYTES: Final = 8 * 1024 * 1024


@dataclass(slots=True)
class Page:
    """Rows by section by service, files, and (service, position) of the last file when there may be more."""

    sections: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    files: list[api.SubjectFile] = field(default_factory=list)
    more: tuple[str, str] | None = None

    def add(self, service: str, part: api.ReadSubjectResponse) -> None:
        """Take one part in."""
        if part.WhichOneof("part") == "section":
            self.sections.setdefault(service, {}).setdefault(part.section.name, []).extend(
                json.loads(part.section.rows)
            )
            return
        self.files.append(part.file)
        if sum(len(one.content) for one in self.files) >= PAGE_BYTES:
            self.more = (service, part.file.position)
        part.file.name = f"{service}/{part.file.name}"
        part.file.position = ""


class Holders:
    """Reads one service after the other, so that a page goes on where the last one ended.

    `stubs` are SubjectServiceStubs by service; their calls carry the token of the call being served.
    """

    def __init__(self, stubs: Mapping[str, Any]) -> None:
        self._stubs = stubs

    async def read(self, request: str, after: Sequence[str] | None) -> Page:
        """Everything but the files that do not fit; only further files `after` (service, position).

        Raises Unavailable while a service has not heard that the request was granted, or is away.
        """
        page = Page()
        begun, position = after or ("", "")
        for service in sorted(self._stubs):
            if service < begun:
                continue
            asked = api.ReadSubjectRequest(
                name=request, files_only=after is not None, after=position if service == begun else ""
            )
            answers = self._stubs[service].ReadSubject(asked)
            async for part in answers:
                if page.more and part.WhichOneof("part") == "file":
                    answers.cancel()
                    break
                page.add(service, part)
        return page
