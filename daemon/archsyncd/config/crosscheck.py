"""Rules over several keys, each a sentence an administrator can act on. Reads no file and walks no TOML.

A rule stays silent when a value it depends on already has a fault of its own.
"""

from collections.abc import Callable
from typing import Final

from archsyncd.config.crosscheck_calls import CALL_RULES
from archsyncd.config.drafting import Draft
from archsyncd.config.faults import nearest, quoted
from archsyncd.config.kit_rules import KIT_RULES
from archsyncd.config.queues import emulators_are_here, subscriptions_differ
from archsyncd.config.service import AlertSettings
from archsyncd.config.sources import ANSWERING, NONE_ACCEPTED, FeedSettings, LocationSettings
from archsyncd.domain.quiet import cover_the_week

_ALL_PERCENT: Final = 100
AVAILABLE_TRANSPORTS: Final = ("pull", "drop", "pubsub", "push")
_ADDRESS_KEYS: Final = {"pull": "url", "drop": "directory", "pubsub": "subscription", "push": "listen"}
# A socket of systemd may stand for it.
_OPTIONAL_ADDRESS: Final = "push"


def check_rules(draft: Draft) -> None:
    """Adds a fault to the draft for every rule that its values break."""
    for rule in (*_RULES, *CALL_RULES):
        rule(draft)


def _project_is_reachable(draft: Draft) -> None:
    """Both addresses or none: a token of one place is worth nothing at another."""
    project = draft.settings.commercetools
    for present, absent in (("api_url", "auth_url"), ("auth_url", "api_url")):
        stated = draft.stated("commercetools", present)
        if stated and not getattr(project, absent) and draft.sound("commercetools", absent):
            path = ("commercetools", absent)
            draft.fault(path, f"is required beside {present}", near=("commercetools", present))


def _a_batch_fits_the_bucket(draft: Draft) -> None:
    project = draft.settings.commercetools
    if not draft.sound("commercetools", "batch_token_cost") or not draft.sound("commercetools", "burst"):
        return
    if project.batch_token_cost > project.burst:
        draft.fault(
            ("commercetools", "batch_token_cost"),
            f"must not exceed burst ({project.burst}), or a batch could never be sent",
            value=project.batch_token_cost,
            near=("commercetools", "burst"),
        )


def _some_feed_exists(draft: Draft) -> None:
    if not draft.settings.feeds and draft.sound("feed"):
        draft.fault(("feed",), "at least one source is needed: add a table [[feed]]")


def _feed_names_differ(draft: Draft) -> None:
    seen: dict[str, int] = {}
    for index, feed in enumerate(draft.settings.feeds):
        if not draft.sound("feed", index, "name"):
            continue
        first = seen.setdefault(feed.name, index)
        if first != index:
            draft.fault(
                ("feed", index, "name"),
                f"must differ from the other feeds' names; feed[{first}] is called so too",
                value=feed.name,
            )
        elif feed.name == NONE_ACCEPTED:
            draft.fault(
                ("feed", index, "name"), "is a word of snapshot_from; choose another", value=feed.name
            )


def _feeds_have_their_address(draft: Draft) -> None:
    for index, feed in enumerate(draft.settings.feeds):
        if not draft.sound("feed", index, "transport"):
            continue
        if feed.transport not in AVAILABLE_TRANSPORTS:
            draft.fault(
                ("feed", index, "transport"),
                f"{feed.transport} is not available in this version; use pull, drop or push",
                value=feed.transport,
            )
            _needs_snapshots(draft, index, feed)
            continue
        if feed.transport not in ANSWERING:
            _needs_snapshots(draft, index, feed)
        for transport, name in _ADDRESS_KEYS.items():
            _check_address(draft, index, feed, transport, name)


def _check_address(draft: Draft, index: int, feed: FeedSettings, transport: str, name: str) -> None:
    path = ("feed", index, name)
    stated = draft.stated(*path)
    if transport == feed.transport and not stated and transport != _OPTIONAL_ADDRESS:
        draft.fault(path, f"is required by transport {quoted(transport)}", near=("feed", index, "transport"))
    elif transport != feed.transport and stated and draft.sound(*path):
        draft.fault(
            path, f"belongs to transport {quoted(transport)}, but this feed's is {quoted(feed.transport)}"
        )


def _needs_snapshots(draft: Draft, index: int, feed: FeedSettings) -> None:
    if not draft.stated("feed", index, "snapshot_from"):
        draft.fault(
            ("feed", index, "snapshot_from"),
            f"is required by transport {quoted(feed.transport)}, which has no full picture of its own: "
            f"name a pull or drop feed, or {quoted(NONE_ACCEPTED)}",
            near=("feed", index, "transport"),
        )


def _snapshots_come_from_a_feed(draft: Draft) -> None:
    names = [feed.name for feed in draft.settings.feeds]
    for index, feed in enumerate(draft.settings.feeds):
        path = ("feed", index, "snapshot_from")
        if not feed.snapshot_from or feed.snapshot_from == NONE_ACCEPTED or not draft.sound(*path):
            continue
        if feed.snapshot_from == feed.name:
            draft.fault(path, "must name another feed than this one", value=feed.snapshot_from)
        elif feed.snapshot_from not in names:
            _refuse_name(draft, path, feed.snapshot_from, names, "must name a feed of this file")
        elif _transport_of(draft, feed.snapshot_from) not in ANSWERING:
            told = "must name a pull or drop feed: the one that is named has no full picture of its own"
            draft.fault(path, told, value=feed.snapshot_from)


def _transport_of(draft: Draft, name: str) -> str:
    """The transport of a feed; "pull" where another fault leaves it open."""
    for index, feed in enumerate(draft.settings.feeds):
        if feed.name == name and draft.sound("feed", index, "transport"):
            return feed.transport
    return "pull"


def _directories_differ(draft: Draft) -> None:
    seen: dict[str, int] = {}
    for index, feed in enumerate(draft.settings.feeds):
        if feed.directory is None or not draft.sound("feed", index, "directory"):
            continue
        first = seen.setdefault(str(feed.directory), index)
        if first != index:
            draft.fault(
                ("feed", index, "directory"),
                f"is feed[{first}]'s already; two feeds would claim each other's files: give each kind of file a directory, a "
                "feed and a profile of its own, or list both under names of one profile where they are written alike",
                value=str(feed.directory),
            )


def _feeds_tell_of_mapped_locations(draft: Draft) -> None:
    places = draft.settings.locations
    names = [name for name, place in places.items() if not place.ignore]
    for index, feed in enumerate(draft.settings.feeds):
        path = ("feed", index, "locations")
        if not draft.sound(*path) or not _every_location_is_settled(draft):
            continue
        for place, name in enumerate(feed.locations):
            if name not in names:
                told = "must be a location of this file that is not ignored"
                _refuse_name(draft, (*path, place), name, names, told)


def _locations_fill_a_channel(draft: Draft) -> None:
    for name, place in draft.settings.locations.items():
        path = ("locations", name)
        if not draft.sound(*path):
            continue
        stated = [word for word in ("channel", "shares", "ignore") if getattr(place, word)]
        if stated == ["channel", "shares"]:
            draft.fault(
                (*path, "shares"),
                "a location fills one channel, or is shared by several, not both",
                at_key=True,
            )
        elif place.ignore and len(stated) > 1:
            draft.fault(
                (*path, "ignore"), "a location either fills a channel or is ignored, not both", value=True
            )
        elif not stated:
            draft.fault(path, "must name the channel it fills, or say ignore = true")
        elif sum(place.shares.values()) > _ALL_PERCENT:
            told = f"must come to {_ALL_PERCENT} at most, and come to {sum(place.shares.values())}: the rest would be sold twice"
            draft.fault((*path, "shares"), told)


def _channels_are_filled(draft: Draft) -> None:
    if not _every_location_is_settled(draft):
        return
    filled = {name for place in draft.settings.locations.values() for name in place.channels}
    for channel in draft.settings.channels:
        if channel not in filled:
            draft.fault(
                ("channels", channel),
                "no location fills this channel",
                _as_key(nearest(channel, filled)),
                at_key=True,
            )


def _shared_channels_name_an_order_location(draft: Draft) -> None:
    members: dict[str, list[str]] = {}
    for name, place in draft.settings.locations.items():
        if _fills(draft, name, place):
            for channel in place.channels:
                members.setdefault(channel, []).append(name)
    for channel, names in members.items():
        path = ("channels", channel, "order_location")
        rules = draft.settings.channels.get(channel)
        chosen = rules.order_location if rules else None
        if not draft.sound(*path):
            continue
        if chosen is None and len(names) > 1:
            draft.fault(
                path,
                f"is required, as {_listed(names)} share this channel: name one of them, "
                'or "" to let Archean choose',
                near=("channels", channel)
                if draft.stated("channels", channel)
                else (
                    "locations",
                    names[1],
                    "shares" if draft.settings.locations[names[1]].shares else "channel",
                ),
            )
        elif chosen and chosen not in names:
            _refuse_name(
                draft, path, chosen, names, f'must be "" or a location of this channel: {_listed(names)}'
            )


def _default_location_is_sold_from(draft: Draft) -> None:
    chosen = draft.settings.orders.default_location
    path = ("orders", "default_location")
    names = [name for name, place in draft.settings.locations.items() if not place.ignore]
    if chosen and draft.sound(*path) and draft.sound("locations") and chosen not in names:
        _refuse_name(draft, path, chosen, names, 'must be "" or a location of this file that is not ignored')
    elif (
        chosen
        and draft.sound(*path)
        and draft.sound("locations")
        and len(draft.settings.locations[chosen].channels) > 1
    ):
        told = "must fill one channel: nobody can say from which of its channels a line without one is taken"
        draft.fault(path, told, value=chosen)


def _orders_mode_is_possible(draft: Draft) -> None:
    mode = draft.settings.orders.mode
    path = ("orders", "mode")
    names = [feed.name for feed in draft.settings.feeds]
    stated = draft.stated("orders", "hand_over_to")
    if (
        mode == "hand-over"
        and not stated
        and len(names) > 1
        and draft.settings.orders.hand_over_to not in names
    ):
        told = "is required by mode hand-over where several feeds are read: name the one whose source takes orders"
        draft.fault(("orders", "hand_over_to"), told, near=path)
    tracked = draft.settings.commercetools.inventory_mode == "tracked"
    if mode == "off" and tracked and draft.sound("commercetools", "inventory_mode"):
        told = "off would oversell while inventory_mode is tracked, as orders must be counted; use observe"
        draft.fault(path, told, value=mode)


def _a_custom_field_has_its_values(draft: Draft) -> None:
    eligible = draft.settings.orders.eligible
    for present, absent in (("custom_field", "custom_values"), ("custom_values", "custom_field")):
        path = ("orders", "eligible", absent)
        if getattr(eligible, present) and not getattr(eligible, absent) and draft.sound(*path):
            draft.fault(path, f"is required beside {present}", near=("orders", "eligible", present))


def _orders_go_to_a_feed(draft: Draft) -> None:
    names = [feed.name for feed in draft.settings.feeds]
    path = ("orders", "hand_over_to")
    chosen = draft.settings.orders.hand_over_to
    if draft.stated(*path) and draft.sound(*path) and draft.sound("feed") and chosen not in names:
        _refuse_name(draft, path, chosen, names, "must name a feed of this file")
        return
    if not draft.stated(*path) and len(names) == 1:
        chosen = names[0]  # whoever has one feed means that one
    if draft.settings.orders.mode == "hand-over" and chosen in names and draft.sound(*path):
        transport = _transport_of(draft, chosen)
        if transport not in ANSWERING:
            told = (
                f"must name a feed whose source takes orders (pull or drop); {chosen} is read by {transport}"
            )
            draft.fault(path, told, value=chosen, near=("orders", "mode"))


def _a_directory_answers_no_look_up(draft: Draft) -> None:
    orders = draft.settings.orders
    path = ("orders", "duplicate_protection")
    source = next((feed for feed in draft.settings.feeds if feed.name == orders.hand_over_to), None)
    if orders.mode != "hand-over" or orders.duplicate_protection != "lookup" or source is None:
        return
    if source.transport == "drop" and draft.sound(*path) and draft.sound("feed"):
        told = (
            f"lookup needs a source that answers questions, and {source.name} is a directory; use key or none"
        )
        draft.fault(path, told, value=orders.duplicate_protection)


def _an_allow_list_has_its_file(draft: Draft) -> None:
    rollout = draft.settings.rollout
    path = ("rollout", "skus_file")
    if rollout.stage == "allow-list" and rollout.skus_file is None and draft.sound(*path):
        draft.fault(path, 'is required by stage "allow-list"', near=("rollout", "stage"))


def _late_comes_before_critical(draft: Draft) -> None:
    for what in ("decrease", "orders"):
        path, other = ("health", f"{what}_late_seconds"), ("health", f"{what}_critical_seconds")
        if not draft.sound(*path) or not draft.sound(*other):
            continue
        late, critical = (getattr(draft.settings.health, name) for _, name in (path, other))
        if late >= critical:
            draft.fault(path, f"must be below {other[1]} ({critical})", value=late, near=other)


def _quiet_hours_have_a_zone(draft: Draft) -> None:
    tables: list[tuple[tuple[str | int, ...], FeedSettings | AlertSettings]] = [
        (("feed", index), feed) for index, feed in enumerate(draft.settings.feeds)
    ]
    for path, table in [*tables, (("alerts",), draft.settings.alerts)]:
        hours, zone = (*path, "quiet"), (*path, "timezone")
        if table.quiet and not table.timezone and draft.sound(*zone):
            draft.fault(zone, "is required beside quiet", near=hours)
        if table.quiet and draft.sound(*hours) and cover_the_week(table.quiet):
            draft.fault(hours, "must leave some hour of the week")


def _sockets_differ(draft: Draft) -> None:
    listen = draft.settings.status.listen
    path = ("status", "listen")
    if listen is None or listen.path != draft.settings.daemon.control_socket:
        return
    if draft.sound(*path) and draft.sound("daemon", "control_socket"):
        draft.fault(
            path, "must differ from control_socket", value=str(listen), near=("daemon", "control_socket")
        )


def _refuse_name(
    draft: Draft, path: tuple[str | int, ...], chosen: str, names: list[str], allowed: str
) -> None:
    near = nearest(chosen, names)
    draft.fault(path, allowed, quoted(near) if near else None, value=chosen)


def _fills(draft: Draft, name: str, place: LocationSettings) -> bool:
    sound = all(draft.sound("locations", name, word) for word in ("channel", "shares", "ignore"))
    return sound and bool(place.channels)


def _every_location_is_settled(draft: Draft) -> bool:
    """Whether it is known of every location which channel it fills; a misspelt one may be the one that is missed."""
    written = draft.tree.get("locations", {})
    places = draft.settings.locations
    if not isinstance(written, dict) or len(written) != len(places):
        return False
    return all(place.ignore or _fills(draft, name, place) for name, place in places.items())


def _as_key(name: str | None) -> str | None:
    return f'[channels."{name}"]' if name else None


def _listed(names: list[str]) -> str:
    most = 5
    told = [quoted(name) for name in names[:most]]
    return ", ".join(told) + (f" and {len(names) - most} more" if len(names) > most else "")


_RULES: Final[tuple[Callable[[Draft], None], ...]] = (
    _project_is_reachable,
    _a_batch_fits_the_bucket,
    _some_feed_exists,
    _feed_names_differ,
    _feeds_have_their_address,
    _snapshots_come_from_a_feed,
    _directories_differ,
    subscriptions_differ,
    emulators_are_here,
    _feeds_tell_of_mapped_locations,
    _locations_fill_a_channel,
    _channels_are_filled,
    _shared_channels_name_an_order_location,
    _default_location_is_sold_from,
    _orders_mode_is_possible,
    _a_custom_field_has_its_values,
    _orders_go_to_a_feed,
    _a_directory_answers_no_look_up,
    _an_allow_list_has_its_file,
    *KIT_RULES,
    _late_comes_before_critical,
    _quiet_hours_have_a_zone,
    _sockets_differ,
)
