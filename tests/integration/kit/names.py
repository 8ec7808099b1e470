"""A name server of one name, as a headless Service has it: the addresses of the pods that are ready."""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

_A, _IN, _ANSWER = 1, 1, 0x8580  # type, class, flags (RFC 1035): an authoritative answer


class Names(asyncio.DatagramProtocol):
    """Answers every question for an IPv4 address with `addresses`, and any other with nothing."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = list(addresses)
        self.asked = 0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the socket."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        end = data.index(0, 12) + 5  # the name's final zero, type and class
        kind = struct.unpack("!H", data[end - 4 : end - 2])[0]
        found = self.addresses if kind == _A else []
        self.asked += kind == _A
        head = data[:2] + struct.pack("!HHHHH", _ANSWER, 1, len(found), 0, 0)
        # 0xC00C: the name of the question; a time to live of 0 s
        rows = [struct.pack("!HHHIH", 0xC00C, _A, _IN, 0, 4) + ipaddress.ip_address(one).packed for one in found]
        self._transport.sendto(head + data[12:end] + b"".join(rows), addr)


@asynccontextmanager
async def named(*addresses: str) -> AsyncIterator[tuple[Names, int]]:
    """Run one; gives it and its port."""
    names = Names(addresses)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: names, ("127.0.0.1", 0))
    try:
        yield names, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
