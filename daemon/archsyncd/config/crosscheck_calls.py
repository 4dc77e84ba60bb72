"""Rules over the keys of feeds that are called (`push`). Reads no file and walks no TOML."""

from collections.abc import Callable, Iterator
from typing import Final

from archsyncd.config.drafting import Draft
from archsyncd.config.faults import quoted
from archsyncd.config.signing import SignatureSettings
from archsyncd.config.sources import FeedSettings
from archsyncd.domain.loopback import is_loopback
from archsyncd.wire.webhook import Algorithm

_ONLY_PUSH: Final = (
    "path",
    "certificate",
    "trusted_proxies",
    "calls_per_second",
    "fetch",
    "sku_path",
    "signature",
)


def _called(draft: Draft) -> Iterator[tuple[int, FeedSettings]]:
    for index, feed in enumerate(draft.settings.feeds):
        if draft.sound("feed", index, "transport") and feed.transport == "push":
            yield index, feed


def _keys_of_calls_stand_there_alone(draft: Draft) -> None:
    for index, feed in enumerate(draft.settings.feeds):
        if not draft.sound("feed", index, "transport") or feed.transport == "push":
            continue
        for name in _ONLY_PUSH:
            path = ("feed", index, name)
            if draft.stated(*path) and draft.sound(*path):
                told = f"belongs to transport {quoted('push')}, but this feed's is {quoted(feed.transport)}"
                draft.fault(path, told, at_key=True)


def _what_is_only_named_can_be_read(draft: Draft) -> None:
    transports = {feed.name: feed.transport for feed in draft.settings.feeds}
    for index, feed in _called(draft):
        path = ("feed", index, "fetch")
        if not feed.fetch or not draft.sound(*path) or not draft.sound("feed", index, "snapshot_from"):
            continue
        if transports.get(feed.snapshot_from, "pull") != "pull" or feed.snapshot_from not in transports:
            told = (
                "needs a pull feed in snapshot_from, which is asked for the level of each SKU that is named"
            )
            draft.fault(path, told, value=True)


def _plain_calls_stay_on_this_machine(draft: Draft) -> None:
    for index, feed in _called(draft):
        path = ("feed", index, "listen")
        if feed.listen is None or not draft.sound(*path) or not draft.sound("feed", index, "certificate"):
            continue
        if feed.listen.path is None and not is_loopback(feed.listen.host) and feed.certificate is None:
            told = (
                "must be on this machine (127.0.0.1, or unix:/…) where there is no certificate: let a proxy end TLS, or "
                "state certificate"
            )
            draft.fault(path, told, value=str(feed.listen))
        elif feed.listen.path is not None and feed.certificate is not None:
            draft.fault(("feed", index, "certificate"), "is of no use on a Unix socket")


def _calls_can_be_told_apart(draft: Draft) -> None:
    seen: dict[tuple[str, str], int] = {}
    shown: dict[str, int] = {}
    for index, feed in _called(draft):
        if not draft.sound("feed", index, "path") or not draft.sound("feed", index, "listen"):
            continue
        place = str(feed.listen or "")
        first = seen.setdefault((place, feed.path), index)
        if first != index:
            told = f"is feed[{first}]'s already at the same place; each feed needs a path of its own"
            draft.fault(("feed", index, "path"), told, value=feed.path, near=("feed", index, "transport"))
        other = shown.setdefault(place, index)
        if draft.settings.feeds[other].certificate != feed.certificate and draft.sound(
            "feed", index, "certificate"
        ):
            told = f"must be as feed[{other}]'s, which is called at the same place"
            draft.fault(("feed", index, "certificate"), told, near=("feed", index, "transport"))


def _signatures_hold_together(draft: Draft) -> None:
    for index, feed in _called(draft):
        path = ("feed", index, "signature")
        if not draft.sound(*path):
            continue
        for name, told in _untied(feed.signature):
            draft.fault((*path, name), told, near=("feed", index, "transport"))


def _untied(how: SignatureSettings) -> Iterator[tuple[str, str]]:
    """Keys of a signature that others ask for, each with what is wrong."""
    if how.algorithm is Algorithm.OIDC:
        yield from (
            (name, 'is required by algorithm "oidc"')
            for name in ("audience", "email")
            if not getattr(how, name)
        )
    if how.algorithm is not Algorithm.HMAC_SHA256:
        return
    if not how.header:
        yield "header", "must name the header that holds the signature"
    if "{id}" in how.content and not how.id_header:
        yield "id_header", "is required, as content signs the id"
    if "{ts}" in how.content and not how.ts_header:
        yield "ts_header", "is required, as content signs the time"
    if how.ts_header and "{ts}" not in how.content:
        yield "ts_header", 'must be "": content does not sign the time, and anybody could write another one'


def _a_caller_takes_no_orders(draft: Draft) -> None:
    orders = draft.settings.orders
    path = ("orders", "hand_over_to")
    chosen = next((feed for feed in draft.settings.feeds if feed.name == orders.hand_over_to), None)
    if orders.mode != "hand-over" or chosen is None or chosen.transport != "push":
        return
    if draft.sound(*path) and draft.sound("feed"):
        told = "must name a pull or drop feed: a source that calls is not called itself, and takes no orders"
        draft.fault(path, told, value=orders.hand_over_to, near=("orders", "mode"))


CALL_RULES: Final[tuple[Callable[[Draft], None], ...]] = (
    _keys_of_calls_stand_there_alone,
    _what_is_only_named_can_be_read,
    _plain_calls_stay_on_this_machine,
    _calls_can_be_told_apart,
    _signatures_hold_together,
    _a_caller_takes_no_orders,
)
