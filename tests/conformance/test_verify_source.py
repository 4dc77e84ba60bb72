"""`archsyncctl verify-source` as it is typed: over a real socket, of a directory, from a configuration."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import random
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archsyncd.conformance.rules import DROP_RULES, EVERY, PUBSUB_RULES, PULL_RULES, RECORD_RULES
from archsyncd.operator.ctl import main
from archsyncd.operator.fields import fields_of
from archsyncd.simulators.commercetools.clock import SystemClock
from archsyncd.simulators.r247 import Auth, R247Config, R247Simulator, serve
from archsyncd.simulators.r247.switches import switch_off, switch_on
from tests.adapters.feeds.servers import scripted
from tests.conformance.test_verify_drop import depot
from tests.dialects.houses import Ledger, ledger_profile, written
from tests.dialects.test_daemon import LOCAL

PAGE = Path(__file__).parents[2] / "packaging/r247.md"
SECRET = "canary-s3cret"
CONFIG = """
[commercetools]
project_key = "shop"
client_id = "archsyncd"
[[feed]]
name = "house"
url = "{url}"
[[feed]]
name = "main"
transport = "drop"
directory = "{directory}"
ready = "rename"
[locations]
WH1 = {{ channel = "warehouse-1" }}
"""


def typed(*words: str) -> tuple[int, str, str]:
    """Exit status, output and error output."""
    out, err = io.StringIO(), io.StringIO()
    code = main(["verify-source", *words], out, err)
    return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def served(opened: Callable[[], contextlib.AbstractAsyncContextManager[str]]) -> Iterator[str]:
    """A source served by a thread of its own, since the command has a loop of its own; its address."""
    found: list[str] = []
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serving() -> None:
        async with opened() as url:
            found.append(url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serving(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


def listening(simulator: R247Simulator) -> contextlib.AbstractContextManager[str]:
    """A source that speaks r247/1."""
    return served(lambda: serve(simulator))


def foreign(made: Ledger) -> contextlib.AbstractContextManager[str]:
    """One with names of its own."""
    return served(lambda: scripted(made.handle))


def house() -> R247Simulator:
    """A small source that asks for a credential."""
    config = R247Config(auth=Auth.BEARER, credential=SECRET)
    simulator = R247Simulator(config, SystemClock(), random.Random(1))
    for number in range(4):
        simulator.warehouse.seed(f"SKU-{number}", "WH1", 9)
        simulator.warehouse.store_sale(f"SKU-{number}", "WH1", 1)
    return simulator


def test_a_source_is_verified_over_a_real_socket(tmp_path: Path) -> None:
    """For people a table with what fails first, for programs every field that is documented; the secret is in neither."""
    simulator, file = house(), tmp_path / "secret"
    file.write_text(SECRET)
    with listening(simulator) as url:
        code, out, err = typed(url, "--credential", str(file))
        assert (code, err) == (0, "")
        assert "must be mended" not in out
        assert out.rstrip().endswith("nothing was written.")
        switch_on(simulator, "missum")
        code, text, err = typed(url, "--credential", str(file), "--json", "--snapshot")
        assert (code, err) == (1, "")
    answer = json.loads(text)
    assert set(answer) == set(fields_of("verify-source"))
    assert answer["exit"] == 1
    (failed,) = [each for each in answer["rules"] if each["verdict"] == "fails"]
    assert failed["rule"] == "snapshot_sum"
    assert set(failed) == set(re.findall(r"\w+", re.sub(r"\([^)]*\)|\[asked, excerpt\]?", "", _documented())))
    assert failed["evidence"][0]["asked"].startswith("GET /v1/snapshots/")
    assert SECRET not in out + text


def _documented() -> str:
    return fields_of("verify-source")["rules"].strip("[]")


def test_source_and_credential_may_come_from_the_configuration(tmp_path: Path) -> None:
    """As the daemon reads them; the first feed unless another is named."""
    simulator = house()
    (tmp_path / "feed-house").write_text(SECRET)
    depot(tmp_path / "files")
    config = tmp_path / "config.toml"
    with listening(simulator) as url:
        config.write_text(CONFIG.format(url=url, directory=tmp_path / "files"))
        given = ("--config", str(config), "--credentials", str(tmp_path))
        code, out, _ = typed(*given)
        assert (code, "credential_taken" in out) == (0, True)
        code, out, err = typed(*given, "--feed", "houses")
        assert (code, "it has house, main" in err) == (64, True)
    code, out, _ = typed(*given, "--feed", "main")
    assert code == 0
    assert "manifest" not in out
    (tmp_path / "feed-house").unlink()
    code, _, err = typed(*given)
    assert (code, "feed-house" in err) == (78, True)


def test_a_directory_is_verified_where_it_lies(tmp_path: Path) -> None:
    """With the same exit status, and nothing in it changed."""
    made = depot(tmp_path)
    assert typed(str(tmp_path))[0] == 0
    made.sell()
    made.exporter.new()
    next((tmp_path / "in").glob("*-000000000003-*.done")).unlink()
    code, out, _ = typed(str(tmp_path))
    assert code == 1
    assert "costs   a file without one waits for it" in out
    assert "asked   in/main-delta-000000000003" in out


def test_a_source_that_says_nothing_is_told_in_a_few_lines(tmp_path: Path) -> None:
    """Exit 2: it could not be asked. The same for one that refuses the credential."""
    with listening(house()) as url:
        (tmp_path / "wrong").write_text("another")
        code, out, _ = typed(url, "--credential", str(tmp_path / "wrong"))
        assert (code, "refused with 401" in out) == (2, True)
        assert len(out.splitlines()) < 15
    code, out, _ = typed(url)
    assert (code, "it could not be asked" in out) == (2, True)
    assert len(out.splitlines()) < 20


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 64, "Say which source"),
        (("/nonexistent",), 64, "neither a URL nor a directory"),
        (("http://r247.example",), 64, "https is needed"),
        (("https://user:pass@r247.example",), 64, "without user"),
        (("projects/p/subscriptions/s",), 64, "PROJECT/subscriptions/NAME"),
        (("https://r247.example", "--credential", "/nonexistent"), 78, "/nonexistent does not exist"),
        (("--config", "/nonexistent.toml"), 78, "nonexistent"),
    ],
)
def test_what_cannot_be_asked_is_said_at_once(words: tuple[str, ...], code: int, says: str) -> None:
    """Without a request."""
    status, out, err = typed(*words)
    assert (status, out) == (code, "")
    assert says in err


def test_every_rule_stands_in_a_section_of_the_page() -> None:
    """And names what it costs; no name is used twice."""
    headings = set(re.findall(r"(?m)^## (.+)$", PAGE.read_text("utf-8")))
    assert {rule.section for rule in EVERY} <= headings
    lists = (RECORD_RULES, PULL_RULES, DROP_RULES, PUBSUB_RULES)
    assert len({rule.name for rule in EVERY}) == len(EVERY) == sum(map(len, lists))
    assert all(rule.says and rule.costs for rule in EVERY)


def test_switching_off_is_enough_for_a_good_report(tmp_path: Path) -> None:
    """What was wrong leaves no trace in the source."""
    simulator = house()
    switch_on(simulator, "gap")
    switch_off(simulator)
    (tmp_path / "secret").write_text(SECRET)
    with listening(simulator) as url:
        assert typed(url, "--credential", str(tmp_path / "secret"))[0] == 0


def test_a_source_with_names_of_its_own_is_verified_by_its_profile(tmp_path: Path) -> None:
    """Named beside the address, or the feed's own; what it cannot promise stands in a list of its own, with its price."""
    made = Ledger(lambda: int(SystemClock().now() * 1000))
    for sku in ("A", "B"):
        made.put(sku, 5)
    profile = tmp_path / "site.json"
    profile.write_bytes(written(ledger_profile()))
    config = tmp_path / "config.toml"
    with foreign(made) as url:
        code, out, err = typed(url, "--profile", str(profile))
        assert (code, err) == (0, "")
        assert "What this source speaks cannot promise, whatever it does (profiles.md):" in out
        flat = " ".join(out.split())
        assert (
            "reset_noticed: not that a source that was reset or restored says so (no foreign source names an epoch)."
            in flat
        )
        assert "Then its old figures pass for new ones" in flat
        text = CONFIG.format(url=url, directory=tmp_path)
        own = f'url = "{url}"\nauth = "none"\nprofile = "site.json"'
        config.write_text(text.replace(f'url = "{url}"', own))
        code, text, _ = typed("--config", str(config), "--feed", "house", "--json")
    answer = json.loads(text)
    assert code == 0
    found = {each["rule"]: each for each in answer["rules"]}
    assert (found["reset_noticed"]["verdict"], found["reset_noticed"]["page"]) == ("cannot", "profiles.md")
    assert found["reset_noticed"]["costs"]
    assert "cannot be guaranteed: " in answer["says"]
    assert {one.method for one in made.asked} == {"GET"}


@pytest.mark.parametrize(
    ("profile", "words", "code", "says"),
    [
        ("", ("https://r247.example",), 78, "cannot be read: No such file"),
        ('{"profile": "a"}', ("https://r247.example",), 78, "needs"),
        (
            json.dumps({**ledger_profile(), "note": 1, "request": {}}).replace(', "request": {}', ""),
            ("https://r247.example",),
            78,
            "is required to ask a source",
        ),
        (
            json.dumps(ledger_profile(path="/wms/{location}")),
            ("https://r247.example",),
            64,
            "one {location} after the other",
        ),
        (json.dumps(LOCAL), (".", "--ready", "manifest"), 64, "have no manifest of ours"),
    ],
)
def test_a_profile_that_cannot_be_used_is_said_at_once(
    tmp_path: Path, profile: str, words: tuple[str, ...], code: int, says: str
) -> None:
    """Without a request."""
    file = tmp_path / "site.json"
    if profile:
        file.write_text(profile)
    status, out, err = typed(*words, "--profile", str(file))
    assert (status, out) == (code, "")
    assert says in err


def test_a_source_that_calls_is_not_asked(tmp_path: Path) -> None:
    """What it sends can be inspected."""
    config = tmp_path / "config.toml"
    calls = '[[feed]]\nname = "calls"\ntransport = "push"\nsnapshot_from = "main"\n[locations]'
    config.write_text(
        CONFIG.format(url="https://r247.test", directory=tmp_path).replace("[locations]", calls)
    )
    code, out, err = typed("--config", str(config), "--feed", "calls")
    assert (code, out) == (64, "")
    assert "calls us and cannot be asked: keep the body of a call" in err
