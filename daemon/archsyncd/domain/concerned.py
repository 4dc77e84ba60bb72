"""The order that a case is about, whatever its subject names, and whether anything of it can be tried again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from archsyncd.domain.advice import AdviceStage
from archsyncd.domain.handover import Stage

_AGAIN = frozenset({Stage.HELD, Stage.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class Concerned:
    """An order by what people call it, and where it stands; `advice`: where the dispatch or return stands that names it."""

    order_id: str
    name: str
    stage: Stage
    advice: AdviceStage | None = None

    @property
    def order_goes_again(self) -> bool:
        """Whether a person can have the order tried again."""
        return self.stage in _AGAIN

    @property
    def advice_goes_again(self) -> bool:
        """Whether a person can have the dispatch or return tried again."""
        return self.advice is AdviceStage.HELD
