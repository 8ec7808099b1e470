"""The formats that rosters are solved in, each with its reader, its problem and its documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.staffing.roster.cover import Array, Counts
from services.staffing.roster.days import document as day_documents
from services.staffing.roster.days import pricing as day_pricing
from services.staffing.roster.days import read as day_files
from services.staffing.roster.problem import Problem
from services.staffing.roster.quarters import document as quarter_documents
from services.staffing.roster.quarters import pricing as quarter_pricing
from services.staffing.roster.quarters import read as quarter_files
from services.staffing.roster.site import document as site_documents
from services.staffing.roster.site import pricing as site_pricing


@dataclass(frozen=True, slots=True)
class Format:
    """What differs from format to format; `read` gives the model that the others take."""

    read: Callable[[Path], Any]
    problem: Callable[[Any], Problem]
    encode: Callable[[Any, Sequence[tuple[int, Counts]]], dict[str, Any]]
    decode: Callable[[Any, Mapping[str, Any]], list[tuple[int, Counts]]]
    certificate: Callable[[Any, Array], dict[str, Any]]


FORMATS: Final[Mapping[str, Format]] = {
    "curtois": Format(
        day_files.read, day_pricing.problem, day_documents.encode, day_documents.decode, day_documents.certificate
    ),
    "multi-activity": Format(
        quarter_files.read,
        quarter_pricing.problem,
        quarter_documents.encode,
        quarter_documents.decode,
        quarter_documents.certificate,
    ),
    "site": Format(
        site_documents.read,
        site_pricing.problem,
        site_documents.encode,
        site_documents.decode,
        site_documents.certificate,
    ),
}


def build(name: str, path: Path) -> Problem:
    """The problem of a file, as a searcher's process builds it for itself."""
    known = FORMATS[name]
    return known.problem(known.read(path))
