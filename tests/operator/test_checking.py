"""`archsyncd check-config`: offline every fault at once, online what simulated systems answer."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archsyncd.checking import check, check_credential, explain, note_line
from archsyncd.config import CredentialFault
from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_USAGE, Fatal
from archsyncd.simulators.commercetools import (
    SCOPES,
    ApiClient,
    CommercetoolsSimulator,
    HandClock,
    SimulatorConfig,
)
from archsyncd.simulators.commercetools import serve as serve_project
from archsyncd.simulators.r247 import Auth, R247Config, R247Simulator
from archsyncd.simulators.r247 import serve as serve_source
from tests.support.virtual_time import VirtualClock

SECRET = "canary-1f0c"
TOKEN = "canary-77aa"
MARKER: dict[str, Any] = {
    "key": "archsyncd",
    "name": {"en": "archsyncd"},
    "resourceTypeIds": ["inventory-entry"],
    "fieldDefinitions": [
        {"name": name, "label": {"en": name}, "required": False, "type": {"name": kind}}
        for name, kind in (
            ("archOp", "String"),
            ("archX", "Number"),
            ("archSeq", "String"),
            ("archFence", "Number"),
        )
    ],
}


@dataclass
class Site:
    """Two simulated systems, a configuration of them, and credentials beside it."""

    project: CommercetoolsSimulator
    source: R247Simulator
    config: Path
    credentials: Path

    async def check(self) -> tuple[int, str]:
        return await check(self.config, self.credentials, online=True, environment={}, clock=VirtualClock())

    def write(self, *changes: tuple[str, str]) -> None:
        """Change the configuration's text."""
        text = self.config.read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        self.config.write_text(text)


class SourceClock:
    """The simulated source's clock on the test's loop."""

    def now(self) -> float:
        return VirtualClock().wall_ms() / 1000

    async def sleep(self, seconds: float) -> None:
        await VirtualClock().sleep(seconds)


@asynccontextmanager
async def site(directory: Path, scopes: tuple[str, ...] = SCOPES, **project: Any) -> AsyncIterator[Site]:
    """Both systems served, set up as they should be."""
    client = ApiClient("client-1", SECRET, scopes)
    shop = CommercetoolsSimulator(
        SimulatorConfig(project_key="shop", clients=(client,), **project), HandClock(), random.Random(7)
    )
    shop.add_channel("warehouse-1")
    source = R247Simulator(R247Config(auth=Auth.BEARER, credential=TOKEN), SourceClock(), random.Random(7))
    credentials = directory / "credentials"
    credentials.mkdir()
    (credentials / "commercetools-client-secret").write_text(SECRET)
    (credentials / "feed-main").write_text(TOKEN)
    async with serve_project(shop) as shop_url, serve_source(source) as source_url:
        config = directory / "config.toml"
        config.write_text(
            f'[commercetools]\nproject_key = "shop"\nclient_id = "client-1"\n'
            f'api_url = "{shop_url}"\nauth_url = "{shop_url}"\n'
            f'[[feed]]\nname = "main"\nurl = "{source_url}"\nauth = "bearer"\n'
            '[locations]\nWH1 = { channel = "warehouse-1" }\n'
        )
        yield Site(shop, source, config, credentials)


def line_about(text: str, words: str) -> str:
    """The one line of the report with these words."""
    (line,) = [line for line in text.splitlines() if words in line]
    return line


async def test_every_fault_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    """Offline the report names each fault with line and column, and the exit status is 78."""
    config = tmp_path / "config.toml"
    config.write_text('[commercetools]\nproject_ky = "shop"\n[drain]\nincrease_interval_seconds = "2"\n')
    code, text = await check(config, None, online=False, environment={})
    assert code == EXIT_CONFIGURATION
    assert f"{config}:2:1: " in text
    assert "did you mean" in text
    assert f"{config}:4:" in text
    assert text.splitlines()[-1].endswith("faults; nothing was started.")


async def test_an_unreadable_allow_list_is_a_fault(tmp_path: Path) -> None:
    """A rollout list that is no text is told like any other fault."""
    async with site(tmp_path) as here:
        skus = tmp_path / "skus.txt"
        skus.write_bytes(b"\xff\xfe")
        with here.config.open("a") as file:
            file.write(f'[rollout]\nstage = "allow-list"\nskus_file = "{skus}"\n')
        code, text = await check(here.config, None, online=False, environment={})
        assert code == EXIT_CONFIGURATION
        assert "rollout.skus_file" in text


async def test_faults_of_all_files_beside_it_are_told_at_once(tmp_path: Path) -> None:
    """Of the list of SKUs and of the names, not of the first of them alone."""
    async with site(tmp_path) as here:
        (tmp_path / "skus.txt").write_bytes(b"\xff\xfe")
        (tmp_path / "aliases.csv").write_text("archean_sku,commercetools_sku\nonly-one\n")
        with here.config.open("a") as file:
            file.write('[aliases]\nfile = "aliases.csv"\n')
            file.write(f'[rollout]\nstage = "allow-list"\nskus_file = "{tmp_path}/skus.txt"\n')
        code, text = await check(here.config, None, online=False, environment={})
        assert code == EXIT_CONFIGURATION
        assert "rollout.skus_file" in text
        assert "aliases.csv:2" in text
        assert text.splitlines()[-1] == "2 faults; nothing was started."


async def test_offline_it_reports_the_mapping_and_asks_nobody(tmp_path: Path) -> None:
    """Without credentials the file alone is checked, the mapping reported, and no system is asked."""
    async with site(tmp_path) as here:
        code, text = await check(here.config, None, online=False, environment={})
        assert code == 0
        assert "channels.warehouse-1: sells available of WH1" in text
        assert "were not checked" in text
        assert "token" not in text
        assert text.splitlines()[-1].startswith("ready: ")


async def test_a_missing_credential_is_a_fault_when_a_directory_is_known(tmp_path: Path) -> None:
    """With $CREDENTIALS_DIRECTORY set, a credential that is not there is told by name."""
    async with site(tmp_path) as here:
        (here.credentials / "feed-main").unlink()
        environment = {"CREDENTIALS_DIRECTORY": str(here.credentials)}
        code, text = await check(here.config, None, online=False, environment=environment)
        assert code == EXIT_CONFIGURATION
        assert "feed-main" in text


async def test_online_a_sound_site_is_ready(tmp_path: Path) -> None:
    """Token, scopes, project, messages, channel, marker type and source are each named, and nothing is written."""
    async with site(tmp_path) as here:
        code, text = await here.check()
        assert code == 0, text
        assert "manage_products:shop" in line_about(text, "granted")
        assert "shop answers" in text
        assert "are switched on" in text
        assert "exists and supplies inventory" in text
        assert "is to be created: the first start does it" in text
        assert "answers; its locations: WH1" in text
        assert SECRET not in text
        assert TOKEN not in text
        assert set(here.project.journal.requests) == {
            "oauth.token",
            "project.get",
            "types.get",
            "channels.query",
            "graphql",
        }


async def test_online_a_complete_marker_type_needs_no_manage_types(tmp_path: Path) -> None:
    """Where the type is complete, a client without manage_types is only something to look at."""
    scopes = tuple(scope for scope in SCOPES if scope != "manage_types")
    async with site(tmp_path, (*scopes, "view_types")) as here:
        here.project.add_type(MARKER)
        code, text = await here.check()
        assert code == 0, text
        assert "exists with its four fields" in text
        assert line_about(text, "scope manage_types:shop").lstrip().startswith("?")


async def test_online_a_marker_type_that_cannot_be_made_is_wrong(tmp_path: Path) -> None:
    """Without the type and without the scope to create it, nothing could be written: that is wrong."""
    scopes = tuple(scope for scope in SCOPES if scope != "manage_types")
    async with site(tmp_path, (*scopes, "view_types")) as here:
        code, text = await here.check()
        assert code == 1
        assert "to be created: and manage_types is missing" in text


async def test_online_missing_fields_of_the_marker_type_are_named(tmp_path: Path) -> None:
    """A type that lacks fields of ours is told with their names."""
    async with site(tmp_path) as here:
        here.project.add_type(MARKER | {"fieldDefinitions": MARKER["fieldDefinitions"][:2]})
        _, text = await here.check()
        assert "lacks archSeq, archFence" in text


async def test_online_missing_and_excess_scopes_are_named(tmp_path: Path) -> None:
    """A missing scope is told with what stands still without it, a wider one as wider than needed."""
    scopes = (*(scope for scope in SCOPES if scope != "manage_orders"), "manage_customers")
    async with site(tmp_path, scopes) as here:
        code, text = await here.check()
        assert code == 1
        assert "orders cannot be learnt" in line_about(text, "scope view_orders:shop")
        assert "wider than needed" in line_about(text, "scope manage_customers:shop")


async def test_online_handing_over_needs_to_change_orders_and_a_channel_that_takes_the_note(
    tmp_path: Path,
) -> None:
    """What may only read orders cannot book a dispatch; the note needs its role."""
    reads = tuple("view_orders" if scope == "manage_orders" else scope for scope in SCOPES)
    async with site(tmp_path, reads) as here:
        assert "manage_orders" not in (await here.check())[1]
        with here.config.open("a") as file:
            file.write('[orders]\nmode = "hand-over"\nsync_channel = "warehouse-1"\n')
        code, text = await here.check()
        assert code == 1
        assert "dispatches cannot be booked" in line_about(text, "scope manage_orders:shop")
        assert "OrderExport" in line_about(text, "channel warehouse-1: (orders.sync_channel)")


async def test_online_planning_needs_read_scopes_only(tmp_path: Path) -> None:
    """A client that may only read is ready for `stage = "plan"`, and told what going further needs."""
    reads = ("view_products", "view_channels", "view_orders", "view_messages", "view_project_settings")
    async with site(tmp_path, reads) as here:
        code, text = await here.check()
        assert code == 1
        assert "no stock can be read or written" in text
        with here.config.open("a") as file:
            file.write('[rollout]\nstage = "plan"\n')
        code, text = await here.check()
        assert code == 0, text
        assert "manage_products:shop" in line_about(text, "beyond planning")
        assert "wider than needed" not in text
        here.project.replace_client(ApiClient("client-1", SECRET, reads[1:]))
        code, text = await here.check()
        assert code == 1
        assert "no stock can be read" in line_about(text, "scope view_products:shop")


async def test_online_a_wrong_secret_is_told_and_asks_no_further(tmp_path: Path) -> None:
    """A refused credential is the one thing told of commercetools; the source is asked all the same."""
    async with site(tmp_path) as here:
        (here.credentials / "commercetools-client-secret").write_text("another-secret")
        code, text = await here.check()
        assert code == 1
        assert "refuses the credential" in text
        assert "channel warehouse-1" not in text
        assert "answers; its locations" in text
        assert "another-secret" not in text


async def test_online_a_silent_host_is_told(tmp_path: Path) -> None:
    """Nobody listening at commercetools' or the source's address is told as such, for both."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with site(tmp_path) as here:
            text = here.config.read_text().splitlines()
            told = [f'{line.split(" = ")[0]} = "{nowhere}"' if "url = " in line else line for line in text]
            here.config.write_text("\n".join(told))
            code, report = await here.check()
            assert code == 1
            assert "cannot be reached" in line_about(report, "token")
            assert nowhere in line_about(report, "feed.main")


async def test_online_switched_off_messages_are_something_to_look_at(tmp_path: Path) -> None:
    """A project without messages works, later; the report says so."""
    async with site(tmp_path, messages_enabled=False) as here:
        code, text = await here.check()
        assert code == 0
        assert line_about(text, "switched off").lstrip().startswith("?")


async def test_f125_online_a_catalogue_that_may_not_be_asked_is_wrong(tmp_path: Path) -> None:
    """GraphQL is refused: no entry would be created, unless the configuration does without the question."""
    async with site(tmp_path, graphql_enabled=False) as here:
        code, text = await here.check()
        assert code == 1
        assert "no entry would be created" in line_about(text, "catalogue: ")
        here.write(('client_id = "client-1"', 'client_id = "client-1"\ncheck_products = false'))
        code, text = await here.check()
        assert code == 0
        assert "catalogue: " not in text


async def test_online_channels_are_checked_for_existence_and_role(tmp_path: Path) -> None:
    """A mistyped channel is told with the near one, a channel without the role with the role."""
    async with site(tmp_path) as here:
        here.project.add_channel("shop-front", ["ProductDistribution"])
        here.write(
            (
                'WH1 = { channel = "warehouse-1" }',
                'WH1 = { channel = "warehouse-l" }\nWH2 = { channel = "shop-front" }',
            )
        )
        code, text = await here.check()
        assert code == 1
        assert "does not exist; did you mean warehouse-1?" in text
        assert "has not the role InventorySupply" in text


async def test_online_the_mapping_is_compared_with_the_source(tmp_path: Path) -> None:
    """A mapped location that the source does not know is wrong, one that it tells and nobody mapped is to look at."""
    async with site(tmp_path) as here:
        here.write(("WH1 =", "WH-1 ="))
        code, text = await here.check()
        assert code == 1
        assert "this source does not know it; did you mean WH1?" in text
        assert line_about(text, "locations.WH1").lstrip().startswith("?")


async def test_online_a_refused_feed_credential_is_told_without_it(tmp_path: Path) -> None:
    """A source that refuses the credential is wrong; neither credential shows in the report."""
    async with site(tmp_path) as here:
        (here.credentials / "feed-main").write_text("old-token")
        code, text = await here.check()
        assert code == 1
        assert "401" in line_about(text, "feed.main")
        assert "old-token" not in text


async def test_online_a_drop_directory_is_looked_at_and_left_as_it_was(tmp_path: Path) -> None:
    """Missing folders are told as to be made, wrong ones as wrong, and nothing is created."""
    async with site(tmp_path) as here:
        drop = tmp_path / "drop"
        drop.mkdir()
        (drop / "in").mkdir()
        (drop / "done").write_text("no folder")
        (drop / "error").symlink_to(tmp_path)
        text = here.config.read_text()
        start, end = text.index("[[feed]]"), text.index("[locations]")
        here.config.write_text(
            f'{text[:start]}[[feed]]\nname = "main"\ntransport = "drop"\ndirectory = "{drop}"\n{text[end:]}'
        )
        code, report = await here.check()
        assert code == 1
        assert f"{drop}/in is there (owner {os.getuid()}:" in report
        assert f"{drop}/work does not exist and is to be made" in report
        assert f"{drop}/done is no directory" in report
        assert "links are not followed" in report
        assert sorted(each.name for each in drop.iterdir()) == ["done", "error", "in"]
        assert "?  orders.reflected_before: is not stated" in report
        stated = '[orders]\nreflected_before = "2026-01-01T00:00:00Z"\n'
        here.config.write_text(here.config.read_text() + stated)
        assert "orders.reflected_before" not in (await here.check())[1]


async def test_online_a_missing_drop_directory_is_wrong(tmp_path: Path) -> None:
    """A directory that is not there is told with its path."""
    async with site(tmp_path) as here:
        text = here.config.read_text()
        start, end = text.index("[[feed]]"), text.index("[locations]")
        here.config.write_text(
            f'{text[:start]}[[feed]]\nname = "main"\ntransport = "drop"\ndirectory = "{tmp_path}/none"\n{text[end:]}'
        )
        code, report = await here.check()
        assert code == 1
        assert f"{tmp_path}/none is no directory" in report


def test_a_key_is_explained_and_a_wrong_one_suggests_a_near_one() -> None:
    """Explain tells what a key may hold; an unknown key ends with 64 and a suggestion."""
    assert "increase_interval_seconds" in explain("drain.increase_interval_seconds")
    with pytest.raises(Fatal, match="did you mean") as fatal:
        explain("drain.increase_intervall_seconds")
    assert fatal.value.code == EXIT_USAGE


@pytest.mark.parametrize(("name", "secret"), [("commercetools-client-secret", SECRET), ("feed-main", TOKEN)])
async def test_a_new_secret_is_tried_where_it_is_for(tmp_path: Path, name: str, secret: str) -> None:
    """What works works, what does not is told, and neither is shown."""
    async with site(tmp_path) as made:
        file = tmp_path / "new"
        file.write_text(f"{secret}\n")
        code, notes = await check_credential(made.config, name, file, VirtualClock())
        assert code == 0, notes
        file.write_text("canary-wrong")
        code, notes = await check_credential(made.config, name, file, VirtualClock())
        told = "\n".join(map(note_line, notes))
        assert code == 1
        assert "!!" in told
        assert "canary" not in told


async def test_a_secret_that_nothing_uses_or_that_is_none_is_refused(tmp_path: Path) -> None:
    """By the names that are used; an empty file by its own."""
    async with site(tmp_path) as made:
        file = tmp_path / "new"
        file.write_text("")
        with pytest.raises(Fatal, match="feed-mian; it uses commercetools-client-secret, feed-main") as fatal:
            await check_credential(made.config, "feed-mian", file)
        assert fatal.value.code == EXIT_USAGE
        with pytest.raises(CredentialFault, match="is empty"):
            await check_credential(made.config, "feed-main", file)


async def test_only_the_secret_is_judged_when_a_secret_is_tried(tmp_path: Path) -> None:
    """A least client, made after the marker's type; a location that the source does not know any more."""
    scopes = tuple(scope for scope in SCOPES if scope != "manage_types")
    async with site(tmp_path, (*scopes, "view_types")) as made:
        made.project.add_type(MARKER)
        made.write(('WH1 = { channel = "warehouse-1" }', 'WH9 = { channel = "warehouse-1" }'))
        for name, secret in (("commercetools-client-secret", SECRET), ("feed-main", TOKEN)):
            file = tmp_path / name
            file.write_text(secret)
            code, notes = await check_credential(made.config, name, file, VirtualClock())
            assert code == 0, notes


async def test_what_a_profile_reads_and_cannot_notice_is_told(tmp_path: Path) -> None:
    """A line for each profile, and one to look at where files are ordered by time alone."""
    async with site(tmp_path) as here:
        text = here.config.read_text()
        start, end = text.index("[[feed]]"), text.index("[locations]")
        feed = '[[feed]]\nname = "main"\ntransport = "drop"\ndirectory = "/srv/a"\nready = "rename"\nprofile = "site.json"\n'
        here.config.write_text(f"{text[:start]}{feed}{text[end:]}")
        (tmp_path / "site.json").write_text(
            '{"profile": "nightly", "format": "csv", "const": {"type": "stock.level", "location": "WH1"},'
            ' "fields": {"sku": "/A", "onHand": "/B"},'
            ' "names": {"pattern": "S{time:yyyyMMdd}.csv", "kind": "full", "tz": "UTC"}}'
        )
        code, report = await check(here.config, None, online=False, environment={})
        assert code == 0
        assert (
            "feed.main.profile: nightly reads csv as stock.level, from files called S{time:yyyyMMdd}.csv"
            in report
        )
        assert "one that never came is not noticed" in report
