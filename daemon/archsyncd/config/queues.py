"""Rules over the keys of Pub/Sub subscriptions: nobody shares one, and an emulator is on this machine. Reads no file."""

from archsyncd.config.drafting import Draft
from archsyncd.config.faults import path_text, quoted
from archsyncd.domain.loopback import is_loopback


def subscriptions_differ(draft: Draft) -> None:
    """Two readers of one subscription would each miss what the other gets."""
    seen: dict[str, str] = {}
    places: list[tuple[tuple[str | int, ...], str]] = [
        (("feed", index, "subscription"), feed.subscription)
        for index, feed in enumerate(draft.settings.feeds)
    ]
    places.append((("orders", "notifications"), draft.settings.orders.notifications))
    for path, name in places:
        if not name or not draft.sound(*path):
            continue
        first = seen.setdefault(name, path_text(path))
        if first != path_text(path):
            told = f"is {first}'s already; two readers would each miss what the other gets"
            draft.fault(path, told, value=name)


def emulators_are_here(draft: Draft) -> None:
    """Records and no token travel in the clear: only on this machine."""
    for index, feed in enumerate(draft.settings.feeds):
        path: tuple[str | int, ...] = ("feed", index, "emulator")
        if not feed.emulator or not draft.sound(*path):
            continue
        if feed.transport != "pubsub":
            draft.fault(path, f'belongs to transport "pubsub", but this feed\'s is {quoted(feed.transport)}')
        elif not is_loopback(feed.emulator.rpartition(":")[0]):
            draft.fault(path, "must be on this machine, such as 127.0.0.1:8085", value=feed.emulator)
    notified = draft.settings.orders.notifications_emulator
    path = ("orders", "notifications_emulator")
    if notified and draft.sound(*path) and not is_loopback(notified.rpartition(":")[0]):
        draft.fault(path, "must be on this machine, such as 127.0.0.1:8085", value=notified)
