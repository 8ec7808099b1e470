"""Compiles the test contract into a temporary folder, so that nothing test-only ships."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from grpc_tools import protoc

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent


class Contract:
    """The generated modules of echo.proto."""

    def __init__(self, messages: ModuleType, services: ModuleType) -> None:
        self.pb: Any = messages
        self.rpc: Any = services


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    folder = tmp_path_factory.mktemp("echo")
    image = ROOT / "protos" / "gen" / "kefu" / "image.binpb"
    code = protoc.main(
        [
            "protoc",
            f"--descriptor_set_in={image}",
            f"-I{HERE}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            "echo.proto",
        ]
    )
    assert code == 0
    sys.path.insert(0, str(folder))
    yield Contract(importlib.import_module("echo_pb2"), importlib.import_module("echo_pb2_grpc"))
    sys.path.remove(str(folder))
