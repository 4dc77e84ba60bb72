"""A site's end tells of every exchange that does not fit the vendor's description."""

from __future__ import annotations

import json

import pytest
from multidict import CIMultiDict

from archsyncd.simulators.commercetools.exchange import Delivery, Reply, Request
from tests.support.virtual_time import virtual
from tests.system.inside import inside
from tests.vendor_api import VendorMismatchError, vendor_api


def _asked(path: str, body: object) -> Request:
    return Request("POST", path, "", CIMultiDict(), json.dumps(body).encode())


@virtual
async def test_one_wrong_exchange_fails_the_whole_site() -> None:
    """A request that the vendor does not describe, of a shape never sent before."""
    vendor_api()  # skips, and says why, where the description is not at hand
    with pytest.raises(VendorMismatchError, match="anotherAction"):
        await _site_of({"version": 1, "actions": [{"action": "anotherAction", "quantity": 1}]})


async def _site_of(body: object) -> None:
    async with inside() as (site, _):
        site.watcher.note(_asked("/demo/inventory/e", body), Reply(200, b"", delivery=Delivery.DROPPED))


@virtual
async def test_what_a_script_spoilt_on_purpose_is_held_against_nobody() -> None:
    """The request still is; the answer is no answer of the platform."""
    vendor_api()
    async with inside() as (site, _):
        body = {"version": 1, "actions": [{"action": "removeQuantity", "quantity": 1}]}
        site.watcher.note(_asked("/demo/inventory/e", body), Reply(200, b"<html>", genuine=False))
