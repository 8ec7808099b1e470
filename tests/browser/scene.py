"""A busy quarter of an hour at the online desk, played through the public API, for screenshots."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message
from kefu.intake.v1 import conversation_pb2 as pb

from services.gateway.console.backend import Backend, new_id
from services.gateway.console.present.conversations import conversation_id
from services.kit.access import Kind
from services.kit.auth import TokenSigner
from services.kit.client import SyncClientChannel, Target
from services.kit.errors import KefuError
from services.stack.home import Home
from tests.browser.people import SITE

Reply = TypeVar("Reply", bound=Message)


class Actor:
    """Somebody with a token of the stack: what `Backend` needs of a gate."""

    def __init__(
        self, channels: Mapping[str, Any], signer: TokenSigner, subject: str, kind: Kind, **claims: Any
    ) -> None:
        self._channels = channels
        self._token = signer.sign(subject, kind, ttl=240.0, **claims)

    def call(self, method: str, request: Message, reply: type[Reply]) -> Reply:
        """Calls a service."""
        service = method.split(".")[1]
        rpc = self._channels[service].unary_unary(
            f"/{method}", request_serializer=type(request).SerializeToString, response_deserializer=reply.FromString
        )
        answer: Reply = rpc(request, timeout=10, metadata=(("authorization", f"Bearer {self._token}"),))
        return answer

    def customer_call(self, site: str, method: str, request: Message, reply: type[Reply]) -> Reply:
        """The same; an actor is always itself."""
        del site
        return self.call(method, request, reply)


class Scene:
    """Customers and colleagues of the online desk."""

    def __init__(self, home: Home) -> None:
        key = max(home.keys.glob("*.key"))
        self._signer = TokenSigner.from_pem(key.stem, key.read_bytes())
        self._channels = {
            name: SyncClientChannel(Target(f"ipv4:{home.address(name)}"), token=lambda: None)
            for name in ("intake", "staffing", "crm", "qa")
        }
        self._numbers = itertools.count(1)
        self.office = self._backend("installer", Kind.SERVICE, sites={"*": ["admin"]})

    def actor(self, subject: str, kind: Kind, **claims: Any) -> Actor:
        """Somebody who calls services."""
        return Actor(self._channels, self._signer, subject, kind, **claims)

    def _backend(self, subject: str, kind: Kind, **claims: Any) -> Backend:
        return Backend(self.actor(subject, kind, **claims), SITE)  # type: ignore[arg-type]

    def colleague(self, person: str) -> Backend:
        """A person at work."""
        return self._backend(person, Kind.PERSON, sites={SITE: ["agent"]})

    def presence(self, **states: str) -> None:
        """Sets people's presence, for example wangfang="AVAILABLE"."""
        for person, state in states.items():
            self.office.set_presence(person.replace("_", "-"), state)

    def ask(self, name: str, text: str, *, queue: str = "GENERAL", tier: str = "") -> tuple[str, Backend]:
        """A customer opens a conversation; its id, and the customer."""
        subject = f"customer-{next(self._numbers)}"
        customer = self._backend(
            subject, Kind.CUSTOMER, site=SITE, channel="WEB", customer=subject, tier=tier, name=name
        )
        opened = customer.create(customer=subject, customer_name=name, queue=queue, text=text, request_id=new_id())
        return conversation_id(opened.name), customer

    def offered_to(self, conversation: str, *, seconds: float = 10.0) -> str:
        """Whom the router offered it to; empty when nobody is free."""
        import time

        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            assignee = self.office.conversation(conversation).assignee
            if assignee:
                return str(assignee)
            time.sleep(0.1)
        return ""

    def answer(self, conversation: str, text: str) -> Backend | None:
        """Whoever it is offered to takes it and answers; None when nobody could."""
        person = self.offered_to(conversation)
        if not person:
            return None
        colleague = self.colleague(person)
        try:
            colleague.act("accept", conversation)
            colleague.append(conversation, pb.Message(kind=pb.Message.KIND_TEXT, text=text), request_id=new_id())
        except KefuError:
            return None
        return colleague

    def finish(self, conversation: str, colleague: Backend, customer: Backend, *, rating: int) -> None:
        """From the need to the rating."""
        colleague.act("need", conversation, need="咨询", source="SEARCH")
        colleague.act("close", conversation, summary="已答复", asked_anything_else=True, farewell=True)
        customer.act("rate", conversation, score=rating)

    def close(self) -> None:
        """Ends the connections."""
        for channel in self._channels.values():
            channel.close()


def say(backend: Backend, conversation: str, text: str, *, note: bool = False) -> None:
    """Words in a conversation."""
    kind = pb.Message.KIND_NOTE if note else pb.Message.KIND_TEXT
    backend.append(conversation, pb.Message(kind=kind, text=text), request_id=new_id())
