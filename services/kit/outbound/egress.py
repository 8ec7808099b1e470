"""The way out: HTTP to addresses of other people's choosing, and never into our own network.

A name is resolved here, every address it has is judged, and the connection goes to the address that was judged: a name
that answers differently the next time (DNS rebinding) gains nothing. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import httpcore

from services.kit.errors import InvalidArgument
from services.kit.outbound.courier import TRY_SECONDS

CONNECT_SECONDS: Final = 5.0
_LONGEST_ANSWER: Final = 64 * 1024
# Addresses that mean another one: what they wrap is judged.
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class RefusedAddressError(OSError):
    """The host has an address that we do not go to."""


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


def check_url(url: str, *, private: bool, field: str = "url") -> None:
    """Refuse a URL that can never be a receiver; raises InvalidArgument on `field`."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise InvalidArgument.field(field, "must begin with https://")
    try:
        host, _ = parts.hostname, parts.port
    except ValueError as fault:
        raise InvalidArgument.field(field, "has no valid port") from fault
    if not host or parts.username is not None or parts.fragment:
        raise InvalidArgument.field(field, "needs a host, and no user name or fragment")
    if not private and _is_private_literal(host):
        raise InvalidArgument.field(field, "names a private address")


def _is_private_literal(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        # Also the old spellings that resolvers take: 127.1, 0x7f000001, 2130706433.
        return not is_public(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        pass
    try:
        return not is_public(host)
    except ValueError:
        return False


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to judged addresses only."""

    def __init__(self, *, private: bool) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._private = private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge every address, connect to the first."""
        async with asyncio.timeout(timeout):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if not self._private and not all(map(is_public, addresses)):
            raise RefusedAddressError("the host has a private address")
        return await self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._inner.sleep(seconds)


class Egress:
    """Posts to receivers; one per worker."""

    def __init__(self, *, private: bool) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=_Guarded(private=private), max_connections=50, keepalive_expiry=20.0
        )

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Post and return the status; raises OSError or httpcore's errors when there is no answer in time."""
        limits = dict.fromkeys(("read", "write", "pool"), TRY_SECONDS) | {"connect": CONNECT_SECONDS}
        async with asyncio.timeout(TRY_SECONDS):
            async with self._pool.stream(
                "POST",
                url,
                headers=[*headers.items(), ("content-type", "application/json"), ("user-agent", "kefu-webhooks/1")],
                content=body,
                extensions={"timeout": limits},
            ) as response:
                read = 0
                async for chunk in response.aiter_stream():
                    read += len(chunk)
                    if read > _LONGEST_ANSWER:
                        break
                return int(response.status)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()
