"""What pages show. Plain values: templates render them, `present` makes them from replies of services."""

from __future__ import annotations

from services.gateway.console.views.conversations import (
    Attachment,
    Chat,
    Clock,
    Conversation,
    Desk,
    Entry,
    Message,
    Row,
)
from services.gateway.console.views.figures import Breach, Colleague, Point, Queue, ReportLine, ServiceLevel, Wallboard
from services.gateway.console.views.frame import Frame, NavItem, Option, Site
from services.gateway.console.views.people import Delivery, Person, ServiceAccount, Webhook

__all__ = [
    "Attachment",
    "Breach",
    "Chat",
    "Clock",
    "Colleague",
    "Conversation",
    "Delivery",
    "Desk",
    "Entry",
    "Frame",
    "Message",
    "NavItem",
    "Option",
    "Person",
    "Point",
    "Queue",
    "ReportLine",
    "Row",
    "ServiceAccount",
    "ServiceLevel",
    "Site",
    "Wallboard",
    "Webhook",
]
