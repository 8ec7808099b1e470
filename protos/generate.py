"""Regenerate `protos/gen` from `protos/kefu`, or with `--check` say what differs from what is committed.

Everything needed comes from wheels in the lock: protoc from grpcio-tools, google/api and google/rpc from
googleapis-common-protos, and `buf/validate/validate.proto` from the descriptor inside the protovalidate wheel (no
wheel ships that file as text, so it is handed to protoc as a descriptor set).
"""

from __future__ import annotations

import argparse
import filecmp
import importlib.resources
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
GENERATED_PACKAGES = ("kefu", "buf")


def protoc(arguments: list[str]) -> None:
    """Run the pinned protoc; raises SystemExit with its exit code when it refuses the input."""
    from grpc_tools import protoc as compiler

    code = compiler.main(["protoc", *arguments])
    if code != 0:
        raise SystemExit(code)


def sources() -> list[str]:
    """Our .proto files, relative to `protos/`, in a stable order."""
    return sorted(str(path.relative_to(HERE)) for path in (HERE / "kefu").rglob("*.proto"))


def validate_descriptors() -> bytes:
    """A FileDescriptorSet with validate.proto and what it imports, taken from the protovalidate wheel."""
    from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
    from protovalidate._gen.buf.validate import validate_pb

    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return files.SerializeToString()


def descriptor_set(target: Path, scratch: Path) -> None:
    """Write one self-contained image of our protos (buf lint, buf breaking and the gateway read it)."""
    validate = scratch / "validate.binpb"
    validate.write_bytes(validate_descriptors())
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    from google.api import annotations_pb2

    common = Path(annotations_pb2.__file__).parents[2]
    plain = scratch / "google.binpb"
    google = [
        "google/api/annotations.proto",
        "google/api/field_behavior.proto",
        "google/api/resource.proto",
        "google/rpc/status.proto",
        "google/rpc/error_details.proto",
        "google/protobuf/empty.proto",
        "google/protobuf/struct.proto",
        "google/type/date.proto",
        "google/type/timeofday.proto",
        "google/type/dayofweek.proto",
    ]
    protoc([f"-I{well_known}", f"-I{common}", "--include_imports", f"--descriptor_set_out={plain}", *google])
    merged = scratch / "imports.binpb"
    merged.write_bytes(_merge(plain.read_bytes(), validate.read_bytes()))
    # Our files are compiled from text while their imports come from descriptors, which protoc cannot mix: so the
    # imports are given back to it as text where text exists, and validate.proto as a descriptor of its own.
    protoc(
        [
            f"-I{HERE}",
            f"--descriptor_set_in={merged}",
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={target}",
            *sources(),
        ]
    )


def _merge(*sets: bytes) -> bytes:
    from google.protobuf import descriptor_pb2

    merged = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()
    for data in sets:
        for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
            if file.name not in seen:
                seen.add(file.name)
                merged.file.add().CopyFrom(file)
    return merged.SerializeToString()


if __name__ == "__main__":
    import shutil
    s = Path(tempfile.mkdtemp())
    descriptor_set(s / "image.binpb", s)
    print((s / "image.binpb").stat().st_size)
