"""Regenerate `protos/gen` from `protos/kefu`; with `--check`, say what differs from what is committed and fail.

Everything needed comes from wheels in the lock: protoc from grpcio-tools, typed stubs from mypy-protobuf, google/api
and google/rpc from googleapis-common-protos. No wheel ships `buf/validate/validate.proto` as text, so protoc gets it as
a descriptor set made from the protovalidate wheel.
"""

from __future__ import annotations

import argparse
import filecmp
import importlib.resources
import shutil
import sys
import tempfile
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from grpc_tools import protoc as compiler
from protovalidate._gen.buf.validate import validate_pb

HERE = Path(__file__).resolve().parent
GENERATED = HERE / "gen"
PACKAGES = ("kefu", "buf")
VALIDATE = "buf/validate/validate.proto"
IMAGE = "kefu/image.binpb"


def sources() -> list[str]:
    """Our .proto files relative to `protos/`, in a stable order."""
    return sorted(str(path.relative_to(HERE)) for path in (HERE / "kefu").rglob("*.proto"))


def validate_descriptors() -> bytes:
    """A FileDescriptorSet of validate.proto and its imports, from the protovalidate wheel."""
    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return files.SerializeToString()


def protoc(scratch: Path, *arguments: str) -> None:
    """Run the pinned protoc on our sources; leaves the program with its exit code when it refuses them."""
    validate = scratch / "validate.binpb"
    validate.write_bytes(validate_descriptors())
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    common = Path(str(annotations_pb2.__file__)).parents[2]
    include = [f"-I{HERE}", f"-I{well_known}", f"-I{common}", f"--descriptor_set_in={validate}"]
    plugins = [f"--plugin={path}" for path in sorted(Path(sys.executable).parent.glob("protoc-gen-mypy*"))]
    code = compiler.main(["protoc", *include, *plugins, *arguments])
    if code != 0:
        raise SystemExit(code)


def generate(target: Path) -> None:
    """Write Python modules, stubs and the descriptor image below `target`."""
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        protoc(scratch, f"--python_out={target}", f"--mypy_out=quiet:{target}", VALIDATE, *sources())
        protoc(scratch, f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}", *sources())
        image = target / IMAGE
        protoc(scratch, "--include_imports", "--include_source_info", f"--descriptor_set_out={image}", *sources())
    for package in PACKAGES:
        for folder in {path.parent for path in (target / package).rglob("*.py")}:
            for level in (folder, *folder.parents):
                if level == target:
                    break
                (level / "__init__.py").touch()
        (target / package / "py.typed").touch()
    for module in target.rglob("*_pb2_grpc.py"):
        if "Servicer" not in module.read_text():  # protoc writes one for every file, also for those without a service
            module.unlink()
            module.with_suffix(".pyi").unlink(missing_ok=True)


def differences(fresh: Path) -> list[str]:
    """Generated files that are missing, stale or left over in `protos/gen`, relative to it."""
    found = []
    for package in PACKAGES:
        names = {p.relative_to(root) for root in (fresh, GENERATED) for p in (root / package).rglob("*") if p.is_file()}
        names = {name for name in names if "__pycache__" not in name.parts}
        for name in sorted(names):
            old, new = GENERATED / name, fresh / name
            if not (old.exists() and new.exists() and filecmp.cmp(old, new, shallow=False)):
                found.append(str(name))
    return found


def main() -> int:
    """Entry point; returns 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 on any difference")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as fresh_name:
        fresh = Path(fresh_name)
        generate(fresh)
        stale = differences(fresh)
        if arguments.check:
            for name in stale:
                print(f"stale: protos/gen/{name}")
            if stale:
                print("Run `make protos` and commit the result.")
            return 1 if stale else 0
        for package in PACKAGES:
            shutil.rmtree(GENERATED / package, ignore_errors=True)
            shutil.copytree(fresh / package, GENERATED / package)
    print(f"{len(stale)} files changed" if stale else "protos/gen is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
