"""Acts on several cases: on those that were named or shown, as they were shown, and on no other."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from archsyncd.adapters.sqlite.cases import open_cases
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.operator.ctl import main
from archsyncd.operator.digests import differs, digest_of, read_digest
from archsyncd.operator.protocol import Refusal
from tests.operator.daemon import CHANNEL, SmallDaemon, ask_json, break_store, ctl, served
from tests.support.virtual_time import virtual

UNKNOWN = ("--kind", "sku_not_found")
DISMISS = ("exceptions", "dismiss", *UNKNOWN, "--reason", "not sold any more")


async def unknown(daemon: SmallDaemon, *skus: str) -> None:
    """Open a case for each SKU, or count it again."""
    for sku in skus:
        await daemon.store.cases.open(NewCase(CaseKind.SKU_NOT_FOUND, CHANNEL, sku, f"no product {sku}"))


async def open_subjects(daemon: SmallDaemon) -> list[str]:
    return [case.subject for case in await daemon.store.cases.listed(limit=500)]


@virtual
async def test_a_bulk_act_is_on_what_was_shown_and_on_nothing_that_opened_since(tmp_path: Path) -> None:
    """The race: a case opens between the list and the act. It was not shown, so it is not touched."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, "A", "B")
        await daemon.store.cases.open(NewCase(CaseKind.DRIFT, CHANNEL, "D", "drift"))
        listed = await ask_json(daemon, "exceptions", "list", *UNKNOWN)
        await unknown(daemon, "C")
        code, out, _ = await ctl(daemon, *DISMISS, "--shown", listed["digest"])
        assert code == 0
        assert out.splitlines()[-1] == "2 of 2 cases dismissed."
        assert await open_subjects(daemon) == ["D", "C"]
        closed = await ask_json(daemon, "exceptions", "list", "--state", "dismissed")
        assert [row["subject"] for row in closed["rows"]] == ["A", "B"]
        assert closed["digest"] is None


@virtual
async def test_the_list_for_people_prints_the_command_that_acts_on_it(tmp_path: Path) -> None:
    """What stands below the table can be copied as it is; without a kind nothing is offered."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, "A", "B", "C")
        _, out, _ = await ctl(daemon, "exceptions", "list", *UNKNOWN, "--owner", "data", "--limit", "2")
        last = out.splitlines()[-1]
        assert last.endswith(" tries exactly these 2 again.")
        command = last.split(" tries")[0].split()
        assert command[:2] == ["archsyncctl", "exceptions"]
        assert (await ctl(daemon, *command[1:]))[0] == 0
        assert await open_subjects(daemon) == ["C"]
        _, out, _ = await ctl(daemon, "exceptions", "list")
        assert "--shown" not in out


@virtual
async def test_a_list_of_which_one_changed_is_refused_whole_and_says_what_changed(tmp_path: Path) -> None:
    """A case that was seen again or closed is not what was shown; nothing at all is done then."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, "A", "B", "C")
        digest = (await ask_json(daemon, "exceptions", "list", *UNKNOWN))["digest"]
        await daemon.clock.sleep(1)
        await unknown(daemon, "B")
        code, _, err = await ctl(daemon, *DISMISS, "--shown", digest)
        assert code == 1
        assert "case 2 was seen again" in err
        await daemon.store.cases.resolve(CaseKind.SKU_NOT_FOUND, CHANNEL, "A", "the product is there")
        code, _, err = await ctl(daemon, *DISMISS, "--shown", digest)
        assert code == 1
        assert "1 of the 3 cases shown is closed, case 2 was seen again" in err
        assert "archsyncctl exceptions list --kind sku_not_found" in err
        assert await open_subjects(daemon) == ["B", "C"]


@virtual
async def test_a_digest_counts_for_the_filters_of_its_list_alone(tmp_path: Path) -> None:
    """The same cases by other filters are another list; a digest that nobody printed is none."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, "A")
        digest = (await ask_json(daemon, "exceptions", "list", *UNKNOWN, "--owner", "data"))["digest"]
        code, _, err = await ctl(daemon, *DISMISS, "--shown", digest)
        assert (code, "other filters" in err) == (1, True)
        assert (await ctl(daemon, *DISMISS, "--shown", "1-1-x"))[0] == 64
        assert (await ctl(daemon, *DISMISS, "1", "--shown", digest))[0] == 64
        assert (await ctl(daemon, "exceptions", "retry", "1", *UNKNOWN))[0] == 64
        assert (await ctl(daemon, "exceptions", "retry"))[0] == 64
        assert (await ctl(daemon, "exceptions", "retry", "--shown", digest))[0] == 64
        assert await open_subjects(daemon) == ["A"]


@virtual
async def test_a_case_that_changes_during_the_act_is_left_alone(tmp_path: Path) -> None:
    """The daemon compares each case with what was shown at the moment at which it acts on it."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, "A", "B", "C")
        rows = (await ask_json(daemon, "exceptions", "list"))["rows"]
        await daemon.clock.sleep(1)
        await unknown(daemon, "B")
        assert await daemon.store.cases.close(3, "dismissed", "by another")
        cases = [[row["id"], row["count"], row["last_seen"]] for row in rows]
        request = {"verb": "exceptions.bulk", "arguments": {"act": "retry", "cases": [*cases, [9]]}}
        reader, writer = await asyncio.open_unix_connection(str(daemon.settings.daemon.control_socket))
        writer.write(json.dumps(request).encode() + b"\n")
        answer = json.loads(await reader.readline())
        writer.close()
        told = answer["data"]["rows"]
        assert [row["done"] for row in told] == [True, False, False, False]
        assert "was seen again since it was listed" in told[1]["says"]
        assert "is dismissed since it was listed" in told[2]["says"]
        assert "There is no case 9" in told[3]["says"]


@virtual
async def test_several_ids_are_done_one_by_one_and_a_failure_hides_nothing(tmp_path: Path) -> None:
    """Each has its own line; the exit status is 1 when one of them could not be done."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, "A", "B")
        await daemon.store.cases.open(NewCase(CaseKind.UNTRACKED_DEMAND, CHANNEL, "U", "untracked"))
        code, out, _ = await ctl(daemon, "exceptions", "retry", "1", "3", "2", "1", "7")
        assert code == 1
        lines = out.splitlines()
        assert [line.split()[0] for line in lines] == ["1", "3", "2", "7", "2"]
        assert "Nothing to retry for untracked_demand" in lines[1]
        assert lines[-1] == "2 of 4 cases tried again."
        answer = await ask_json(daemon, "exceptions", "dismiss", "3", "8", "--reason", "done")
        assert answer["done"] is False
        assert [(row["id"], row["done"]) for row in answer["rows"]] == [(3, True), (8, False)]
        assert await open_subjects(daemon) == []


@virtual
async def test_what_the_store_cannot_do_is_said_of_each_case(tmp_path: Path) -> None:
    """A store that breaks in the middle leaves no case without an answer."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, "A", "B")
        await break_store(daemon)
        code, out, _ = await ctl(daemon, "exceptions", "retry", "1", "2", "--json")
        assert code == 1
        assert ["stays as it is" in row["says"] for row in json.loads(out)["rows"]] == [True, True]


@virtual
async def test_a_wrong_request_of_several_cases_acts_on_none(tmp_path: Path) -> None:
    """The daemon takes at most 100, each as a list tells it, and one of two acts."""
    async with served(tmp_path) as daemon:
        await unknown(daemon, "A")
        wrong: list[dict[str, object]] = [
            {"act": "retry", "cases": []},
            {"act": "retry", "cases": [[1]] * 101},
            {"act": "retry", "cases": [[1], ["x"]]},
            {"act": "retry", "cases": [[True]]},
            {"act": "retry", "cases": [[1, 1]]},
            {"act": "drop", "cases": [[1]]},
            {"act": "retry", "cases": "1"},
        ]
        for arguments in wrong:
            request = {"verb": "exceptions.bulk", "arguments": arguments}
            reader, writer = await asyncio.open_unix_connection(str(daemon.settings.daemon.control_socket))
            writer.write(json.dumps(request).encode() + b"\n")
            answer = json.loads(await reader.readline())
            writer.close()
            assert answer.get("code") == 64, arguments
        assert await open_subjects(daemon) == ["A"]


@virtual
async def test_an_export_has_every_field_of_every_case_and_obeys_no_spreadsheet(tmp_path: Path) -> None:
    """CSV and JSON tell what `show` tells, of each case; hostile text begins no formula."""
    async with served(tmp_path) as daemon:
        reason = '=HYPERLINK("http://x";"y")'
        for number in range(1_203):
            await daemon.store.cases.open(
                NewCase(CaseKind.SKU_NOT_FOUND, f"c{number // 900}", f"-S{number}", reason, b'{"a": 1}')
            )
        await daemon.store.cases.open(NewCase(CaseKind.DRIFT, CHANNEL, "D", "drift"))
        assert (await ctl(daemon, "exceptions", "export", "--csv", "--json"))[0] == 64
        code, out, _ = await ctl(daemon, "exceptions", "export", "--owner", "data", "--csv")
        rows = list(csv.DictReader(io.StringIO(out)))
        assert code == 0
        assert [row["subject"] for row in rows] == [f"'-S{number}" for number in range(1_203)]
        assert {row["reason"] for row in rows} == {f"'{reason}"}
        told = await ask_json(daemon, "exceptions", "export", "--owner", "data")
        assert told["cases"] == len(told["rows"]) == 1_203
        shown = await ask_json(daemon, "exceptions", "show", "1203")
        assert set(told["rows"][-1]) == set(shown) == set(rows[0])
        assert rows[0]["next"] == shown["next"]
        _, listed, said = await ctl(daemon, "exceptions", "list", "--csv", "--limit", "2")
        assert "exceptions export" in said, "what is left out is told, though not among the rows"
        assert len(list(csv.DictReader(io.StringIO(listed)))) == 2


@virtual
async def test_a_slip_in_a_filter_is_no_empty_list(tmp_path: Path) -> None:
    """A team, a kind or a state that does not exist is refused with what was meant."""
    async with served(tmp_path) as daemon:
        code, _, err = await ctl(daemon, "exceptions", "export", "--owner", "dtaa")
        assert (code, "Did you mean data?" in err) == (64, True)
        code, _, err = await ctl(daemon, "exceptions", "list", "--kind", "sku_notfound")
        assert (code, "Did you mean sku_not_found?" in err) == (64, True)


class Sink(io.StringIO):
    """Counts what is written and keeps none of it."""

    size = 0

    def write(self, text: str) -> int:
        self.size += len(text)
        return len(text)


@virtual
async def test_thousands_of_cases_are_exported_and_acted_on_in_bounded_memory(tmp_path: Path) -> None:
    """The export holds a page at a time on both sides, and an act the names of its cases."""
    async with served(tmp_path) as daemon:
        cases = [
            NewCase(
                CaseKind.INVALID_RECORD,
                "main",
                f"S{number}",
                "broken",
                b"x" * 2_000,
                f"code{number // 1_000}",
            )
            for number in range(4_000)
        ]
        await daemon.store._session.write(lambda scope: open_cases(scope.tx, cases, scope.now_ms))
        socket = str(daemon.settings.daemon.control_socket)
        for form in ("--csv", "--json"):
            sink = Sink()
            words = ["exceptions", "export", form, "--socket", socket]
            tracemalloc.start()
            try:
                assert await asyncio.to_thread(main, words, sink, io.StringIO()) == 0
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert sink.size > 8_000_000, form
            assert peak < 5_000_000, form
        kind = ("--kind", "invalid_record")
        listed = await ask_json(daemon, "exceptions", "list", *kind, "--limit", "10000")
        assert len(listed["rows"]) == 4_000
        listed = await ask_json(daemon, "exceptions", "list", *kind, "--limit", "1200")
        words = ["exceptions", "dismiss", *kind, "--shown", listed["digest"], "--reason", "sent again"]
        code, out, _ = await ctl(daemon, *words)
        assert (code, out) == (0, "1,200 of 1,200 cases dismissed.\n")


ROWS = some.lists(
    some.fixed_dictionaries(
        {
            "count": some.integers(1, 9),
            "last_seen": some.integers(0, 9).map(lambda n: f"2026-01-01T00:00:0{n}.000Z"),
        }
    ),
    min_size=1,
    max_size=8,
).map(lambda rows: [{"id": number, **row} for number, row in enumerate(rows, start=1)])
AT = "2026-01-01T00:00:10.000Z"


@given(ROWS, some.data())
def test_any_change_of_any_case_changes_the_digest(
    rows: list[dict[str, object]], data: some.DataObject
) -> None:
    """Closed, counted or seen again: the list is not what it was. Unchanged it is."""
    digest = read_digest(digest_of("k", "o", AT, rows) or "")
    assert differs(digest, "k", "o", rows) is None
    place = data.draw(some.integers(0, len(rows) - 1))
    change = data.draw(some.sampled_from(("closed", "count", "last_seen")))
    changed = [dict(row) for row in rows]
    if change == "closed":
        del changed[place]
    else:
        changed[place][change] = 99 if change == "count" else "2026-01-01T00:00:11.000Z"
    assert differs(digest, "k", "o", changed)
    assert differs(digest, "k", "", rows)


def test_a_digest_is_read_strictly() -> None:
    """What is no digest is refused before anything is asked."""
    for text in ("", "1", "1-2-3-4", f"{10**9}-1-{'1' * 17}-{'a' * 16}"):
        with pytest.raises(Refusal):
            read_digest(text)
