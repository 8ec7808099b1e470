"""Calling a neighbour: channels with deadlines, retries, tokens, trace context and typed errors."""

from __future__ import annotations

from services.kit.client.aio import ClientChannel
from services.kit.client.outgoing import forwarded_token
from services.kit.client.sync import SyncClientChannel
from services.kit.client.target import Target, service_config

__all__ = ["ClientChannel", "SyncClientChannel", "Target", "forwarded_token", "service_config"]
