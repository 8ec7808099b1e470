"""Wallboard and service-level report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from kefu.intake.v1 import conversation_pb2, site_service_pb2

from services.gateway.console import views
from services.gateway.console.present.conversations import at, conversation_id

_PRESENCES: Final = ("AVAILABLE", "BUSY", "BREAK", "AWAY", "OFF_POST", "OFFLINE")


def level(figure: site_service_pb2.ServiceLevel) -> views.ServiceLevel:
    """Promises of a period; no ratio when nothing came due."""
    due = figure.met + figure.breached
    return views.ServiceLevel(figure.met, figure.breached, figure.ratio if due else None)


def wallboard(board: site_service_pb2.Wallboard, site: views.Site, *, href: Callable[[str], str]) -> views.Wallboard:
    """A site at this moment; people at their desk first, the busiest first among them."""
    now = at(board.time)
    names = {person.person: person.display_name for person in board.people}
    people = [
        views.Colleague(
            id=person.person,
            name=person.display_name,
            presence=person.presence,
            load=person.load,
            capacity=person.capacity,
            occupancy=person.occupancy_ratio,
        )
        for person in board.people
    ]
    people.sort(key=lambda person: (_PRESENCES.index(person.presence), -person.load))
    order = {queue.value: place for place, queue in enumerate(site.queues)}
    return views.Wallboard(
        time=now,
        queues=[
            views.Queue(
                id=queue.queue,
                label=site.queue_label(queue.queue),
                waiting=queue.waiting,
                serving=queue.serving,
                oldest=now - timedelta(seconds=queue.oldest_wait_seconds) if queue.waiting else None,
                target_seconds=queue.first_response_target_seconds,
                recent=level(queue.recent),
                today=level(queue.today),
            )
            for queue in sorted(board.queues, key=lambda queue: order.get(queue.queue, len(order)))
        ],
        people=people,
        customers_online=board.customers_online,
        surge=board.surge,
        breaches=[
            views.Breach(
                conversation=conversation_id(breach.conversation),
                href=href(conversation_id(breach.conversation)),
                kind=conversation_pb2.Clock.Kind.Name(breach.clock).removeprefix("KIND_"),
                time=at(breach.time),
                queue=breach.queue,
                person=names.get(breach.person, breach.person),
            )
            for breach in board.breaches
        ],
    )


def report_line(line: site_service_pb2.ReportLine, labels: Mapping[str, str], fallback: str) -> views.ReportLine:
    """One line of the report."""
    return views.ReportLine(
        key=line.key,
        label=labels.get(line.key, line.key) or fallback,
        offered=line.offered,
        answered=line.answered,
        abandoned=line.abandoned,
        mean_seconds=line.first_response_mean_seconds,
        median_seconds=line.first_response_median_seconds,
        p90_seconds=line.first_response_p90_seconds,
        first_response=level(line.first_response),
        breaches=line.breaches,
        transfers=line.transfers,
        rating=line.rating_mean if line.ratings else None,
    )
