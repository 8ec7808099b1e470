"""What the stack takes for a sign of life."""

from __future__ import annotations

import socket
import threading

from services.stack import health


def test_whoever_answers_in_another_language_is_not_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(peer.recv(1_000))

        answering = threading.Thread(target=echo)
        answering.start()
        found = health.ask(grpc_address="", url=f"http://127.0.0.1:{server.getsockname()[1]}/healthz")
        answering.join()
    assert not found.well
    assert found.words
