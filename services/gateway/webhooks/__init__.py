"""Outgoing webhooks: subscriptions, signed deliveries, retries."""
