"""Which way a letter goes: e-mail by SMTP, every other channel by the company's own senders over a signed webhook."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.kit.config import setting
from services.kit.outbound.courier import Fate, Outcome
from services.kit.outbound.egress import Egress
from services.kit.outbound.letters import Letter
from services.kit.outbound.post import post_signed
from services.kit.outbound.smtp import Smtp

# What a receiver answers that knows that this message can never be delivered: no such number, not allowed there.
FINAL: Final = frozenset({410, 422})
EMAIL: Final = "EMAIL"


@dataclass(frozen=True, slots=True)
class OutboundConfig:
    """The ways out; a letter without one fails with a word to the operator, and is kept."""

    smtp: str | None = setting("KEFU_SMTP_URL", None, help="Mail server, smtp://user:password@host:port", secret=True)
    smtp_from: str = setting("KEFU_SMTP_FROM", "kefu@localhost", help="Sender of e-mails")
    webhook: str | None = setting(
        "KEFU_MESSAGES_URL", None, help="Where messages of other channels (SMS, WeChat …) are posted to, signed"
    )
    webhook_secret: str | None = setting(
        "KEFU_MESSAGES_SECRET", None, help="Signs them, whsec_… as in Standard Webhooks", secret=True
    )
    private: bool = setting("KEFU_MESSAGES_PRIVATE", False, help="They may go to private addresses and by plain http")

    def __post_init__(self) -> None:
        """A URL needs a secret; a mail server's URL must be one."""
        if self.webhook and not self.webhook_secret:
            raise ValueError("KEFU_MESSAGES_URL needs KEFU_MESSAGES_SECRET")
        if self.smtp:
            Smtp(self.smtp, self.smtp_from)


class Senders:
    """Tries letters; give `send` to the courier, and close at the end."""

    def __init__(self, config: OutboundConfig, *, now: Callable[[], float] = time.time) -> None:
        self._config = config
        self._smtp = Smtp(config.smtp, config.smtp_from) if config.smtp else None
        self._egress = Egress(private=config.private)
        self._now = now

    async def send(self, letter: Letter) -> Outcome:
        """Try one letter."""
        if letter.channel == EMAIL and self._smtp is not None:
            return await self._smtp.send(message_id=letter.id, to=letter.to, subject=letter.subject, text=letter.text)
        if self._config.webhook is None or self._config.webhook_secret is None:
            wanted = "KEFU_SMTP_URL" if letter.channel == EMAIL else "KEFU_MESSAGES_URL"
            return Outcome(Fate.FAILED, None, f"no way out for {letter.channel}: set {wanted}")
        stamp = int(self._now())
        return await post_signed(
            self._egress,
            self._config.webhook,
            _body(letter, stamp),
            secrets=[self._config.webhook_secret],
            message_id=letter.id,
            timestamp=stamp,
            bounces=FINAL,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._egress.close()


def _body(letter: Letter, stamp: int) -> bytes:
    data = {
        "site": letter.site,
        "channel": letter.channel,
        "to": letter.to,
        "subject": letter.subject,
        "text": letter.text,
    }
    body = {"type": "message", "timestamp": stamp, "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
