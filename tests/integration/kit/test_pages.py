"""Page tokens belong to one listing: same arguments, any page."""

from __future__ import annotations

from typing import Any

import pytest
from kefu.common.v1 import errors_pb2

from services.kit import pages
from services.kit.errors import InvalidArgument

POSITION = ["2026-11-22T01:02:03Z", 7, "id"]


def test_position_comes_back(contract: Any) -> None:
    request = contract.pb.SayRequest(name="sites/desk", text="open", page_size=10)
    assert pages.decode(request) is None
    token = pages.encode(request, POSITION)
    # The size may change from page to page.
    later = contract.pb.SayRequest(name="sites/desk", text="open", page_size=99, page_token=token)
    assert pages.decode(later) == POSITION
    assert request.page_size == 10


@pytest.mark.parametrize(
    "change",
    [{"name": "sites/shop"}, {"text": "closed"}, {"page_token": "x"}, {"page_token": "é"}, {"page_token": "A" * 5000}],
)
def test_token_of_another_listing_is_refused(contract: Any, change: dict[str, str]) -> None:
    token = pages.encode(contract.pb.SayRequest(name="sites/desk", text="open"), POSITION)
    request = contract.pb.SayRequest(**{"name": "sites/desk", "text": "open", "page_token": token, **change})
    with pytest.raises(InvalidArgument) as caught:
        pages.decode(request)
    assert caught.value.reason == errors_pb2.ERROR_REASON_PAGE_TOKEN_MISMATCH


def test_token_of_another_method_is_refused(contract: Any) -> None:
    token = pages.encode(contract.pb.ListRequest(), POSITION)
    with pytest.raises(InvalidArgument):
        pages.decode(contract.pb.SayRequest(page_token=token))
