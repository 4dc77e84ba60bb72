"""The stock ledger: what one key's published quantity must become, and how one write to it is settled.

commercetools takes a tracked order's units out of quantityOnStock itself, at once, and keeps no memory of it. So we never
set that quantity: we move it by increments, and each increment leaves a marker on the entry in the same request.

X = f(W) + refl − N is the supply with the effect of tracked orders undone, where refl counts units of tracked lines that
the warehouse's figure is proven to exclude already, and N units that commercetools does not track and the warehouse does
not exclude yet. X moves only for reasons commercetools does not know of; what we owe it is always X − (what we applied).
Increments commute with orders, so no order can be overwritten, known to us or not. Pure: no I/O, clock or chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from archsyncd.domain.feed import Figure, Position
from archsyncd.domain.inventory import Marker
from archsyncd.domain.kits import Components
from archsyncd.domain.stock import ChannelPolicy, StoredLevel, sellable_quantity


class Base(StrEnum):
    """What x_applied rests on. UNKNOWN: the entry was never looked at. PROVISIONAL: may lower at once, may not raise.

    BOUNDED: certainly not too low, perhaps too high by orders that were under way when the entry was read. It may raise, and
    is read again until it is exact; a key that is ordered all the time never gives a clean read.
    """

    UNKNOWN = "unknown"
    PROVISIONAL = "provisional"
    BOUNDED = "bounded"
    PROVEN = "proven"


@dataclass(frozen=True, slots=True)
class Proof:
    """A statement that a figure excludes `quantity` pieces of a line from `position` of `feed` on.

    `location` None: the source did not say where. `figure` AVAILABLE: from an acceptance or a level that names the order;
    ON_HAND: from a shipped fulfilment, which excludes the pieces from both figures. `source` tells statements that add up
    (several shipments) from those that repeat each other; it is the fulfilment's id, else empty.
    """

    feed: str
    position: Position
    figure: Figure
    quantity: int
    location: str | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that counts in one key. `tracked`: commercetools took its units out of this very entry.

    `there`: how many pieces Archean can have of it, None: all. No statement about the order is about more.
    `parts`: what was told of components of a kit's line, by the names of `domain/kit_lines.py`. `made_of`: what a kit's line
    was handed over as, each component with its pieces; empty where that was not written down.
    """

    order_id: str
    line_id: str
    quantity: int
    tracked: bool
    proofs: tuple[Proof, ...] = ()
    released: bool = False
    created_ms: int = 0
    accepted_ms: int | None = None
    there: int | None = None
    parts: tuple[tuple[str, Proof], ...] = ()
    made_of: Components = ()

    @property
    def provable(self) -> int:
        """Pieces that Archean can tell of; asking it about others is in vain."""
        return self.quantity if self.there is None else min(self.quantity, self.there)


@dataclass(frozen=True, slots=True)
class Figures:
    """A key's figures, in pieces: f(W), refl, N, all tracked units known (reflected or not), and X."""

    f: int
    refl: int
    ntrk: int
    known: int

    @property
    def x_target(self) -> int:
        """X: what the sum of our increments must come to."""
        return self.f + self.refl - self.ntrk

    @property
    def stock_target(self) -> int:
        """A*: what quantityOnStock is at rest; negative is a debt and stays negative."""
        return self.x_target - self.known


def holds(proof: Proof, level: StoredLevel, sells: Figure) -> bool:
    """Whether a level already excludes what a proof is about: same feed, same epoch, at or after, and the right figure.

    An acceptance proves nothing about on hand; a shipment proves both figures.
    """
    if proof.figure is Figure.AVAILABLE and sells is Figure.ON_HAND:
        return False
    return (
        proof.feed == level.feed
        and proof.position.epoch == level.position.epoch
        and proof.position.seq <= level.position.seq
    )


def reflected_units(line: Line, policy: ChannelPolicy, levels: Mapping[str, StoredLevel]) -> int:
    """How many of a line's pieces the key's levels are proven to exclude, 0 to its quantity.

    Located proofs count location by location; one without a location counts only when every location of the channel has a
    level at or after it. Shipments add up, acceptances repeat each other. A line released without effect on the warehouse
    counts whole. What an edit added to an order that Archean has as it was is proven by nothing.
    """
    if line.released:
        return line.quantity
    by_place = _told_by_place(proof for proof in line.proofs if _covered(proof, policy, levels))
    unlocated = by_place.pop("", 0)
    return min(line.provable, max(unlocated, sum(by_place.values())))


def _told_by_place(proofs: Iterable[Proof]) -> dict[str, int]:
    """Pieces by location that proofs speak of, "" where none is told: shipments add up, acceptances repeat each other."""
    accepted: dict[str, int] = {}
    shipped: dict[str, int] = {}
    for proof in proofs:
        place = proof.location or ""
        if proof.figure is Figure.ON_HAND:
            shipped[place] = shipped.get(place, 0) + proof.quantity
        else:
            accepted[place] = max(accepted.get(place, 0), proof.quantity)
    return {place: max(accepted.get(place, 0), shipped.get(place, 0)) for place in accepted | shipped}


def placed_units(proofs: Iterable[Proof], quantity: int, default: str | None) -> dict[str, int]:
    """Pieces of a line by the location that fulfils them: as told, the rest from `default`; what nobody can place is left out."""
    left = quantity
    found: dict[str, int] = {}
    for place, told in sorted(_told_by_place(proof for proof in proofs if proof.location).items()):
        found[place] = min(told, left)
        left -= found[place]
    if default is not None and left > 0:
        found[default] = found.get(default, 0) + left
    return found


def _covered(proof: Proof, policy: ChannelPolicy, levels: Mapping[str, StoredLevel]) -> bool:
    places = (proof.location,) if proof.location else tuple(policy.locations)
    for name in places:
        location, level = policy.locations.get(name), levels.get(name)
        if location is None or level is None or not holds(proof, level, location.sellable):
            return False
    return bool(places)


def figures(
    policy: ChannelPolicy,
    levels: Mapping[str, StoredLevel],
    lines: Iterable[Line],
    closed_units: int,
    withheld: frozenset[str] = frozenset(),
) -> Figures:
    """A key's figures. `closed_units`: tracked pieces of closed lines, reflected for good and folded into one number."""
    f = sellable_quantity(policy, levels.values(), withheld)
    return Figures(
        f, *units_of(((line, reflected_units(line, policy, levels)) for line in lines), closed_units)
    )


def units_of(lines: Iterable[tuple[Line, int]], closed_units: int) -> tuple[int, int, int]:
    """refl, N and the tracked units known, from lines with how many pieces of each are reflected."""
    refl = known = closed_units
    ntrk = 0
    for line, reflected in lines:
        if line.tracked:
            refl += reflected
            known += line.quantity
        else:
            ntrk += line.quantity - reflected
    return refl, ntrk, known


@dataclass(frozen=True, slots=True)
class Operation:
    """A write in flight: its id, the delta it makes and the applied X it stands on. Durable before its first byte."""

    op_id: str
    delta: int
    base: int

    @property
    def x_after(self) -> int:
        """The ledger value once it has taken effect."""
        return self.base + self.delta


PROVISIONAL_SIGN = "p"


def signature(marker: Marker) -> str:
    """What tells one state of an entry's marker from another: ledger and op id, empty without a marker."""
    return f"{marker.ledger or ''}/{marker.op_id or ''}" if marker.ledger or marker.op_id else ""


class Finding(StrEnum):
    """What an entry's marker says about an operation of ours."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    LATE_OWN = "late_own"
    FOREIGN = "foreign"
    FENCED = "fenced"


def judge(
    marker: Marker,
    ledger: str,
    fence: int,
    operation: Operation,
    superseded: Sequence[str] = (),
    seen: str | None = None,
) -> Finding:
    """Settle what became of an operation from the entry's marker.

    A newer fence means another tenure writes: stop. Our op id: applied. The base we wrote on, or the very marker that was
    `seen` before the operation was sent: not applied, though a request that was answered with an error may still land,
    which only a later versioned write of ours rules out. An op id we issued before and replaced: it landed late. Anything
    else is not from this ledger's history.
    """
    if marker.fence is not None and marker.fence > fence:
        return Finding.FENCED
    if marker.ledger == ledger and marker.op_id == operation.op_id:
        return Finding.APPLIED
    if (marker.ledger == ledger and marker.x == operation.base) or signature(marker) == seen:
        # Before LATE_OWN: a late one that was booked already is what the entry goes on showing.
        return Finding.NOT_APPLIED
    if marker.ledger == ledger and marker.op_id is not None and marker.op_id in superseded:
        return Finding.LATE_OWN
    return Finding.FOREIGN


def adoptable(marker: Marker, ledger: str, *, orders_complete: bool) -> bool:
    """Whether an entry's archX may become our x_applied as it stands.

    Only when this very ledger wrote it and our knowledge of orders has no hole since our last order checkpoint: a value
    that counted other orders than we know would oversell, or hide stock for ever. And never one written while its base
    was provisional: our own marker written from such a base proves nothing.
    """
    if marker.ledger != ledger or marker.x is None or not orders_complete:
        return False
    return marker.op_id is None or not marker.op_id.endswith(PROVISIONAL_SIGN)


def drift(quantity_on_stock: int, x_applied: int, known: int) -> int:
    """How far an entry is from what our increments and the known orders explain; above 0 it offers too much."""
    return quantity_on_stock - (x_applied - known)


def rebased(quantity_on_stock: int, known: int) -> int:
    """x_applied for an entry whose history is not ours: what it shows with all known tracked orders undone."""
    return quantity_on_stock + known


def bounded(before: int | None, quantity_on_stock: int, known: int, under_way: int) -> int:
    """x_applied from a read with orders under way around it, of which nobody can say whether it shows them.

    `known`: all tracked pieces that may show in it, `under_way`: those of them that may not. The truth lies between both;
    `before`, an upper bound that an earlier read gave (None: nothing is known), is kept where it fits: below both, somebody
    else has raised the entry since, and it bounds nothing. With everything counted that may show, no raise is too high.
    """
    most = rebased(quantity_on_stock, known)
    return most if before is None or before < most - under_way else min(most, before)


@dataclass(frozen=True, slots=True)
class CleanRead:
    """An entry read and the window in which an order of its key would make the read unusable for a raise."""

    read_at_ms: int
    lag_ms: int

    def clean(self, orders_complete_to_ms: int, order_times_ms: Iterable[int]) -> bool:
        """Whether every order before the read is both listed and visible in it.

        The order list must be complete beyond the read by the lag, and no order of the key may fall within one lag before
        the read (perhaps not visible in it) or after it up to there (perhaps visible, though younger by its own clock).
        """
        if orders_complete_to_ms < self.read_at_ms + self.lag_ms:
            return False
        start, stop = self.read_at_ms - self.lag_ms, self.read_at_ms + self.lag_ms
        return not any(start <= at <= stop for at in order_times_ms)
