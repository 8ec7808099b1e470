"""Subjects of events."""

from __future__ import annotations

import pytest
from kefu.events.v1.event_pb2 import Event

from services.kit.outbox import subject_of


def test_service_site_and_kind_make_the_subject() -> None:
    event = Event(source="intake", site="desk", aggregate="sites/desk/conversations/c")
    assert subject_of(event) == "kefu.intake.desk.conversations"
    assert subject_of(Event(source="crm", aggregate="customers/c")) == "kefu.crm.-.customers"


@pytest.mark.parametrize("site", ["a.b", "*", ">", "a b", "店"])
def test_what_cannot_be_in_a_subject_is_refused(site: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        subject_of(Event(source="intake", site=site, aggregate="sites/x/conversations/c"))
