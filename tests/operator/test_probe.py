"""`archsyncctl probe` against the simulated project: every answer either way, and nothing left behind."""

from __future__ import annotations

import asyncio
import random
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archsyncd.config import Settings, read_settings
from archsyncd.domain.fatal import Fatal
from archsyncd.operator.ctl import main
from archsyncd.operator.fields import fields_of
from archsyncd.operator.probing import refusal_of, text_of, told
from archsyncd.probe_questions import QUESTIONS
from archsyncd.probing import CLEAN_SECONDS, ProbeReport, Stopped, probe
from archsyncd.simulators.commercetools import (
    ApiClient,
    CommercetoolsSimulator,
    FaultKind,
    SimulatorConfig,
    serve,
)
from archsyncd.simulators.commercetools.queries import Page
from tests.support.virtual_time import VirtualClock, virtual
from tests.system.inside import SiteClock

SECRET = "canary-secret"
ALL = Page(limit=500)
SETTINGS = """
[daemon]
state_dir = "/nonexistent"
[commercetools]
project_key = "sandbox"
client_id = "archsyncd"
api_url = "{url}"
auth_url = "{url}"
{more}
[[feed]]
name = "main"
url = "https://r247.test/api"
[locations]
WH1 = {{ channel = "warehouse-1" }}
"""


@dataclass(frozen=True, slots=True)
class Hand:
    """What a probe by hand stands in, in virtual time."""

    clock: VirtualClock
    host_name: str = "here"

    def chance(self) -> float:
        return 0.5

    def secret(self, name: str) -> str:
        assert name == "commercetools-client-secret"
        return SECRET

    def new_id(self) -> str:
        return "ab12"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A simulated project and the settings that name it."""

    shop: CommercetoolsSimulator
    settings: Settings
    hand: Hand

    async def probed(self, **arguments: Any) -> ProbeReport:
        return await probe(self.settings, self.hand, "sandbox", **arguments)

    def leftovers(self) -> list[str]:
        """Everything in the project that a probe made, by now."""
        assert self.shop.journal is not None  # to look at it has late effects take place
        entries = [entry.content.sku for entry in self.shop.project.inventory.entries()]
        orders = [order["orderNumber"] for order in self.shop.project.orders.documents()]
        types = [document["key"] for document in self.shop.project.types.catalog.select(ALL)["results"]]
        return [name for name in (*entries, *orders, *types) if name.startswith("archsyncd-probe-")]


@asynccontextmanager
async def sandbox(more: str = "", **config: Any) -> AsyncIterator[Sandbox]:
    clock = VirtualClock()
    client = ApiClient("archsyncd", SECRET)
    given: dict[str, Any] = {
        "project_key": "sandbox",
        "clients": (client,),
        "stock_lag_seconds": 4.0,
    } | config
    shop = CommercetoolsSimulator(SimulatorConfig(**given), SiteClock(clock), random.Random(5))
    shop.add_channel("warehouse-1")
    async with serve(shop) as url:
        settings, faults = read_settings(SETTINGS.format(url=url, more=more), "config.toml")
        assert settings is not None, [str(fault) for fault in faults]
        yield Sandbox(shop, settings, Hand(clock))


def answers(report: ProbeReport) -> dict[str, str]:
    return {reply.question: reply.answer for reply in report.replies}


@virtual
async def test_every_question_is_settled_and_nothing_is_left() -> None:
    """On a well-behaved project: all answers, the lines that follow, no alarm, and a project as it was before."""
    async with sandbox() as site:
        report = await site.probed()
        found = answers(report)
        assert set(found) == set(QUESTIONS)
        assert report.well, report
        assert found["cancel"] == found["delete"] == found["back_in_stock"] == "does not"
        assert (found["stale_version"], found["stale_without_change"]) == ("409", "409")
        assert (found["restockable"], found["batch"]) == ("sells", "100")
        assert float(found["order_effect"].removesuffix(" s")) <= 5.0
        assert report.lines == ("[commercetools]", "restores_stock_on = []")
        assert site.leftovers() == []


@pytest.mark.parametrize("event", ["cancel", "delete", "back_in_stock"])
@virtual
async def test_what_gives_stock_back_is_found_and_told_as_configuration(event: str) -> None:
    """Each event by itself; the line can be put into a configuration as it is."""
    async with sandbox(restores_stock_on=frozenset({event})) as site:
        report = await site.probed()
        assert {name for name, answer in answers(report).items() if answer == "restores"} == {event}
        assert tomllib.loads("\n".join(report.lines)) == {"commercetools": {"restores_stock_on": [event]}}
        assert site.leftovers() == []


@virtual
async def test_the_other_behaviour_is_told_as_well() -> None:
    """A project that takes stale writes without a change, sells nothing without stock, and takes small batches."""
    async with sandbox(
        stale_version_refused_without_change=False,
        restockable_sells_without_stock=False,
        graphql_complexity_limit=200,
    ) as site:
        report = await site.probed()
        found = answers(report)
        assert found["stale_without_change"] == "200"
        assert found["stale_version"] == "409"
        assert found["restockable"] == "does not sell"
        assert int(found["batch"]) < 20
        assert f"write_batch = {found['batch']}" in report.lines
        assert site.leftovers() == []


@virtual
async def test_a_marker_that_an_order_takes_off_is_an_alarm() -> None:
    """The daemon could not tell its own writes."""
    async with sandbox(order_effect_drops_marker=True) as site:
        report = await site.probed()
        assert answers(report)["order_effect"] == "marker lost"
        assert not report.well
        assert "Act before you go live: order_effect" in text_of(report)


@virtual
async def test_orders_that_show_later_than_stated_ask_for_longer_waits() -> None:
    """Twenty seconds instead of ten: the daemon's own waits are to be longer."""
    async with sandbox(stock_lag_seconds=25.0) as site:
        report = await site.probed(questions={"order_effect": QUESTIONS["order_effect"]})
        late = float(answers(report)["order_effect"].removesuffix(" s"))
        assert late > 10
        assert tomllib.loads("\n".join(report.lines)) == {"reconcile": {"settle_seconds": int(late) + 5}}
        assert not report.well


@virtual
async def test_orders_that_are_never_listed_are_an_alarm() -> None:
    """The daemon learns orders from lists alone."""
    async with sandbox(order_list_lag_seconds=100_000.0) as site:
        report = await site.probed(questions={"order_listed": QUESTIONS["order_listed"]})
        assert answers(report)["order_listed"] == "late"
    async with sandbox(messages_enabled=False) as site:
        report = await site.probed(questions={"order_listed": QUESTIONS["order_listed"]})
        assert "are they switched on?" in report.replies[0].says


@virtual
async def test_what_cannot_be_settled_says_why() -> None:
    """Where no order of an unknown SKU can be imported, the questions about orders stay open, and the others do not."""
    async with sandbox(import_needs_product=True) as site:
        report = await site.probed()
        open_ = dict(report.unsettled)
        assert set(open_) == {
            "order_effect",
            "order_listed",
            "cancel",
            "delete",
            "back_in_stock",
            "restockable",
        }
        assert "no order can be imported" in open_["cancel"]
        assert answers(report)["stale_version"] == "409"
        assert "restores_stock_on" not in "".join(report.lines)
        assert not report.well
        assert site.leftovers() == []


@virtual
async def test_another_project_is_refused_before_anything_is_sent() -> None:
    """The project key must be said, and it must be the configuration's."""
    async with sandbox() as site:
        with pytest.raises(Fatal, match="nothing was written"):
            await probe(site.settings, site.hand, "production")
        assert not site.shop.journal.requests


@virtual
async def test_a_channel_that_is_not_there_is_refused() -> None:
    """Nothing is made where entries could not be."""
    async with sandbox() as site:
        site.shop.set_channel_roles("warehouse-1", ["ProductDistribution"])
        with pytest.raises(Fatal, match="no channel warehouse-1"):
            await site.probed()
        assert site.leftovers() == []


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.LOST_ANSWER,
        FaultKind.SERVER_ERROR_APPLIED,
        FaultKind.SERVER_ERROR_APPLIED_LATE,
        FaultKind.THROTTLED,
        FaultKind.SERVER_ERROR,
    ],
)
@pytest.mark.parametrize(
    "route", ["inventory.create", "orders.import", "types.create", "inventory.delete", "graphql"]
)
@virtual
async def test_after_a_fault_nothing_is_left_either(kind: FaultKind, route: str) -> None:
    """Whatever answer is lost, what was made is found by its name and taken away."""
    async with sandbox() as site:
        late: dict[str, Any] = {"seconds": 20.0} if "late" in kind.value else {}
        site.shop.faults.add(route, kind, count=3, **late)
        report = await site.probed()
        assert report.left == ()
        assert site.leftovers() == []


@virtual
async def test_what_takes_effect_after_the_end_is_taken_away_as_well() -> None:
    """A create that was answered by 500 may complete later: it is looked for once more."""
    async with sandbox() as site:
        site.shop.faults.add("types.create", FaultKind.SERVER_ERROR_APPLIED_LATE, seconds=20.0)
        report = await site.probed(questions={"stale_version": QUESTIONS["stale_version"]})
        await site.hand.clock.sleep(60)
        assert site.leftovers() == []
        assert [name for name, _ in report.unsettled] == ["stale_version"]


@virtual
async def test_a_probe_that_is_stopped_takes_away_what_it_made() -> None:
    """Somebody loses patience in the middle of the watching."""
    async with sandbox() as site:
        running = asyncio.create_task(site.probed())
        await site.hand.clock.sleep(8)
        assert site.leftovers()
        running.cancel()
        with pytest.raises(Stopped) as stopped:
            await running
        assert stopped.value.left == ()
        assert site.leftovers() == []
        ended = refusal_of(stopped.value.left)
        assert (ended.code, ended.sentence) == (
            130,
            "The probe was stopped; what it had made was taken away.",
        )


@virtual
async def test_to_stop_it_while_it_takes_away_what_it_made_changes_nothing() -> None:
    """Again and again: it ends when nothing is left, and not before."""
    async with sandbox() as site:
        running: list[asyncio.Task[ProbeReport]] = []

        def impatient(said: str) -> None:
            if said.startswith("taking away"):
                for seconds in (0.0, 0.01, 1.0, 2.0):
                    asyncio.get_running_loop().call_later(seconds, running[0].cancel)

        running.append(asyncio.create_task(site.probed(tell=impatient)))
        report = await running[0]
        assert set(answers(report)) == set(QUESTIONS)
        assert report.left == ()
        assert site.leftovers() == []


@virtual
async def test_a_request_that_was_under_way_when_it_was_stopped_is_looked_for_later() -> None:
    """Its answer was awaited by nobody any more, and it takes effect twenty seconds after."""
    async with sandbox() as site:
        site.shop.faults.add("types.create", FaultKind.SERVER_ERROR_APPLIED_LATE, seconds=20.0)
        running = asyncio.create_task(site.probed())
        while not site.shop.journal.requests["types.create"]:
            await site.hand.clock.sleep(0)
        running.cancel()
        with pytest.raises(Stopped):
            await running
        await site.hand.clock.sleep(60)
        assert site.leftovers() == []


@virtual
async def test_what_a_stopped_probe_leaves_is_named() -> None:
    """A person must know what to take away by hand, and that the time for it was over."""
    async with sandbox() as site:
        site.shop.faults.add("types.delete", FaultKind.INVALID_INPUT, count=50)
        running = asyncio.create_task(site.probed())
        await site.hand.clock.sleep(8)
        running.cancel()
        with pytest.raises(Stopped) as stopped:
            await running
        ended = refusal_of(stopped.value.left)
        assert ended.code == 1
        assert "by hand: /types/key=archsyncd-probe-ab12 (" in ended.sentence


@virtual
async def test_taking_away_ends_in_time_where_nothing_is_answered() -> None:
    """What is not known to be gone is told then, and what is gone is not."""
    async with sandbox() as site:
        site.shop.faults.add("types.get", FaultKind.STALL, count=10_000, seconds=1_000.0)
        began = site.hand.clock.monotonic()
        report = await site.probed(questions={"stale_version": QUESTIONS["stale_version"]})
        assert site.hand.clock.monotonic() - began < CLEAN_SECONDS + 60
        assert report.left == ("/types/key=archsyncd-probe-ab12 (not known to be gone after 300 s)",)


@virtual
async def test_what_is_left_after_all_is_named() -> None:
    """Where deleting is refused, a person reads which ones to delete by hand."""
    async with sandbox() as site:
        site.shop.faults.add("types.delete", FaultKind.INVALID_INPUT, count=50)
        report = await site.probed(questions={"stale_version": QUESTIONS["stale_version"]})
        assert [line.split(" ")[0] for line in report.left] == ["/types/key=archsyncd-probe-ab12"]
        assert "do so by hand" in text_of(report)


@virtual
async def test_the_answer_has_the_documented_fields() -> None:
    """For programs; an answer that is not settled is null."""
    async with sandbox(import_needs_product=True) as site:
        answer = told(await site.probed())
        assert set(answer) == set(fields_of("probe"))
        assert all(set(row) == {"question", "answer", "alarm", "says"} for row in answer["answers"])
        assert next(row for row in answer["answers"] if row["question"] == "cancel")["answer"] is None
        assert SECRET not in repr(answer)


def test_the_command_line_needs_the_projects_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --i-know-this-is it is not begun; with another name it ends with 64 and no request."""
    with pytest.raises(SystemExit) as end:
        main(["probe"])
    assert end.value.code == 64
    assert "--i-know-this-is" in capsys.readouterr().err
    config = tmp_path / "config.toml"
    config.write_text(SETTINGS.format(url="http://127.0.0.1:9", more=""))
    assert main(["probe", "--config", str(config), "--i-know-this-is", "production"]) == 64
    assert "nothing was written" in capsys.readouterr().err
    assert main(["probe", "--config", str(tmp_path / "none"), "--i-know-this-is", "x"]) == 78
