"""The gateway's own contracts, for the integrations page: webhooks of a site, service accounts of the installation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kefu.gateway.v1 import administration_service_pb2 as admin
from kefu.gateway.v1 import webhook_service_pb2 as hooks

from services.gateway.console.backend import new_id
from services.gateway.console.gate import Gate

_WEBHOOKS: Final = "kefu.gateway.v1.WebhookService"
_ADMINISTRATION: Final = "kefu.gateway.v1.AdministrationService"
_PAGE: Final = 100


class Integrations:
    """Calls for one site, as the person of the current web request."""

    def __init__(self, gate: Gate, site: str) -> None:
        self._gate = gate
        self._site = site
        self._parent = f"sites/{site}"

    def webhooks(self) -> Sequence[hooks.Webhook]:
        """Webhooks of the site."""
        request = hooks.ListWebhooksRequest(parent=self._parent, page_size=_PAGE)
        return self._gate.call(f"{_WEBHOOKS}/ListWebhooks", request, hooks.ListWebhooksResponse).webhooks

    def create_webhook(self, url: str, kinds: Sequence[str]) -> str:
        """Adds one; its secret, shown once."""
        webhook = hooks.Webhook(url=url, kinds=kinds)
        request = hooks.CreateWebhookRequest(parent=self._parent, webhook=webhook, request_id=new_id())
        return self._gate.call(f"{_WEBHOOKS}/CreateWebhook", request, hooks.CreateWebhookResponse).secret

    def rotate_webhook(self, webhook: str) -> str:
        """A new secret, shown once; the old one signs beside it for a while."""
        request = hooks.RotateWebhookSecretRequest(name=self._webhook(webhook), request_id=new_id())
        return self._gate.call(f"{_WEBHOOKS}/RotateWebhookSecret", request, hooks.RotateWebhookSecretResponse).secret

    def delete_webhook(self, webhook: str) -> None:
        """Removes one."""
        request = hooks.DeleteWebhookRequest(name=self._webhook(webhook), request_id=new_id())
        self._gate.call(f"{_WEBHOOKS}/DeleteWebhook", request, hooks.DeleteWebhookResponse)

    def parked(self, webhook: str) -> Sequence[hooks.WebhookDelivery]:
        """Deliveries that were given up."""
        request = hooks.ListWebhookDeliveriesRequest(
            parent=self._webhook(webhook), page_size=20, states=[hooks.WebhookDelivery.STATE_PARKED]
        )
        reply = hooks.ListWebhookDeliveriesResponse
        return self._gate.call(f"{_WEBHOOKS}/ListWebhookDeliveries", request, reply).deliveries

    def retry(self, webhook: str, delivery: str) -> None:
        """Sends a delivery that was given up again."""
        name = f"{self._webhook(webhook)}/deliveries/{delivery}"
        request = hooks.RetryWebhookDeliveryRequest(name=name, request_id=new_id())
        self._gate.call(f"{_WEBHOOKS}/RetryWebhookDelivery", request, hooks.WebhookDelivery)

    def service_accounts(self) -> Sequence[admin.ServiceAccount]:
        """Every service account."""
        request = admin.ListServiceAccountsRequest(page_size=_PAGE)
        reply = admin.ListServiceAccountsResponse
        return self._gate.call(f"{_ADMINISTRATION}/ListServiceAccounts", request, reply).service_accounts

    def create_service_account(
        self, client_id: str, *, title: str, roles: Sequence[str], origins: Sequence[str]
    ) -> str:
        """Adds one with roles at this site; its secret, shown once."""
        account = admin.ServiceAccount(
            title=title, roles=[admin.SiteRoles(site=self._site, roles=roles)], origins=origins
        )
        request = admin.CreateServiceAccountRequest(client_id=client_id, service_account=account, request_id=new_id())
        reply = admin.CreateServiceAccountResponse
        return self._gate.call(f"{_ADMINISTRATION}/CreateServiceAccount", request, reply).secret

    def rotate_service_account(self, client_id: str) -> str:
        """A new secret, shown once."""
        request = admin.RotateServiceAccountSecretRequest(client_id=client_id, request_id=new_id())
        reply = admin.RotateServiceAccountSecretResponse
        return self._gate.call(f"{_ADMINISTRATION}/RotateServiceAccountSecret", request, reply).secret

    def disable_service_account(self, client_id: str) -> None:
        """Ends one."""
        request = admin.DisableServiceAccountRequest(client_id=client_id, request_id=new_id())
        self._gate.call(f"{_ADMINISTRATION}/DisableServiceAccount", request, admin.ServiceAccount)

    def _webhook(self, webhook: str) -> str:
        return f"{self._parent}/webhooks/{webhook}"
