"""A reviewer's form: the marks that a site gives, and what was filled in as the contract has it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kefu.policy.v1.profile_pb2 import SiteProfile
from kefu.qa.v1 import review_pb2 as pb
from werkzeug.datastructures import MultiDict

# What stands for "does not apply" in the form.
NOT_APPLICABLE: Final = "NA"
# Where a profile says nothing of marks, qa takes these too.
WORST, BEST = 1, 10
# As many places as a form takes.
_PLACES: Final = 200

Form = MultiDict[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the recording as it was filled in, for showing it again: `at` is seconds from the beginning."""

    at: str
    about: str
    note: str


def scale(profile: SiteProfile) -> range:
    """The site's marks, the worst first."""
    if not profile.review.HasField("scale"):
        return range(WORST, BEST + 1)
    return range(profile.review.scale.min, profile.review.scale.max + 1)


def answers(form: Form, criteria: Iterable[pb.Criterion]) -> Iterator[pb.Answer]:
    """An answer to each criterion that was marked; qa names those that are missing."""
    for criterion in criteria:
        mark = form.get(f"mark-{criterion.id}", "")
        comment = form.get(f"comment-{criterion.id}", "").strip()
        if mark == NOT_APPLICABLE:
            yield pb.Answer(criterion=criterion.id, comment=comment)
        elif mark.isascii() and mark.isdigit() and len(mark) < 5:
            yield pb.Answer(criterion=criterion.id, mark=int(mark), comment=comment)


def places(form: Form) -> list[Place]:
    """Evidence as it was filled in."""
    rows = zip(form.getlist("at"), form.getlist("about"), form.getlist("note"), strict=False)
    return [Place(*row) for row in rows][:_PLACES]


def evidence(form: Form) -> Iterator[pb.EvidenceMark]:
    """Evidence as the contract has it; -1, which it refuses, for what is no number of seconds."""
    for place in places(form):
        try:
            at = float(place.at)
        except ValueError:
            at = -1.0
        yield pb.EvidenceMark(
            at_seconds=at if math.isfinite(at) else -1.0, criterion=place.about, note=place.note.strip()
        )
