"""E-mail by the company's own mail server."""

from __future__ import annotations

from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.kit.outbound.courier import TRY_SECONDS, Fate, Outcome

_PORTS: Final = {"smtp": 25, "smtps": 465}


class Smtp:
    """Sends by `smtp://user:password@host:port` or `smtps://…`; a password never travels without TLS."""

    def __init__(self, url: str, sender: str) -> None:
        """Check the URL; raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("the URL of the mail server must read smtp://host:port or smtps://host:port")
        self._host, self._port = parts.hostname, parts.port or _PORTS[parts.scheme]
        self._tls = parts.scheme == "smtps"
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._sender = sender

    async def send(self, *, message_id: str, to: str, subject: str, text: str) -> Outcome:
        """Send one message; `message_id` is its Message-ID at every try, so that a doubled one can be told."""
        try:
            message = self._message(message_id, to, subject, text)
        except (ValueError, MessageError) as fault:  # a line break in an address or subject
            return Outcome(Fate.BOUNCED, None, f"no e-mail can be made of it: {type(fault).__name__}")
        try:
            await aiosmtplib.send(
                message,
                recipients=[to],
                hostname=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                use_tls=self._tls,
                start_tls=True if self._user and not self._tls else None,
                timeout=TRY_SECONDS,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as fault:
            return judged(fault)
        return Outcome(Fate.DELIVERED, 250)

    def _message(self, message_id: str, to: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage(policy=POLICY)
        message["From"] = self._sender
        message["To"] = to
        message["Subject"] = subject
        message["Message-ID"] = f"<{message_id}@{self._sender.rpartition('@')[2].rstrip('>')}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence notice answers it
        message.set_content(text)
        return message


def judged(fault: Exception) -> Outcome:
    """What a failure means: 5xx on the recipient or the content is final, all else is tried again.

    The server's words are left out: they repeat the address.
    """
    if isinstance(fault, aiosmtplib.SMTPRecipientsRefused):
        codes = [one.code for one in fault.recipients]
        return Outcome(Fate.BOUNCED if min(codes) >= 500 else Fate.FAILED, codes[0], f"SMTP {codes[0]}")
    if isinstance(fault, aiosmtplib.SMTPResponseException):
        final = isinstance(fault, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError) and fault.code >= 500
        return Outcome(Fate.BOUNCED if final else Fate.FAILED, fault.code, f"SMTP {fault.code}")
    return Outcome(Fate.FAILED, None, type(fault).__name__)
