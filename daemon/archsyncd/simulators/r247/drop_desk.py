"""The order desk over files: reads `orders/out`, answers in `orders/ack` (r247/1, section 9); knows no HTTP."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from archsyncd.simulators.r247.desk import OrderDesk, Said
from archsyncd.simulators.r247.drop import put_json
from archsyncd.simulators.r247.exchange import Problem

NAME = re.compile(r"(?P<act>order|cancel|shipped)-(?P<id>.+?)(?P<version>-v\d+)?\.json")


class DropDesk:
    """Answers each file once, in the order of names, and an order that was only received again once it is decided on.

    A refusal is told as status `rejected` with its code; nothing else is ever written.
    """

    def __init__(self, directory: Path, desk: OrderDesk, *, takes: bool = False) -> None:
        """`takes`: files are taken away when they are read; else they are left, and known again by what they are."""
        self._out = directory / "orders" / "out"
        self._ack = directory / "orders" / "ack"
        self._desk = desk
        self._takes = takes
        self._answered: dict[str, tuple[int, int]] = {}
        self._undecided: dict[str, str] = {}

    def poll(self) -> list[str]:
        """Answer every complete file that is new or put there anew; return their names. Temporary names are passed over."""
        answered = []
        for path in sorted(self._out.iterdir()):
            found = NAME.fullmatch(path.name)
            now = path.stat()
            known = (now.st_ino, now.st_mtime_ns)
            if found is None or self._answered.get(path.name) == known:
                continue
            body = path.read_bytes()
            if self._takes:
                path.unlink()
            else:
                self._answered[path.name] = known
            reference = unquote(found["id"])
            self._tell(path.name, reference, self._answer(found["act"], reference, body))
            answered.append(path.name)
        self._tell_decided()
        return answered

    def _tell_decided(self) -> None:
        for name, order_id in list(self._undecided.items()):
            try:
                said = self._desk.stands(order_id)
            except Problem:
                del self._undecided[name]  # an older state was restored, which never had it
                continue
            if said["status"] != "received":
                self._tell(name, order_id, said)

    def _tell(self, name: str, reference: str, said: dict[str, Any]) -> None:
        put_json(self._ack / f"{name}.ack.json", said)
        self._undecided.pop(name, None)
        if said["status"] == "received":
            self._undecided[name] = reference

    def _answer(self, act: str, reference: str, body: bytes) -> dict[str, Any]:
        try:
            _, said = self._do(act, reference, body)
        except Problem as problem:
            refused: dict[str, Any] = {
                name: problem.body[name] for name in ("code", "detail", "lines") if name in problem.body
            }
            return {"status": "rejected"} | refused
        if act == "cancel":
            # Whatever became of the order before: the wish itself is granted.
            return {"status": "cancelled"}
        return said if said is not None else {"status": "acknowledged"}

    def _do(self, act: str, reference: str, body: bytes) -> Said:
        if act == "order":
            return self._desk.put(reference, body)
        if act == "cancel":
            return self._desk.cancel(reference, body)
        return self._desk.acknowledge(reference, body)
