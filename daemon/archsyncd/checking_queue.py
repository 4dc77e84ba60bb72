"""What Google Pub/Sub says of a subscription to a check by hand. Asks, and pulls nothing."""

from __future__ import annotations

from collections.abc import Iterator

from archsyncd.adapters.pubsub import Subscription
from archsyncd.config import MappingNote, Weight
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.pubsub import SubscriptionTold

_FACT, _WRONG = Weight.FACT, Weight.WRONG


async def queue_notes(subject: str, subscription: Subscription) -> list[MappingNote]:
    """Whether a subscription may be pulled, and what it is; nothing is pulled for that."""
    try:
        may_pull = await subscription.may_pull()
        return list(_subscription(subject, may_pull, await subscription.describe()))
    except FeedFault as fault:
        return [MappingNote(_WRONG, subject, fault.reason)]


def _subscription(
    subject: str, may_pull: bool | None, told: SubscriptionTold | None
) -> Iterator[MappingNote]:
    """What a subscription is like, and which role our account lacks."""
    if may_pull is False:
        lacks = "may not be pulled by our account: grant it roles/pubsub.subscriber on the subscription"
        yield MappingNote(_WRONG, subject, lacks)
    elif may_pull:
        yield MappingNote(_FACT, subject, "may be pulled by our account")
    else:
        yield MappingNote(_FACT, subject, "exists; an emulator does not say who may pull it")
    if told is None:
        blind = "its settings may not be looked at, which needs roles/pubsub.viewer and nothing else does"
        yield MappingNote(_FACT, subject, blind)
        return
    if told.pushes:
        yield MappingNote(_WRONG, subject, "pushes its messages to an address: make it a pull subscription")
    if told.detached:
        yield MappingNote(
            _WRONG, subject, "is detached from its topic, or that is deleted: nothing will come"
        )
    dead = f", a dead-letter topic after {told.attempts} deliveries" if told.attempts is not None else ""
    yield MappingNote(_FACT, subject, f"of {told.topic}, deadline {told.deadline_seconds} s{dead}")
