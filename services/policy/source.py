"""Strict YAML: one document, no duplicate keys, no aliases, every node with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer

from services.policy.faults import Fault, ProfileRefusedError

MAX_BYTES = 1_000_000


class _StrictLoader(Composer, yaml.CSafeLoader):
    """Makes nodes of what libyaml parses, and refuses aliases and tags: a profile says each thing in its place, types
    are the contract's."""

    def __init__(self, stream: str) -> None:
        yaml.CSafeLoader.__init__(self, stream)
        Composer.__init__(self)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent) or tag:
            refused = f"the tag {tag} is not allowed" if tag else "aliases are not allowed"
            raise yaml.composer.ComposerError(None, None, refused, event.start_mark)
        return super().compose_node(parent, index)


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
        node = _StrictLoader(data.decode("utf-8")).get_single_node()
    except UnicodeDecodeError as error:
        raise _refuse(f"is not UTF-8 at byte {error.start}", "Save it as UTF-8", path) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise _refuse(f"is not valid YAML: {error.problem}", "Correct the line", path, line) from error
    except RecursionError as error:
        raise _refuse("is nested too deeply", "Write plain sections", path) from error
    except yaml.YAMLError as error:
        raise _refuse(f"is not valid YAML: {error}", "Correct the file", path) from error
    if not isinstance(node, yaml.MappingNode):
        raise _refuse("is not a mapping of settings", "Begin with `site:` and the other sections", path)
    return node


def _refuse(reason: str, write: str, path: Path, line: int = 0) -> ProfileRefusedError:
    return ProfileRefusedError([Fault("", reason, write, str(path), line)])


def line(node: yaml.Node) -> int:
    """Line of a node, from 1."""
    return int(node.start_mark.line) + 1
