"""Resource names, page tokens, update masks, ids and deadlines."""

from __future__ import annotations

import random
import uuid

import pytest
from google.protobuf import field_mask_pb2
from google.protobuf.type_pb2 import Type
from hypothesis import given
from hypothesis import strategies as st

from services.kit import masks, pages
from services.kit.deadline import Deadline
from services.kit.errors import DeadlineExceeded, InvalidArgument
from services.kit.ids import Ids, is_uuid, uuid7
from services.kit.resource_names import ResourceName

CONVERSATION = ResourceName("sites/{site}/conversations/{conversation}")
SEGMENT = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,62}", fullmatch=True)


@given(SEGMENT, SEGMENT)
def test_name_round_trip(site: str, conversation: str) -> None:
    name = CONVERSATION.format(site, conversation)
    assert name == f"sites/{site}/conversations/{conversation}"
    assert CONVERSATION.parse(name) == (site, conversation)


@pytest.mark.parametrize(
    "name",
    ["", "sites/a", "sites//conversations/c", "sites/a/conversations/", "sites/a/conversations/c/messages/m",
     "sites/a b/conversations/c", "sites/a/conversations/c\n", "x/sites/a/conversations/c", "sites/-/conversations/c"],
)  # fmt: skip
def test_foreign_name_is_refused(name: str) -> None:
    assert not CONVERSATION.matches(name)
    with pytest.raises(InvalidArgument) as caught:
        CONVERSATION.parse(name, "parent")
    assert caught.value.fields[0].field == "parent"
    assert CONVERSATION.template in caught.value.fields[0].description


@pytest.mark.parametrize("ids", [("a",), ("a", "b", "c"), ("a", "b/c"), ("", "b")])
def test_wrong_ids_make_no_name(ids: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"ids, not|is no"):
        CONVERSATION.format(*ids)


def test_uuid7_holds_time_and_version() -> None:
    text = uuid7(0x0190_B2C8_1111, (1 << 74) - 1)
    assert text == "0190b2c8-1111-7fff-bfff-ffffffffffff"
    assert uuid.UUID(uuid7(1, 0)).version == 7
    assert uuid.UUID(uuid7(1, 0)).variant == uuid.RFC_4122


def test_ids_rise_even_when_the_clock_stands_or_goes_back() -> None:
    now = [1_000]
    ids = Ids(milliseconds=lambda: now[0], random_bits=random.Random(7).getrandbits)
    made = []
    for step in range(3_000):
        now[0] += (0, 0, 1, -1)[step % 4]
        made.append(ids())
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(is_uuid(one) for one in made)


def test_seeded_ids_repeat() -> None:
    def three() -> list[str]:
        ids = Ids(milliseconds=lambda: 5, random_bits=random.Random(1).getrandbits)
        return [ids() for _ in range(3)]

    assert three() == three()


def test_ids_overflow_into_the_next_millisecond() -> None:
    ids = Ids(milliseconds=lambda: 5, random_bits=lambda bits: (1 << bits) - 1)
    first, second = ids(), ids()
    assert first < second
    assert second.startswith("00000000-0006")


@pytest.mark.parametrize(
    "text", ["", "x" * 36, "0190B2C8-1111-7FFF-BFFF-FFFFFFFFFFFF", "0190b2c8111-1-7fff-bfff-ffffffffffff"]
)
def test_no_uuid(text: str) -> None:
    assert not is_uuid(text)


@pytest.mark.parametrize(("wanted", "size"), [(0, 50), (1, 1), (1000, 1000), (5000, 1000)])
def test_page_size(wanted: int, size: int) -> None:
    assert pages.page_size(wanted) == size


def test_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        pages.page_size(-1)
    assert caught.value.fields[0].field == "page_size"


def mask(*names: str) -> field_mask_pb2.FieldMask:
    return field_mask_pb2.FieldMask(paths=names)


def test_mask_paths() -> None:
    allowed = ["name", "source_context"]
    assert masks.paths(mask("name", "source_context.file_name", "name"), Type(), allowed=allowed) == (
        "name",
        "source_context.file_name",
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "is required"),
        (["*"], "name each field"),
        (["nothing"], "nothing: no such field"),
        (["name.inner"], "name.inner: no such field"),
        (["edition"], "edition: cannot be changed; these can: name"),
        (["fields.name"], "fields.name: no such field"),
    ],
)
def test_bad_mask(names: list[str], words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        masks.paths(mask(*names), Type(), allowed=["name"])
    assert caught.value.fields[0].field == "update_mask"
    assert words in caught.value.fields[0].description


def test_mask_applied() -> None:
    source = Type(name="new", edition="new")
    target = Type(name="old", edition="old", oneofs=["a", "b"])
    masks.apply(["name", "oneofs"], source, target)
    assert target == Type(name="new", edition="old")


def test_deadline_shares_its_time() -> None:
    deadline = Deadline(1.0)
    assert 0.8 < deadline.within(10) < 0.96
    assert deadline.within(0.2) == 0.2
    assert Deadline(None).within(10) == 10
    assert Deadline(None).remaining() is None
    with pytest.raises(DeadlineExceeded):
        Deadline(0.01).within(10)
