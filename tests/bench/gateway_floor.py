"""The floor of the gateway benchmark: a Flask route that only forwards to a gRPC echo, under the same granian.

`python -m tests.bench.gateway_floor echo PORT` or `… web PORT ECHO_PORT THREADS`.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import grpc
import uvloop
from flask import Flask, Response, request
from kefu.intake.v1.conversation_pb2 import Channel, Clock, Conversation

METHOD = "/bench.Echo/Echo"
SERVICE = "kefu.intake.v1.ConversationService"


def _same(data: bytes) -> bytes:
    return data


async def echo(port: int) -> None:
    """A bare grpc.aio server that returns what it gets, and one constant conversation."""
    constant = conversation().SerializeToString()

    async def answer(data: bytes, _: Any) -> bytes:
        return data

    async def get(_data: bytes, _: Any) -> bytes:
        return constant

    unary = functools.partial(
        grpc.unary_unary_rpc_method_handler, request_deserializer=_same, response_serializer=_same
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("bench.Echo", {"Echo": unary(answer)}),
            grpc.method_handlers_generic_handler(SERVICE, {"GetConversation": unary(get)}),
        )
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


def conversation() -> Conversation:
    """A conversation as it is while it is served."""
    made = Conversation(
        name="sites/online-desk/conversations/01a20114-6326-7454-ab0c-7becaf9970d1",
        channel=Channel.CHANNEL_WEB,
        queue="GENERAL",
        customer="bench-1",
        customer_name="王小明",
        subject="退货",
        state=Conversation.STATE_SERVING,
        version=7,
        assignee="wangfang",
        accountable_owner="wangfang",
    )
    made.create_time.GetCurrentTime()
    made.clocks.add(kind=Clock.KIND_FIRST_RESPONSE, number=1, state=Clock.STATE_MET, target_seconds=30)
    return made


def load(echo_port: int) -> Flask:
    """The forwarding app, its channel made in the worker process."""
    app = Flask(__name__)
    channel = grpc.insecure_channel(f"127.0.0.1:{echo_port}")
    forward = channel.unary_unary(METHOD, request_serializer=_same, response_deserializer=_same)

    def serve() -> Response:
        return Response(forward(request.get_data() or b"{}"), content_type="application/json")

    app.add_url_rule("/", view_func=serve, methods=["GET", "POST"])
    return app


def web(port: int, echo_port: int, threads: int) -> None:
    """Serve the app as the gateway is served."""
    from granian import Granian
    from granian.constants import Interfaces, Loops

    Granian(
        "tests.bench.gateway_floor",
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=threads,
        backpressure=threads * 8,
        loop=Loops.uvloop,
        websockets=False,
        log_enabled=False,
    ).serve(target_loader=functools.partial(load, echo_port), wrap_loader=False)


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        uvloop.run(echo(int(sys.argv[2])))
    else:
        web(*map(int, sys.argv[2:5]))
