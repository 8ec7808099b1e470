"""Strict YAML: one document, no duplicate keys, no aliases, every node with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from services.policy.faults import Fault, ProfileRefusedError

MAX_BYTES = 1_000_000


# libyaml's parser is ten times faster; where PyYAML came without it, its own does.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_NESTED: Final = 40


def read(path: Path) -> yaml.MappingNode:
    """The document of a file as nodes; raises ProfileRefusedError when it is no single YAML mapping."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _refuse(f"cannot be read ({error.strerror})", "Give a readable file", path) from error
    return parse(data, path)


def parse(data: bytes, path: Path) -> yaml.MappingNode:
    """As `read`, from bytes; `path` is for messages only."""
    if len(data) > MAX_BYTES:
        raise _refuse("is larger than 1 MB", "Write one site's profile in the file", path)
    try:
        text = data.decode("utf-8")
        _be_plain(text, path)
        node = yaml.compose(text, _LOADER)
    except UnicodeDecodeError as error:
        raise _refuse(f"is not UTF-8 at byte {error.start}", "Save it as UTF-8", path) from error
    except yaml.MarkedYAMLError as error:
        raise _invalid(str(error.problem), error.problem_mark, path) from error
    except yaml.YAMLError as error:
        raise _refuse(f"is not valid YAML: {error}", "Correct the file", path) from error
    if not isinstance(node, yaml.MappingNode):
        raise _refuse("is not a mapping of settings", "Begin with `site:` and the other sections", path)
    return node


def _be_plain(text: str, path: Path) -> None:
    """Refuse aliases and tags, and what is nested too deeply to be anybody's profile.

    A profile says each thing in its place, types are the contract's.
    """
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise _invalid("aliases are not allowed", event.start_mark, path)
        if tag := getattr(event, "tag", None):
            raise _invalid(f"the tag {tag} is not allowed", event.start_mark, path)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_NESTED:
            raise _invalid("it is nested too deeply; write plain sections", event.start_mark, path)


def _invalid(problem: str, mark: Any, path: Path) -> ProfileRefusedError:
    return _refuse(f"is not valid YAML: {problem}", "Correct the line", path, mark.line + 1 if mark else 0)


def _refuse(reason: str, write: str, path: Path, line: int = 0) -> ProfileRefusedError:
    return ProfileRefusedError([Fault("", reason, write, str(path), line)])


def line(node: yaml.Node) -> int:
    """Line of a node, from 1."""
    return int(node.start_mark.line) + 1
