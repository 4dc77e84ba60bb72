"""The common part of document-shaped resources: ids, versions, audit fields; knows no resource's content."""

from archsyncd.simulators.commercetools.clock import stamp
from archsyncd.simulators.commercetools.predicates import FieldKinds, Kind
from archsyncd.simulators.commercetools.records import Actor, Document, Surroundings

AUDIT: FieldKinds = {
    "id": Kind.TEXT,
    "version": Kind.NUMBER,
    "createdAt": Kind.MOMENT,
    "lastModifiedAt": Kind.MOMENT,
    "createdBy": {"clientId": Kind.TEXT, "externalUserId": Kind.TEXT},
    "lastModifiedBy": {"clientId": Kind.TEXT, "externalUserId": Kind.TEXT},
}
REFERENCE: FieldKinds = {"typeId": Kind.TEXT, "id": Kind.TEXT}


def created(around: Surroundings, actor: Actor) -> Document:
    """Return the audit fields of a resource made now."""
    now = stamp(around.clock.now())
    who = actor.document()
    return {
        "id": around.new_id(),
        "version": 1,
        "createdAt": now,
        "lastModifiedAt": now,
        "createdBy": who,
        "lastModifiedBy": who,
    }


def touched(document: Document, around: Surroundings, actor: Actor) -> Document:
    """Return the document one version later."""
    return {
        **document,
        "version": document["version"] + 1,
        "lastModifiedAt": stamp(around.clock.now()),
        "lastModifiedBy": actor.document(),
    }
