"""What a method's contract says about it, read once from the descriptors when the server is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from kefu.common.v1 import options_pb2

PUBLIC: Final = "public"
AUTHENTICATED: Final = "authenticated"
_Level = descriptor_pb2.MethodOptions.IdempotencyLevel
REPEATABLE: Final = frozenset({_Level.NO_SIDE_EFFECTS, _Level.IDEMPOTENT})


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: full name "package.Service/Method", its permission ("" = closed), and whether it may be repeated."""

    name: str
    permission: str
    repeatable: bool
    request: type[Message]
    client_streaming: bool
    server_streaming: bool

    @classmethod
    def of(cls, descriptor: MethodDescriptor) -> Method:
        """Read a method's options."""
        options = descriptor.GetOptions()
        return cls(
            name=f"{descriptor.containing_service.full_name}/{descriptor.name}",
            permission=options.Extensions[options_pb2.permission],
            repeatable=options.idempotency_level in REPEATABLE,
            request=GetMessageClass(descriptor.input_type),
            client_streaming=descriptor.client_streaming,
            server_streaming=descriptor.server_streaming,
        )

    @property
    def descriptor(self) -> Descriptor:
        """Of the request message."""
        return cast(Descriptor, self.request.DESCRIPTOR)

    def faults(self) -> list[str]:
        """What the contract leaves open; a server refuses to start with any."""
        faults = []
        if not self.permission:
            faults.append(f"{self.name}: declares no (kefu.common.v1.permission)")
        if not self.repeatable:
            faults.append(
                f"{self.name}: declares no idempotency_level (NO_SIDE_EFFECTS, or IDEMPOTENT by its request_id)"
            )
        return faults
