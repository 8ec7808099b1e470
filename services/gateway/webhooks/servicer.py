"""WebhookService and its use cases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.events.v1.event_pb2 import Event
from kefu.gateway.v1 import webhook_service_pb2 as pb

from services.gateway.webhooks import store
from services.gateway.webhooks.store import Delivery, Webhook
from services.kit import call as calls
from services.kit import pages
from services.kit.audit import Entry
from services.kit.crypto import Vault
from services.kit.db import Database, Transaction
from services.kit.errors import FailedPrecondition, InvalidArgument, NotFound
from services.kit.ids import Ids, IdSource
from services.kit.outbound import signature
from services.kit.outbound.egress import check_url
from services.kit.resource_names import ResourceName
from services.kit.uow import UnitOfWork

PURPOSE: Final = "gateway.webhooks.secret"
OLD_SECRET_SECONDS: Final = 86_400.0
_MOST: Final = 200
_WEBHOOK: Final = ResourceName("sites/{site}/webhooks/{webhook}")
_DELIVERY: Final = ResourceName("sites/{site}/webhooks/{webhook}/deliveries/{delivery}")
_KINDS: Final = frozenset(field.name for field in Event.DESCRIPTOR.oneofs_by_name["fact"].fields) | {"*"}


class WebhookServicer:
    """Answers on the gateway's loop; `private` allows receivers in the own network (local stacks)."""

    def __init__(
        self, database: Callable[[], Database], vault: Vault, *, private: bool, new_id: IdSource | None = None
    ):
        self._database = database
        self._vault = vault
        self._private = private
        self._new_id = new_id or Ids()

    async def CreateWebhook(self, request: pb.CreateWebhookRequest, _: Any) -> pb.CreateWebhookResponse:
        """Subscribe a URL."""
        site = request.parent.split("/")[1]
        asked = request.webhook
        check_url(asked.url, private=self._private, field="webhook.url")
        unknown = sorted(set(asked.kinds) - _KINDS)
        if unknown:
            raise InvalidArgument.field("webhook.kinds", f"{unknown[0]} is no fact of kefu.events.v1.Event")
        webhook, secret = self._new_id(), signature.new_secret()
        fresh: list[bool] = []

        async def create(tx: Transaction) -> pb.CreateWebhookResponse:
            sealed = self._vault.seal(secret, purpose=PURPOSE, record=webhook)
            subject = calls.current().principal.subject
            made = await store.insert(
                tx, webhook=webhook, site=site, url=asked.url, kinds=asked.kinds, sealed=sealed, by=subject
            )
            tx.audit(Entry(site, subject, "webhook_created", _WEBHOOK.format(site, webhook)))
            fresh.append(True)
            return pb.CreateWebhookResponse(webhook=to_pb(made))

        reply = pb.CreateWebhookResponse.FromString(await self._once(create))
        reply.secret = secret if fresh else ""  # the stored reply has none
        return reply

    async def GetWebhook(self, request: pb.GetWebhookRequest, _: Any) -> pb.Webhook:
        """One webhook."""
        return to_pb(await self._get(self._database(), request.name))

    async def ListWebhooks(self, request: pb.ListWebhooksRequest, _: Any) -> pb.ListWebhooksResponse:
        """The site's webhooks."""
        size = pages.page_size(request.page_size, most=_MOST)
        after = _position(request)
        found = await store.list_webhooks(self._database(), request.parent.split("/")[1], after, size + 1)
        token = pages.encode(request, [found[size - 1].id]) if len(found) > size else ""
        return pb.ListWebhooksResponse(webhooks=map(to_pb, found[:size]), next_page_token=token)

    async def DeleteWebhook(self, request: pb.DeleteWebhookRequest, _: Any) -> pb.DeleteWebhookResponse:
        """End a subscription."""
        site, webhook = _WEBHOOK.parse(request.name)

        async def delete(tx: Transaction) -> pb.DeleteWebhookResponse:
            if not await store.delete(tx, site, webhook):
                raise NotFound(metadata={"name": request.name})
            tx.audit(Entry(site, calls.current().principal.subject, "webhook_deleted", request.name))
            return pb.DeleteWebhookResponse()

        return pb.DeleteWebhookResponse.FromString(await self._once(delete))

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, _: Any
    ) -> pb.RotateWebhookSecretResponse:
        """Make a new secret."""
        site, webhook = _WEBHOOK.parse(request.name)
        secret = signature.new_secret()
        fresh: list[bool] = []

        async def rotate(tx: Transaction) -> pb.RotateWebhookSecretResponse:
            sealed = self._vault.seal(secret, purpose=PURPOSE, record=webhook)
            if not await store.rotate(tx, site, webhook, sealed, OLD_SECRET_SECONDS):
                raise NotFound(metadata={"name": request.name})
            tx.audit(Entry(site, calls.current().principal.subject, "webhook_secret_rotated", request.name))
            fresh.append(True)
            return pb.RotateWebhookSecretResponse()

        await self._once(rotate)
        return pb.RotateWebhookSecretResponse(secret=secret if fresh else "")

    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, _: Any
    ) -> pb.ListWebhookDeliveriesResponse:
        """What was sent."""
        site, webhook = _WEBHOOK.parse(request.parent, "parent")
        await self._get(self._database(), request.parent)
        size = pages.page_size(request.page_size, most=_MOST)
        states = [pb.WebhookDelivery.State.Name(state).removeprefix("STATE_") for state in request.states]
        before = _position(request)
        found = await store.list_deliveries(self._database(), site, webhook, states, before, size + 1)
        token = pages.encode(request, [found[size - 1].id]) if len(found) > size else ""
        return pb.ListWebhookDeliveriesResponse(deliveries=map(delivery_to_pb, found[:size]), next_page_token=token)

    async def RetryWebhookDelivery(self, request: pb.RetryWebhookDeliveryRequest, _: Any) -> pb.WebhookDelivery:
        """Send a parked delivery again."""
        site, webhook, delivery = _DELIVERY.parse(request.name)

        async def retry(tx: Transaction) -> pb.WebhookDelivery:
            found = await store.get_delivery(tx, site, webhook, delivery)
            if found is None:
                raise NotFound(metadata={"name": request.name})
            if found.state != "PARKED":
                raise FailedPrecondition(metadata={"state": found.state, "allowed": "PARKED"})
            await store.retry(tx, delivery)
            again = await store.get_delivery(tx, site, webhook, delivery)
            assert again is not None
            tx.audit(Entry(site, calls.current().principal.subject, "webhook_retried", request.name))
            return delivery_to_pb(again)

        return pb.WebhookDelivery.FromString(await self._once(retry))

    async def _get(self, source: Database, name: str) -> Webhook:
        found = await store.get(source, *_WEBHOOK.parse(name))
        if found is None:
            raise NotFound(metadata={"name": name})
        return found

    async def _once(self, work: Callable[[Transaction], Awaitable[Message]]) -> bytes:
        return await UnitOfWork(self._database()).run(calls.current(), work, lambda reply: reply.SerializeToString())


def _position(request: Message) -> str:
    position = pages.decode(request)
    return "" if position is None else str(position[0])


def to_pb(webhook: Webhook) -> pb.Webhook:
    """The message of a subscription."""
    created = Timestamp()
    created.FromDatetime(webhook.created_at)
    return pb.Webhook(
        name=_WEBHOOK.format(webhook.site, webhook.id),
        url=webhook.url,
        kinds=webhook.kinds,
        creator=webhook.created_by,
        create_time=created,
    )


def delivery_to_pb(delivery: Delivery) -> pb.WebhookDelivery:
    """The message of a delivery."""
    message = pb.WebhookDelivery(
        name=_DELIVERY.format(delivery.site, delivery.webhook, delivery.id),
        event=delivery.event_id,
        kind=delivery.kind,
        state=pb.WebhookDelivery.State.Value(f"STATE_{delivery.state}"),
        tries=delivery.tries,
        last_status=delivery.last_status or 0,
        last_error=delivery.last_error,
    )
    message.create_time.FromDatetime(delivery.created_at)
    if delivery.state == "PENDING":
        message.next_try_time.FromDatetime(delivery.next_try_at)
    if delivery.delivered_at is not None:
        message.deliver_time.FromDatetime(delivery.delivered_at)
    return message
