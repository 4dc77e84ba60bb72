"""The rules of quantities: put in force when the configuration asks for others, held when they would do too much.

A slip in the mapping is as dangerous as an empty file: what new rules would do to every key is reckoned first, and beyond
the guards a person decides. Until then the rules before stay in force, so nothing waits. Does not know where rules come from.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.guard import GuardLimits, rule_objections
from archsyncd.domain.rules import Rules, policies_of_text
from archsyncd.engine.ports import StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store

LOOK_SECONDS = 1.0
FORGET_SECONDS = 60.0
SCOPE = "configuration"
DIGEST_CHARACTERS = 12


async def _none() -> frozenset[str]:
    return frozenset()


class Reckoning:
    """Brings the targets to the rules that are wanted."""

    def __init__(
        self,
        store: Store,
        shared: Shared,
        wanted: Rules,
        guards: GuardLimits,
        beat: Callable[[], None],
        withheld: Callable[[], Awaitable[frozenset[str]]] = _none,
    ) -> None:
        self._store = store
        self._shared = shared
        self._beat = beat
        self._busy = asyncio.Lock()
        self._withheld = withheld
        self.wanted = wanted
        self.guards = guards
        self.held: tuple[str, ...] = ()
        self._judged = ""
        self._approved = ""
        self._looked = False
        self._forgets_at = 0.0

    @property
    def digest(self) -> str:
        """What names the rules that are wanted."""
        return self.wanted.fingerprint()[:DIGEST_CHARACTERS]

    async def begin(self) -> None:
        """Before anything is merged: a file that was never reckoned by any rules begins with these."""
        if not self._store.ledger.in_force:
            await self._store.begin_rules(self.wanted)

    async def run(self) -> None:
        """Look from time to time; what is wanted changes with the configuration."""
        while not self._shared.stopping:
            self._beat()
            await self.put_in_force()
            await self._forget_past()
            await self._shared.rest(LOOK_SECONDS)

    async def _forget_past(self) -> None:
        """Now and then: what was sold by earlier rules is waited for no longer than it is there."""
        now = self._shared.clock.monotonic()
        if now >= self._forgets_at:
            self._forgets_at = now + FORGET_SECONDS
            with contextlib.suppress(StoreFull):
                async with self._busy:
                    await self._store.forget_past(self._shared.orders_complete_ms, self._beat)

    async def put_in_force(self) -> None:
        """Bring every target to the rules wanted, unless they are held."""
        async with self._busy:
            policies = replace(self.wanted.policies, withheld=await self._withheld())
            wanted = replace(self.wanted, policies=policies)
            fingerprint = wanted.fingerprint()
            if self._store.ledger.rules == fingerprint:
                await self._settled("the configuration was changed back")
            elif fingerprint != self._judged:
                try:
                    await self._judge(wanted, fingerprint)
                except StoreFull:
                    return  # nothing was changed; it is tried again

    async def approve(self, digest: str) -> bool:
        """A person allows the rules that are held; False when others are wanted by now."""
        if not self.held or digest != self.digest:
            return False
        self._approved, self._judged = self.digest, ""
        await self.put_in_force()
        return True

    async def _judge(self, wanted: Rules, fingerprint: str) -> None:
        if self.digest != self._approved:
            figures = await self._store.assess_rules(wanted, self._beat)
            objections = () if figures is None else rule_objections(figures, self.guards)
            if objections:
                await self._hold(wanted, fingerprint, objections)
                return
        await self._store.use_rules(wanted, self._beat)
        await self._settled("the new rules are in force")
        self._shared.work.set()
        self._shared.bases.set()

    async def _hold(self, wanted: Rules, fingerprint: str, objections: tuple[str, ...]) -> None:
        await self._settled("other rules are wanted now")
        # Who may be written is no matter of quantities: the rollout is in force at once.
        # Nor is whether orders are tracked: the writes go by what is configured already.
        before = replace(
            policies_of_text(self._store.ledger.in_force),
            withheld=wanted.policies.withheld,
            tracked=wanted.policies.tracked,
        )
        await self._store.use_rules(replace(wanted, policies=before), self._beat)
        self.held, self._judged = objections, fingerprint
        why = "; ".join(objections)
        reason = f"the new rules of [locations] and [channels] are not in force: {why}; quantities go by the rules before"
        self._shared.notes["rules"] = reason
        await self._store.cases.open(NewCase(CaseKind.HELD_RULES, SCOPE, self.digest, reason))

    async def _settled(self, note: str) -> None:
        """Nothing is held any more; a case may also be left from an earlier run."""
        if self._looked and not self.held:
            return
        self._looked = True
        self.held, self._judged = (), ""
        self._shared.notes.pop("rules", None)
        for case in await self._store.cases.listed(kind=CaseKind.HELD_RULES.value):
            await self._store.cases.resolve(CaseKind.HELD_RULES, SCOPE, case.subject, note)
