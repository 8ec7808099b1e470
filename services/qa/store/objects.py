"""The object store: one contract, a folder or an S3 bucket behind it (docs/decisions/0402)."""

from __future__ import annotations

import uuid
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import from_url

from services.kit.errors import Unavailable


class Objects:
    """Objects by key. Raises Unavailable when the store is away, FileNotFoundError for a key that it lacks."""

    def __init__(self, url: str) -> None:
        """Of `file:///folder` (made where it is missing) or `s3://bucket/prefix`, with the AWS_* variables."""
        self._store = from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)

    async def put(self, key: str, content: bytes | Path) -> None:
        """Write an object; writing it again replaces it."""
        try:
            await obstore.put_async(self._store, key, content)
        except BaseError as error:
            raise Unavailable from error

    async def get(self, key: str) -> bytes:
        """Read an object."""
        try:
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())
        except NotFoundError as error:
            raise FileNotFoundError(key) from error
        except BaseError as error:
            raise Unavailable from error

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """Read `length` bytes from `start` on."""
        try:
            return bytes(await obstore.get_range_async(self._store, key, start=start, length=length))
        except NotFoundError as error:
            raise FileNotFoundError(key) from error
        except BaseError as error:
            raise Unavailable from error

    async def size(self, key: str) -> int:
        """Bytes of an object."""
        try:
            return int((await obstore.head_async(self._store, key))["size"])
        except NotFoundError as error:
            raise FileNotFoundError(key) from error
        except BaseError as error:
            raise Unavailable from error

    async def fetch(self, key: str, path: Path) -> None:
        """Copy an object into a file, piece by piece; readers see the whole file or none."""
        draft = path.with_name(f".{uuid.uuid4()}.draft")  # two at once must not write into each other's
        try:
            found = await obstore.get_async(self._store, key)
            with draft.open("wb") as file:
                async for piece in found.stream():
                    file.write(piece)
            draft.replace(path)
        except NotFoundError as error:
            raise FileNotFoundError(key) from error
        except BaseError as error:
            raise Unavailable from error
        finally:
            draft.unlink(missing_ok=True)

    async def delete_all(self, prefix: str) -> int:
        """Delete every object whose key begins so; returns how many there were."""
        number = 0
        try:
            async for found in obstore.list(self._store, prefix=prefix):
                await obstore.delete_async(self._store, [each["path"] for each in found])
                number += len(found)
        except BaseError as error:
            raise Unavailable from error
        return number
