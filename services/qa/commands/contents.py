"""Contents of sound and picture: in by parts, out by ranges, gone with proof."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from services.kit.audit import Entry
from services.kit.crypto import CryptoError, Vault, open_part, seal_part
from services.kit.db import Database, Transaction
from services.kit.timers.table import cancel
from services.qa.commands.recordings import CONTENT, OWNER_KIND, changed
from services.qa.domain import media
from services.qa.domain.content import KEY_PURPOSE, MOST_BYTES, Content, checksum, covering
from services.qa.domain.recording import AUDIO, REGISTERED, SAMPLED, VIDEO, Recording
from services.qa.errors import refused, wrong_state
from services.qa.store import contents as store
from services.qa.store import recordings
from services.qa.store.contents import Stored
from services.qa.store.objects import Objects

_TYPES: Final = {AUDIO: media.AUDIO_TYPES, VIDEO: media.VIDEO_TYPES}
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Arrived:
    """An upload: what was announced, and the digests of the parts that have come, by number."""

    recording: Recording
    content: Content
    parts: dict[int, bytes]


class Contents:
    """Commands on contents."""

    def __init__(self, database: Database, vault: Vault, objects: Objects, new_id: Callable[[], str]) -> None:
        self._database = database
        self._vault = vault
        self._objects = objects
        self._new_id = new_id

    async def start(
        self, tx: Transaction, site: str, id_: str, media_type: str, size: int, sha256: str, *, actor: str
    ) -> Arrived:
        """Announce a content, or go on with the same one. Raises FailedPrecondition for any other."""
        recording = await recordings.get(tx, site, id_, lock=True)
        if media_type not in _TYPES.get(recording.kind, ()):
            raise refused(recording.name, f"a recording of kind {recording.kind} takes no {media_type}")
        stored = await store.get(tx, site, id_)
        if stored is None:
            if recording.state not in (REGISTERED, SAMPLED):
                raise wrong_state(recording.name, recording.state, REGISTERED)
            content = Content(media_type, size, sha256, self._new_id())
            key = self._vault.seal(os.urandom(_KEY_BYTES).hex(), purpose=KEY_PURPOSE, record=recording.name)
            await store.start(tx, site, id_, content, key)
            tx.audit(Entry(site, actor, "recording.upload", recording.name, f"{media_type} {size}"))
            return Arrived(recording, content, {})
        found = stored.content
        if (found.media_type, found.size_bytes, found.sha256) != (media_type, size, sha256):
            raise refused(recording.name, "other content was announced before")
        return Arrived(recording, found, await store.parts(tx, site, id_))

    async def put(self, site: str, id_: str, number: int, part: bytes, sha256: str) -> Arrived:
        """Take a part; the same one again changes nothing."""
        arrived, stored = await self._upload(site, id_)
        content, name, digest = arrived.content, arrived.recording.name, hashlib.sha256(part).digest()
        if not hmac.compare_digest(digest.hex(), sha256):
            raise refused(name, f"part {number} was damaged on its way; send it again")
        if number > content.parts or len(part) != content.size_of(number):
            raise refused(name, f"part {number} has {len(part)} bytes, which is not what was announced")
        if number == 1:
            try:
                media.check_head(content.media_type, part[:64])
            except media.MediaError as error:
                await self._drop(site, id_, arrived)
                raise refused(name, str(error)) from error
        if number not in arrived.parts and not stored.completed:
            sealed = seal_part(self._key(arrived.recording, stored), part, place=content.place(number))
            await self._objects.put(_object(site, content.upload, number, digest), sealed)
        async with self._database.transaction(sites=[site]) as tx:
            counts = await store.put_part(tx, site, id_, content, number, digest)
            if counts is None:
                raise refused(name, "the upload was dropped; begin again")
            if counts != digest:
                raise refused(name, f"another part {number} has come before")
            return Arrived(arrived.recording, content, await store.parts(tx, site, id_))

    async def check(self, site: str, id_: str) -> Arrived:
        """Whether an upload may end: all there, the checksum right, the file whole.

        Raises FailedPrecondition; where sending more could not help, the parts are dropped as well.
        """
        arrived, stored = await self._upload(site, id_)
        content, name = arrived.content, arrived.recording.name
        if stored.completed:
            return arrived
        missing = [number for number in range(1, content.parts + 1) if number not in arrived.parts]
        if missing:
            raise refused(name, f"{len(missing)} parts are missing, the first is {missing[0]}")
        if checksum(arrived.parts.values()) != content.sha256:
            await self._drop(site, id_, arrived)
            raise refused(name, "the checksum is not the announced one")
        try:
            await media.check(content.media_type, content.size_bytes, self._reader(arrived, stored))
        except media.MediaError as error:
            await self._drop(site, id_, arrived)
            raise refused(name, str(error)) from error
        return arrived

    async def complete(self, tx: Transaction, site: str, id_: str, arrived: Arrived, *, actor: str) -> Recording:
        """End an upload that was checked."""
        await recordings.get(tx, site, id_, lock=True)
        if await store.complete(tx, site, id_, arrived.content):
            await cancel(tx, [(OWNER_KIND, id_, CONTENT)])
            after = await recordings.get(tx, site, id_)
            tx.audit(Entry(site, actor, "recording.arrive", after.name, after.sha256))
            tx.publish(changed(after, "AVAILABLE"))
        return await recordings.get(tx, site, id_)

    async def read(self, site: str, id_: str, offset: int, length: int) -> tuple[Content, bytes]:
        """A piece of a whole content; shorter at its end."""
        covered = [number for number, _, _ in covering(min(offset, MOST_BYTES), length)]
        arrived, stored = await self._upload(site, id_, covered)
        if not stored.completed:
            raise refused(arrived.recording.name, "its content has not come yet")
        length = max(0, min(length, arrived.content.size_bytes - offset))
        return arrived.content, await self._reader(arrived, stored)(offset, length)

    async def _upload(self, site: str, id_: str, numbers: Sequence[int] | None = None) -> tuple[Arrived, Stored]:
        """An upload with the digests of these parts; None for all."""
        async with self._database.transaction(sites=[site], read_only=True) as tx:
            recording = await recordings.get(tx, site, id_)
            stored = await store.get(tx, site, id_)
            if stored is None or stored.key_sealed is None:
                raise refused(recording.name, "it has no content" if recording.sha256 else "no content was announced")
            return Arrived(recording, stored.content, await store.parts(tx, site, id_, numbers)), stored

    def _key(self, recording: Recording, stored: Stored) -> bytes:
        assert stored.key_sealed is not None  # `_upload` refuses a content without its key
        return bytes.fromhex(self._vault.open(stored.key_sealed, purpose=KEY_PURPOSE, record=recording.name))

    def _reader(self, arrived: Arrived, stored: Stored) -> Callable[[int, int], Awaitable[bytes]]:
        key, content, site = self._key(arrived.recording, stored), arrived.content, arrived.recording.site
        last_opened = (0, b"")  # many small looks into one part, as at a file's boxes, open it once

        async def opened(number: int) -> bytes:
            nonlocal last_opened
            if last_opened[0] != number:
                try:
                    sealed = await self._objects.get(_object(site, content.upload, number, arrived.parts[number]))
                    last_opened = number, open_part(key, sealed, place=content.place(number))
                except (FileNotFoundError, CryptoError) as error:
                    raise refused(arrived.recording.name, f"part {number} is lost or damaged: {error}") from error
            return last_opened[1]

        async def read(start: int, length: int) -> bytes:
            return b"".join([(await opened(number))[first:last] for number, first, last in covering(start, length)])

        return read

    async def _drop(self, site: str, id_: str, arrived: Arrived) -> None:
        async with self._database.transaction(sites=[site]) as tx:
            await store.drop(tx, site, id_, arrived.content)
            tx.audit(Entry(site, "qa", "recording.upload_refused", arrived.recording.name, arrived.content.sha256))
        await self._objects.delete_all(folder_of(site, arrived.content.upload))


def folder_of(site: str, upload: str) -> str:
    """What the keys of an upload's objects begin with."""
    return f"recordings/{site}/{upload}/"


def _object(site: str, upload: str, number: int, digest: bytes) -> str:
    """An object's key; the digest keeps two tries of one place apart."""
    return f"{folder_of(site, upload)}{number:06}-{digest[:8].hex()}"
