"""JetStream for tests: one embedded server per session, emptied for each test module."""

from __future__ import annotations

import nats


async def empty(url: str) -> None:
    """Delete every stream of the server."""
    client = await nats.connect(url, allow_reconnect=False)
    try:
        jetstream = client.jetstream()
        for stream in await jetstream.streams_info():
            await jetstream.delete_stream(str(stream.config.name))
    finally:
        await client.close()
