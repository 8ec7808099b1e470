"""RPCs that the gateway answers itself, under the same rules as those of a service.

The steps of the kit's chain (permission, enums, protovalidate, fingerprint) run on the request, then the servicer's
coroutine runs on the gateway's loop. Such servicers look like any other, so that they could stand behind a port.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import protovalidate
from flask import g
from google.protobuf import descriptor_pool
from google.protobuf.message import Message

from services.gateway.runtime import Runtime
from services.kit import call as calls
from services.kit.auth import TokenVerifier
from services.kit.call import Call
from services.kit.errors import Unauthenticated
from services.kit.interceptors.method import PUBLIC, Method
from services.kit.interceptors.steps import MESSAGE_STEPS, Tools
from services.kit.telemetry.trace import Tracer

Behaviour = Callable[[Any, Any], Awaitable[Message]]


def local_handlers(
    service: str, servicer: object, *, runtime: Runtime, verifier: TokenVerifier
) -> dict[str, Callable[[Message], Message]]:
    """Full method path → handler, for every method of a service; raises AttributeError when the servicer lacks one."""
    tools = Tools(verifier=verifier, tracer=Tracer(), validator=protovalidate.Validator())
    descriptor = descriptor_pool.Default().FindServiceByName(service)
    return {
        f"/{service}/{method.name}": _handler(Method.of(method), getattr(servicer, method.name), runtime, tools)
        for method in descriptor.methods
    }


def _handler(method: Method, behaviour: Behaviour, runtime: Runtime, tools: Tools) -> Callable[[Message], Message]:
    built = (build(tools, method) for name, build in MESSAGE_STEPS if name != "decode")
    steps = [step for step in built if step is not None]

    def handle(request: Message) -> Message:
        outer: Call = g.call
        call = Call(method.name, deadline=outer.deadline, locale=outer.locale, token=outer.token, trace=outer.trace)
        if method.permission != PUBLIC:
            if outer.token is None:
                raise Unauthenticated
            call.principal = tools.verifier.verify(outer.token)
        for step in steps:
            step(call, request)
        return runtime.run(_serve, call, behaviour, request)

    return handle


async def _serve(call: Call, behaviour: Behaviour, request: Message) -> Message:
    with calls.bind(call):
        return await behaviour(request, None)
