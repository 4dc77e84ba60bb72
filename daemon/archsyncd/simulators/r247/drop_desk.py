"""The order desk over files: reads `orders/out`, answers in `orders/ack` (r247/1, section 9); knows no HTTP."""

import re
from pathlib import Path
from typing import Any

from archsyncd.simulators.r247.desk import OrderDesk, Said
from archsyncd.simulators.r247.drop import put_json
from archsyncd.simulators.r247.exchange import Problem

NAME = re.compile(r"(?P<act>order|cancel|shipped)-(?P<id>.+?)(?P<version>-v\d+)?\.json")


class DropDesk:
    """Answers each file once. A refusal is told as status `rejected` with its code; nothing else is ever written."""

    def __init__(self, directory: Path, desk: OrderDesk) -> None:
        self._out = directory / "orders" / "out"
        self._ack = directory / "orders" / "ack"
        self._desk = desk
        self._answered: set[str] = set()

    def poll(self) -> list[str]:
        """Answer every complete file that is new; return their names. Temporary names are passed over."""
        answered = []
        for path in sorted(self._out.iterdir()):
            found = NAME.fullmatch(path.name)
            if found is None or path.name in self._answered:
                continue
            put_json(self._ack / f"{path.name}.ack.json", self._answer(found, path.read_bytes()))
            self._answered.add(path.name)
            answered.append(path.name)
        return answered

    def _answer(self, found: re.Match[str], body: bytes) -> dict[str, Any]:
        try:
            _, said = self._do(found["act"], found["id"], body)
        except Problem as problem:
            refused: dict[str, Any] = {
                name: problem.body[name] for name in ("code", "detail", "lines") if name in problem.body
            }
            return {"status": "rejected"} | refused
        return said if said is not None else {"status": "acknowledged"}

    def _do(self, act: str, reference: str, body: bytes) -> Said:
        if act == "order":
            return self._desk.put(reference, body)
        if act == "cancel":
            return self._desk.cancel(reference, body)
        return self._desk.acknowledge(reference, body)
