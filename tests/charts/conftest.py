"""The chart of the last release, which operators upgrade from."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from kubernetes_validate import utils


def version_of(name: str) -> tuple[int, ...]:
    """The version in the name of a packed chart."""
    return tuple(int(part) for part in name.removeprefix("kefu-").split("."))


RELEASED = sorted(Path(__file__).with_name("released").glob("kefu-*.tgz"), key=lambda path: version_of(path.stem))


@pytest.fixture(scope="session", autouse=True)
def schemas() -> Iterator[None]:
    """The validator's schemas, read once: by itself it reads megabytes of definitions for each object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", cache(utils.schema_contents))
        yield


@pytest.fixture(scope="session")
def last(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart of the last release, unpacked."""
    folder = tmp_path_factory.mktemp("released")
    with tarfile.open(RELEASED[-1]) as archive:
        archive.extractall(folder, filter="data")
    return folder / "kefu"
