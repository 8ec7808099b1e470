"""What the RPC chain costs: the same echo bare and behind the whole chain, servers and client in own processes.

    python tests/bench/bench_chain.py            # QUICK=1 for a run under a minute

The chain authenticates (remembered token), decodes strictly, checks enums, permission and protovalidate rules, takes
the request's fingerprint, measures, and samples traces at 1 %. 64 calls in flight; rounds alternate, medians count.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc
import uvloop

ROOT = Path(__file__).parents[2]
IN_FLIGHT = 64
# The bare echo with token check and validation but no chain stood at 0.77 in PERFORMANCE.md.
TARGET = 0.77


def contract(folder: Path) -> tuple[Any, Any]:
    """Compile the kit's test contract into `folder` and import it."""
    from grpc_tools import protoc

    if not (folder / "echo_pb2.py").exists():
        code = protoc.main(
            [
                "protoc",
                f"--descriptor_set_in={ROOT / 'protos/gen/kefu/image.binpb'}",
                f"-I{ROOT / 'tests/integration/kit'}",
                f"--python_out={folder}",
                f"--grpc_python_out={folder}",
                "echo.proto",
            ]
        )
        if code != 0:
            raise SystemExit("echo.proto does not compile")
    sys.path.insert(0, str(folder))
    return importlib.import_module("echo_pb2"), importlib.import_module("echo_pb2_grpc")


async def serve(kind: str, folder: Path) -> None:
    """One server process: prints its port, serves until its input closes."""
    pb, rpc = contract(folder)

    class Echo(rpc.EchoServiceServicer):  # type: ignore[name-defined, misc]
        async def Say(self, request: Any, _: Any) -> Any:  # noqa: N802 - the contract's name
            return pb.SayResponse(text=request.text, request_id=request.request_id)

    if kind == "bare":
        server: Any = grpc.aio.server()
        rpc.add_EchoServiceServicer_to_server(Echo(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
    else:
        from opentelemetry.sdk.trace import TracerProvider

        from services.kit.telemetry.trace import Tracer
        from services.kit.testing.grpc import Running, start

        tracer = Tracer(TracerProvider(), ratio=0.01)
        running: Running = await start(
            [(rpc.add_EchoServiceServicer_to_server, Echo())], keys_folder=folder / kind, tracer=tracer
        )
        (folder / "token").write_text(running.token(sites={"desk": ["admin"]}, ttl=3600))
        port = running.server.port
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def drive(port: int, folder: Path, seconds: float) -> None:
    """The client process: prints calls per second and the latencies' quantiles in ms."""
    pb, rpc = contract(folder)
    metadata = (("authorization", f"Bearer {(folder / 'token').read_text()}"),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = rpc.EchoServiceStub(channel)
        request = pb.SayRequest(
            name="sites/desk/conversations/0190b2c8-1111-7000-8000-000000000001",
            text="您好，我想查一下订单什么时候发货？",
            request_id="0190b2c8-2222-7000-8000-000000000002",
            colour=1,
        )
        latencies: list[float] = []

        async def worker(until: float) -> None:
            while (began := time.perf_counter()) < until:
                await stub.Say(request, timeout=10, metadata=metadata)
                latencies.append(time.perf_counter() - began)

        warm = time.perf_counter() + 0.5
        await asyncio.gather(*(worker(warm) for _ in range(IN_FLIGHT)))
        latencies.clear()
        began = time.perf_counter()
        await asyncio.gather(*(worker(began + seconds) for _ in range(IN_FLIGHT)))
        elapsed = time.perf_counter() - began
    latencies.sort()
    quantile = {name: 1000 * latencies[int(len(latencies) * q)] for name, q in (("p50", 0.5), ("p99", 0.99))}
    print(json.dumps({"rate": len(latencies) / elapsed, **quantile}))


def cpu_seconds(pid: int) -> float:
    """User and system CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Alternate rounds against both servers and write `.kefu/bench/chain.json`."""
    quick = os.environ.get("QUICK") == "1"
    rounds, seconds = (3, 2.0) if quick else (7, 5.0)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos/gen'}"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contract(folder)
        servers = {}
        for kind in ("bare", "chain"):
            process = subprocess.Popen(
                [sys.executable, __file__, "serve", kind, name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            assert process.stdout is not None
            servers[kind] = (process, int(process.stdout.readline()))
        results: dict[str, list[dict[str, float]]] = {"bare": [], "chain": []}
        try:
            for _ in range(rounds):
                for kind, (process, port) in servers.items():
                    before = cpu_seconds(process.pid)
                    arguments = [sys.executable, __file__, "drive", str(port), name, str(seconds)]
                    output = subprocess.run(
                        arguments, check=True, stdout=subprocess.PIPE, text=True, env=environment
                    ).stdout
                    result = json.loads(output)
                    result["cpu_us"] = 1e6 * (cpu_seconds(process.pid) - before) / (result["rate"] * (seconds + 0.5))
                    results[kind].append(result)
        finally:
            for process, _ in servers.values():
                assert process.stdin is not None
                process.stdin.close()
                process.wait(timeout=10)
    middle = {
        kind: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for kind, runs in results.items()
    }
    for kind, row in middle.items():
        speed = f"{row['rate']:8.0f} calls/s  p50 {row['p50']:5.1f} ms  p99 {row['p99']:5.1f} ms"
        print(f"{kind:6} {speed}  {row['cpu_us']:5.0f} µs CPU a call")
    ratio = middle["chain"]["rate"] / middle["bare"]["rate"]
    print(f"chain / bare echo: {ratio:.2f} (load average {os.getloadavg()[0]:.1f})")
    figures = [
        {
            "figure": "RPC chain without handler, ratio to a bare echo at 64 in flight",
            "value": round(ratio, 3),
            "unit": "ratio",
            "floor": round(middle["bare"]["rate"], 1),
            "target": TARGET,
            "holds": ratio >= TARGET,
        }
    ]
    if not quick:
        target = ROOT / ".kefu" / "bench"
        target.mkdir(parents=True, exist_ok=True)
        (target / "chain.json").write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == "serve":
        uvloop.run(serve(sys.argv[2], Path(sys.argv[3])))
    else:
        uvloop.run(drive(int(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])))
