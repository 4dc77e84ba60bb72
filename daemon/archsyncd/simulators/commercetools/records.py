"""What the platform keeps about every resource and who touched it; knows no behaviour."""

import random
from dataclasses import dataclass
from typing import Any, NamedTuple

from archsyncd.simulators.commercetools.clock import Clock

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: the OAuth client and, from X-External-User-ID, the user it acts for."""

    client_id: str
    external_user_id: str | None = None

    def document(self) -> Document:
        """Return the createdBy or lastModifiedBy object."""
        if self.external_user_id is None:
            return {"clientId": self.client_id}
        return {"clientId": self.client_id, "externalUserId": self.external_user_id}

    def name(self) -> str:
        """Return the name a judge's journal shows."""
        return self.external_user_id or self.client_id


PLATFORM = Actor("platform")
SHOPPER = Actor("shop")
PERSON = Actor("merchant-center", "person")


class Surroundings(NamedTuple):
    """The time and the chance every part draws from."""

    clock: Clock
    chance: random.Random

    def new_id(self) -> str:
        """Return a fresh resource id (a version 4 UUID)."""
        digits = f"{self.chance.getrandbits(128):032x}"
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

    def moment_within(self, lag_seconds: float) -> float:
        """Return a moment between now and the lag's end."""
        now = self.clock.now()
        return now if lag_seconds <= 0 else now + self.chance.random() * lag_seconds


def reference(type_id: str, resource_id: str) -> Document:
    """Return a reference object."""
    return {"typeId": type_id, "id": resource_id}
