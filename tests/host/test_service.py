"""The installed package under a real systemd: install, start, the ways it may die, journal, permissions, upgrade, purge.

One machine for the whole module, in the order of an administrator's first weeks. Every test begins with the service as the one
before left it; those that need it running say so.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from archsyncd.domain.events import Event
from tests.host.machine import cannot_boot
from tests.host.site import (
    CONFIG,
    CONFIGURATION,
    CREDENTIALS,
    DATABASE,
    LOCATION,
    ROOT,
    SECRET,
    TOKEN,
    UNIT,
    Site,
    installed,
    renamed,
)
from tests.support.printed import as_typed, sections

REASON = cannot_boot()
pytestmark = [
    pytest.mark.skipif(bool(REASON), reason=REASON or "it can"),
    pytest.mark.timeout(300),
]
WALL_CLOCK = Path(__file__).with_name("wall_clock.c")
PRELOADED = "/run/wall-clock.so"
HOUR = 3_600
YEAR = 31_557_600
STATUS_SOCKET = "/run/archsyncd/status.sock"
NEWER_SYSTEMD = 254
# Prints the schema's number and writes another.
NEXT_SCHEMA = """\
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
print(*database.execute("PRAGMA user_version").fetchone())
database.execute(f"PRAGMA user_version = {sys.argv[2]}")
"""
HEARTBEAT = (
    '{"type":"stock.batch","data":{"schema":"r247/1","feed":"main","epoch":"e1","items":[{"id":"h1",'
    '"type":"feed.heartbeat","seq":"1","at":"2026-11-23T10:15:03Z"}]}}'
)
DROP_IN = Path(__file__).parents[2] / "packaging" / "examples"


@pytest.fixture(scope="module")
def site(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The package on a fresh machine, and both simulators."""
    newer = renamed(package, "0.2.0", tmp_path_factory.mktemp("newer"))
    with installed(package, tmp_path_factory.mktemp("machine"), newer) as made:
        made.open()
        yield made


def test_the_installation_asks_nothing_starts_nothing_and_leaves_nothing_failed(site: Site) -> None:
    """Everything is where dpkg says, units are known and understood, groups exist, and secrets are root's alone."""
    machine = site.machine
    assert machine.run("dpkg", "--verify", "archsyncd") == ""
    assert machine.run("systemctl", "list-units", "--failed", "--no-legend", "archsyncd*").strip() == ""
    assert machine.show(UNIT, "ActiveState", "UnitFileState") == {
        "ActiveState": "inactive",
        "UnitFileState": "disabled",
    }
    release = int(machine.run("systemctl", "--version").split()[1])
    assert machine.show(UNIT, "Type")["Type"] == ("notify" if release < NEWER_SYSTEMD else "notify-reload")
    verified = machine.ask(
        "systemd-analyze", "verify", "--man=no", UNIT, "archsyncd-control.socket", "archsyncd-webhook.socket"
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    assert machine.run("getent", "group", "archsync-admin", "archsync-view").count("archsync-") == 2
    assert machine.run("stat", "--format=%a %U", CREDENTIALS, f"{CREDENTIALS}/feed-main").split() == [
        "700", "root", "600", "root",
    ]  # fmt: skip
    assert "archsyncd 0.1.0" in machine.run("archsyncd", "--version")
    pages = ("archsyncd.8", "archsyncctl.1", "archsyncd.config.5")
    for page in pages:
        machine.run("test", "-s", f"/usr/share/man/man{page[-1]}/{page}.gz")


def test_the_shipped_configuration_ends_with_78_by_name_and_without_a_loop(site: Site) -> None:
    """Every fault in one start, each an entry with its id; the people named by the alert unit are told."""
    machine = site.machine
    assert machine.ask("systemctl", "start", UNIT).returncode != 0
    assert machine.show(UNIT, "ExecMainStatus", "NRestarts", "ActiveState") == {
        "ExecMainStatus": "78",
        "NRestarts": "0",
        "ActiveState": "failed",
    }
    told = [entry["MESSAGE"] for entry in site.entries(Event.CONFIGURATION_REFUSED.value.message_id)]
    assert any(f"{CONFIG}:" in line and "client_id" in line for line in told)
    assert any("commercetools-client-secret is empty" in line for line in told)
    assert any("feed-main is empty" in line for line in told)
    machine.until(lambda: machine.journal("SYSLOG_IDENTIFIER=archsyncd-alert"), "the alert")
    (alert,) = machine.journal("SYSLOG_IDENTIFIER=archsyncd-alert")
    assert "archsyncd is down" in alert["MESSAGE"]
    assert "78" in alert["MESSAGE"]


def test_a_credential_file_that_is_not_there_is_one_clear_line(site: Site) -> None:
    """It is named, with the place where it belongs; nothing is tried again."""
    machine = site.machine
    site.configure()
    machine.run("mv", f"{CREDENTIALS}/feed-main", "/run/feed-main")
    machine.run("systemctl", "reset-failed", UNIT)
    refused = Event.CONFIGURATION_REFUSED.value.message_id
    before = len(site.entries(refused))
    assert machine.ask("systemctl", "start", UNIT).returncode != 0
    assert machine.show(UNIT, "ExecMainStatus", "NRestarts") == {"ExecMainStatus": "78", "NRestarts": "0"}
    (told,) = site.entries(refused)[before:]
    assert "the credential feed-main is missing" in told["MESSAGE"]
    assert f"{CREDENTIALS}/feed-main" in told["MESSAGE"]
    machine.run("mv", "/run/feed-main", f"{CREDENTIALS}/feed-main")


def test_it_starts_as_a_user_of_its_own_and_says_how_it_fares(site: Site) -> None:
    """READY, one line of status, state that nobody else reads, secrets in no environment and no argument."""
    machine = site.machine
    machine.run("systemctl", "reset-failed", UNIT)
    machine.run("systemctl", "enable", "--now", UNIT)
    site.settled()
    machine.until(lambda: "in step" in machine.show(UNIT, "StatusText")["StatusText"], "the status text")
    pid = site.pid()
    user = machine.run("stat", "--format=%U", f"/proc/{pid}").strip()
    assert user not in {"root", "nobody"}
    assert machine.run("stat", "--format=%a", "/var/lib/archsyncd/").strip() == "700"
    assert machine.run("stat", "--format=%a", DATABASE).strip() == "600"
    for secret in (SECRET, TOKEN):
        for place in ("environ", "cmdline"):
            assert secret not in machine.run("cat", f"/proc/{pid}/{place}")
        assert secret not in machine.run("journalctl", "--no-pager", "-o", "json", "-u", UNIT)
    for path in (f"{CREDENTIALS}/feed-main", f"/run/credentials/{UNIT}/archsyncd_feed-main", DATABASE):
        assert machine.ask("runuser", "-u", "nobody", "--", "cat", path).returncode != 0, path


def test_f169_the_sockets_let_in_whom_the_groups_name(site: Site) -> None:
    """Administrators ask and act, viewers read, everybody else is refused."""
    machine = site.machine
    for name, group in (("boss", "archsync-admin"), ("guest", "archsync-view")):
        machine.run("useradd", "--no-create-home", "--groups", group, name)
    asked = {
        name: machine.ask("runuser", "-u", name, "--", "archsyncctl", "status", "--check")
        for name in ("boss", "guest", "nobody")
    }
    assert {name: done.returncode for name, done in asked.items()} == {"boss": 0, "guest": 3, "nobody": 3}
    assert "archsync-admin" in asked["nobody"].stderr
    read = ["curl", "--silent", "--unix-socket", STATUS_SOCKET, "http://archsyncd/healthz"]
    assert machine.run("runuser", "-u", "guest", "--", *read).startswith("healthy")
    assert machine.ask("runuser", "-u", "nobody", "--", *read).returncode != 0


def test_while_it_is_stopped_nobody_answers_and_asking_starts_nothing(site: Site) -> None:
    """The sockets are there only while the service is."""
    machine = site.machine
    site.stop()
    done = machine.ask("archsyncctl", "status")
    assert done.returncode == 3
    assert "does not run" in done.stderr
    assert machine.show(UNIT, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    site.start()


def test_f013_started_again_and_again_it_has_its_sockets(site: Site) -> None:
    """More often than systemd lets a socket come and go by itself: the service is not kept from its restarts by that."""
    for _ in range(6):
        site.machine.run("systemctl", "restart", UNIT)
    assert site.ctl("status")["verdict"] in {"healthy", "degraded"}
    site.start()


def test_a_reload_is_in_force_and_a_faulty_one_changes_nothing(site: Site) -> None:
    """Widening the first SKUs to all: allow-list, then all, without a restart."""
    machine = site.machine
    machine.write("/etc/archsyncd/first-skus.txt", "A\n")
    narrow = CONFIGURATION + '[rollout]\nstage = "allow-list"\nskus_file = "/etc/archsyncd/first-skus.txt"\n'
    machine.write(CONFIG, narrow)
    pid = site.pid()
    reloaded = Event.RELOADED.value.message_id
    machine.run("systemctl", "reload", UNIT)
    machine.until(lambda: site.entries(reloaded), "the reload")
    site.sale("A", 1)
    site.sale("B", 1)
    machine.until(lambda: site.shop("stock?sku=A&channel=warehouse-1")["trueStock"] == 49, "A is written")
    plan = site.ctl("plan")
    assert [row["sku"] for row in plan["rows"]] == ["B"]
    assert site.shop("stock?sku=B&channel=warehouse-1")["trueStock"] == 50
    machine.write(CONFIG, narrow.replace('stage = "allow-list"', 'stage = "allow"'))
    machine.run("systemctl", "reload", UNIT)
    refused = Event.CONFIGURATION_REFUSED.value.message_id
    machine.until(
        lambda: any("rollout.stage" in entry["MESSAGE"] for entry in site.entries(refused)), "the refusal"
    )
    site.configure()
    machine.run("systemctl", "reload", UNIT)
    site.settled()
    assert site.pid() == pid


def test_f013_killed_it_is_back_and_nothing_is_lost(site: Site) -> None:
    """What is sold on both sides while it is dead, and while it writes."""
    alerts = len(site.machine.journal("SYSLOG_IDENTIFIER=archsyncd-alert"))
    for _ in range(2):
        before = site.pid()
        site.sell("A", 1)
        site.sale("B", 2)
        site.machine.run("kill", "-KILL", str(before))
        site.sell("B", 1)
        site.sale("A", 1)
        site.until_restarted(before)
        site.settled()
    assert int(site.machine.show(UNIT, "NRestarts")["NRestarts"]) >= 2
    assert len(site.machine.journal("SYSLOG_IDENTIFIER=archsyncd-alert")) == alerts


def test_f018_one_that_hangs_is_ended_by_the_watchdog_and_started_again(site: Site) -> None:
    """A process that does nothing any more, as if stuck in a call."""
    with site.drop_in("[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n"):
        site.machine.run("systemctl", "restart", UNIT)
        before = site.pid()
        alerts = len(site.machine.journal("SYSLOG_IDENTIFIER=archsyncd-alert"))
        site.machine.run("kill", "-STOP", str(before))
        site.sale("C", 1)
        site.until_restarted(before)
        found = site.machine.journal("-u", UNIT, "-g", "Watchdog timeout")
        assert found
        site.settled()
        assert len(site.machine.journal("SYSLOG_IDENTIFIER=archsyncd-alert")) == alerts
    site.machine.run("systemctl", "restart", UNIT)


def test_f013_a_crash_loop_ends_and_is_told(site: Site) -> None:
    """A program that dies at each start: so many times, then no more, and people are told once."""
    machine = site.machine
    alerts = len(machine.journal("SYSLOG_IDENTIFIER=archsyncd-alert"))
    broken = "[Unit]\nStartLimitBurst=3\n[Service]\nExecStart=\nExecStart=/bin/false\nRestartSec=100ms\n"
    with site.drop_in(broken):
        machine.run("systemctl", "reset-failed", UNIT)
        machine.ask("systemctl", "restart", UNIT)
        machine.until(lambda: machine.show(UNIT, "ActiveState")["ActiveState"] == "failed", "it is given up")
        machine.until(lambda: len(machine.journal("SYSLOG_IDENTIFIER=archsyncd-alert")) > alerts, "the alert")
        assert len(machine.journal("SYSLOG_IDENTIFIER=archsyncd-alert")) == alerts + 1
    site.start()


def test_f064_a_link_that_flaps_heals_by_itself(site: Site) -> None:
    """Down and up again, five times, with something to do after each: the same process settles it all."""
    machine, before = site.machine, site.pid()
    for number in range(5):
        machine.run("ip", "link", "set", "lo", "down")
        machine.run("archsyncctl", "status")
        machine.run("ip", "link", "set", "lo", "up")
        site.sell("B", 1) if number % 2 else site.sale("C", 1)
    site.settled()
    assert site.pid() == before


def test_f042_a_wall_clock_that_jumps_moves_nothing(site: Site) -> None:
    """An hour back and forth, ten years ahead, 1970: the real process under the real watchdog goes on and settles all."""
    machine = site.machine
    with tempfile.NamedTemporaryFile(suffix=".so") as made:
        command = ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", made.name, str(WALL_CLOCK)]
        subprocess.run(command, check=True)
        library = base64.b64encode(Path(made.name).read_bytes()).decode()
    machine.run("sh", "-c", f"base64 -d > {PRELOADED}", text=library)
    machine.write("/run/wall-clock", "0\n")
    with site.drop_in(f"[Service]\nEnvironment=LD_PRELOAD={PRELOADED}\nWatchdogSec=10s\n"):
        machine.run("systemctl", "restart", UNIT)
        site.settled()
        before = site.pid()
        seen = set()
        for moved in (-HOUR, HOUR, 10 * YEAR, -56 * YEAR, 0):
            machine.write("/run/wall-clock", f"{moved}\n")
            answer = machine.run(
                "curl", "--silent", "--include", "--unix-socket", STATUS_SOCKET, "http://archsyncd/healthz"
            )
            seen.update(re.findall(r"^Date: .*?(\d{4}) ", answer, re.MULTILINE))
            site.sell("C", 1)
            site.sale("B", 1)
            site.settled()
        assert site.pid() == before
        assert len(seen) >= 3, "its clock did not jump"
        for moved in (10 * YEAR, -56 * YEAR, 0):
            machine.write("/run/wall-clock", f"{moved}\n")
            machine.run("systemctl", "restart", UNIT)
            site.sell("C", 1)
            site.sale("B", 1)
            site.settled()
    machine.run("systemctl", "restart", UNIT)
    site.settled()


def test_f014_a_stop_under_load_ends_by_itself(site: Site) -> None:
    """With writes and orders in flight: success, in time, and the next start finds everything in order."""
    for number in range(20):
        site.sell("C", 1) if number % 2 else site.sale("B", 1)
    site.stop()
    assert site.machine.show(UNIT, "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}
    assert site.machine.journal("-u", UNIT, "-g", "stop-sigterm.*timed out") == []
    site.start()


def test_memory_is_bounded_and_far_from_its_bound(site: Site) -> None:
    """The unit's limits are in force, and the process keeps well below them."""
    limits = site.machine.show(UNIT, "MemoryMax", "MemoryHigh", "MemoryCurrent", "TasksCurrent")
    assert int(limits["MemoryMax"]) == 512 * 1024**2
    assert int(limits["MemoryCurrent"]) < int(limits["MemoryHigh"]) / 2
    with site.drop_in("[Service]\nMemoryMax=24M\nMemoryHigh=24M\nRestart=no\n"):
        assert site.machine.ask("systemctl", "restart", UNIT).returncode != 0
        # Under cgroup v1 systemd does not learn why: it sees the kill alone.
        assert site.machine.show(UNIT, "Result")["Result"] in {"oom-kill", "signal"}
    site.start()


def test_the_journal_tells_one_skus_story_and_explains_itself(site: Site) -> None:
    """Fields to filter by, ids that the catalogue knows, and its text under -x; the same with the operator's tool."""
    machine = site.machine
    site.house("seed", {"stock": [{"sku": "NEW-1", "location": LOCATION, "onHand": 3}]})
    site.house("store-sales", {"sku": "NEW-1", "location": LOCATION, "quantity": 1})
    machine.until(lambda: machine.journal("-u", UNIT, "ARCHSYNCD_SKU=NEW-1"), "the case")
    (entry,) = machine.journal("-u", UNIT, "ARCHSYNCD_SKU=NEW-1")
    assert entry["MESSAGE_ID"] == Event.CASE_OPENED.value.message_id
    told = (entry["ARCHSYNCD_KIND"], entry["ARCHSYNCD_CHANNEL"], entry["ARCHSYNCD_OWNER"])
    assert told == ("sku_not_found", "warehouse-1", "data")
    explained = machine.run("journalctl", "--no-pager", "-x", "-u", UNIT, "ARCHSYNCD_SKU=NEW-1")
    assert Event.CASE_OPENED.value.cause in explained
    assert f"archsyncctl exceptions show {entry['ARCHSYNCD_CASE']}" in explained
    listed = machine.run("journalctl", "--list-catalog").lower()
    for event in Event:
        assert event.value.message_id in listed
    # Whatever a text of the catalogue refers to is a field of each entry with its id.
    for line in machine.run("journalctl", "--no-pager", "-x", "-u", UNIT).splitlines():
        assert not line.startswith("░░") or "@ARCHSYNCD" not in line, line
    site.shop("products", {"skus": ["NEW-1"]})
    (case,) = site.ctl("exceptions", "list", "--kind", "sku_not_found")["rows"]
    machine.run("archsyncctl", "exceptions", "retry", str(case["id"]))
    site.settled()
    machine.until(lambda: len(machine.journal("-u", UNIT, "ARCHSYNCD_SKU=NEW-1")) == 2, "the resolution")


def test_f174_a_journal_that_stands_still_holds_nothing_up(site: Site) -> None:
    """Nothing is taken for a while: stock is moved all the same, and what was to be said is said then."""
    machine = site.machine
    machine.run("systemctl", "kill", "--signal=STOP", "systemd-journald")
    try:
        site.house("seed", {"stock": [{"sku": "NEW-2", "location": LOCATION, "onHand": 3}]})
        site.house("store-sales", {"sku": "NEW-2", "location": LOCATION, "quantity": 1})
        site.sale("A", 1)
        offered = "stock?sku=A&channel=warehouse-1"
        wanted = next(each["available"] for each in site.house("levels") if each["sku"] == "A")
        machine.until(lambda: site.shop(offered)["trueStock"] == wanted, "A is written")
    finally:
        machine.run("systemctl", "kill", "--signal=CONT", "systemd-journald")
    machine.until(lambda: machine.journal("-u", UNIT, "ARCHSYNCD_SKU=NEW-2"), "what was to be said")
    site.shop("products", {"skus": ["NEW-2"]})
    (case,) = site.ctl("exceptions", "list", "--kind", "sku_not_found")["rows"]
    machine.run("archsyncctl", "exceptions", "retry", str(case["id"]))
    site.settled()


def test_a_drop_in_opens_a_drop_directory(site: Site) -> None:
    """The example as it is shipped: files of a group of their own are read, answered and moved under the real unit."""
    machine = site.machine
    machine.run("groupadd", "--system", "archean")
    machine.run("install", "-d", "-m", "2770", "-g", "archean", "/srv/archean")
    machine.run("useradd", "--no-create-home", "--groups", "archean", "exporter")
    with site.drop_in((DROP_IN / "drop-directory.conf").read_text()):
        feed = """
[[feed]]
name = "files"
transport = "drop"
directory = "/srv/archean"
interval_seconds = 86400
ready = "rename"
locations = ["WH2"]
"""
        text = CONFIGURATION.replace(
            "wait_seconds = 1\n", f'wait_seconds = 1\nlocations = ["{LOCATION}"]\n{feed}'
        )
        text = text.replace("[orders]", 'WH2 = { channel = "warehouse-2" }\n[orders]\nhand_over_to = "main"')
        site.shop("channels", {"key": "warehouse-2"})
        machine.write(CONFIG, text)
        machine.run("systemctl", "restart", UNIT)
        machine.until(lambda: machine.ask("test", "-d", "/srv/archean/in").returncode == 0, "the folders")
        content = "epoch,seq,snapshot,location,sku,onHand,available,asOf\n"
        content += "e1,1,S1,WH2,A,7,7,2026-11-28T10:00:00Z\n"
        write = "umask 0007; cat > /srv/archean/in/.new && mv /srv/archean/in/.new /srv/archean/in/$0"
        name = "files-full-000000000001-20261128T100000Z.csv"
        machine.run("runuser", "-u", "exporter", "--", "sh", "-c", write, name, text=content)
        machine.until(
            lambda: machine.ask("sh", "-c", 'test -n "$(ls /srv/archean/done)"').returncode == 0,
            "it is taken",
        )
        machine.run("runuser", "-u", "exporter", "--", "sh", "-c", "cat /srv/archean/receipts/*")
    # The location is sold no more, and said to be: deleting its line alone would be held.
    machine.write(CONFIG, CONFIGURATION.replace("[orders]", "WH2 = { ignore = true }\n[orders]"))
    machine.run("systemctl", "restart", UNIT)
    offered = "stock?sku=A&channel=warehouse-2"
    machine.until(lambda: site.shop(offered)["trueStock"] == 0, "it offers nothing")
    machine.run("systemctl", "stop", UNIT)


def test_a_webhook_socket_refuses_what_nobody_takes(site: Site) -> None:
    """Enabled by the administrator: systemd opens it, the service answers 503 and says why."""
    machine = site.machine
    site.start()
    machine.run("systemctl", "enable", "archsyncd-webhook.socket")
    machine.run("systemctl", "restart", UNIT)
    answered = machine.run("curl", "--silent", "--include", "--data", "{}", "http://127.0.0.1:8443/r247")
    assert answered.startswith("HTTP/1.1 503")
    assert "Retry-After" in answered
    assert site.entries(Event.PAGE_UNSERVED.value.message_id)
    machine.run("systemctl", "disable", "--now", "archsyncd-webhook.socket")
    machine.run("systemctl", "restart", UNIT)


def test_a_webhook_socket_lets_a_source_call_the_feed_that_is_configured(site: Site) -> None:
    """The port is systemd's, the signature decides, and what is answered 202 is on the disk."""
    machine = site.machine
    site.configure()
    kept = machine.run("cat", CONFIG)
    calls = '[[feed]]\nname = "calls"\ntransport = "push"\nsnapshot_from = "main"\ninterval_seconds = 3600\n'
    machine.write(CONFIG, f"{kept}\n{calls}")
    machine.write(f"{CREDENTIALS}/feed-calls", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "0600")
    machine.run("systemctl", "enable", "archsyncd-webhook.socket")
    machine.run("systemctl", "restart", UNIT)
    address = "http://127.0.0.1:8443/hooks/r247"
    # Until this process is the one that writes, whoever calls is told to come again.
    machine.until(
        lambda: machine.run("curl", "--silent", "--include", "--data", "{}", address).startswith(
            "HTTP/1.1 401"
        ),
        "a call is looked at",
    )
    checked = machine.ask("archsyncd", "check-config", "--online", "--credentials", CREDENTIALS).stdout
    assert "is called at archsyncd-webhook.socket, which is enabled" in checked
    typed = as_typed(sections(ROOT / "packaging/r247.md")["Transport `push`: signed calls"])
    # It moves no stock: what follows in this module is another's.
    typed = re.sub(r"(?s)\Abody='.*?'\n", f"body='{HEARTBEAT}'\n", typed)
    secret = "SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw URL=http://127.0.0.1:8443"
    machine.until(
        lambda: '"stored"' in machine.run("bash", "-c", f"export {secret}\n{typed}"), "a call is stored"
    )
    assert '"duplicate"' in machine.run("bash", "-c", f"export {secret}\n{typed}")
    machine.write(CONFIG, kept)
    machine.run("systemctl", "disable", "--now", "archsyncd-webhook.socket")
    machine.run("systemctl", "restart", UNIT)


def test_a_new_secret_is_tried_first_and_no_write_fails_meanwhile(site: Site) -> None:
    """Credentials check, then a restart: the old one works until then, the new one from then on."""
    machine = site.machine
    machine.write("/run/new-secret", "a-new-secret\n", "0600")
    check = [
        "archsyncctl",
        "credentials",
        "check",
        "commercetools-client-secret",
        "--from",
        "/run/new-secret",
    ]
    refused = machine.ask(*check)
    assert refused.returncode == 1
    assert "does not work" in refused.stdout
    site.shop("clients", {"client_id": "archsyncd", "secret": "a-new-secret"})
    accepted = machine.run(*check)
    assert "systemctl restart archsyncd" in accepted
    site.sale("A", 1)
    machine.run("install", "-m", "0600", "/run/new-secret", f"{CREDENTIALS}/commercetools-client-secret")
    restarted = machine.run("date", "+%s.%N").strip()
    machine.run("systemctl", "restart", UNIT)
    site.sale("A", 1)
    site.settled()
    told = [
        entry["MESSAGE"] for entry in machine.journal("-u", UNIT, "-p", "warning", f"--since=@{restarted}")
    ]
    assert [line for line in told if "lies on overlay" not in line] == []
    assert "a-new-secret" not in machine.run("journalctl", "--no-pager", "-u", UNIT, "-o", "json")
    site.shop("clients", {"client_id": "archsyncd", "secret": SECRET})


def test_an_encrypted_credential_serves_as_well(site: Site) -> None:
    """The example as it is shipped, with the secret bound to this machine."""
    machine = site.machine
    machine.write("/run/secret", SECRET, "0600")
    target = "/etc/archsyncd/encrypted/commercetools-client-secret"
    machine.run("install", "-d", "-m", "0700", "/etc/archsyncd/encrypted")
    words = ["systemd-creds", "encrypt", "--with-key=host", "--name=commercetools-client-secret"]
    machine.run(*words, "/run/secret", target)
    with site.drop_in((DROP_IN / "encrypted-credential.conf").read_text()):
        machine.run("mv", f"{CREDENTIALS}/commercetools-client-secret", "/run/plain")
        machine.run("systemctl", "restart", UNIT)
        site.sale("B", 1)
        site.settled()
    machine.run("mv", "/run/plain", f"{CREDENTIALS}/commercetools-client-secret")
    site.start()


def test_f032_f034_an_old_backup_and_a_lost_state_oversell_nothing(site: Site) -> None:
    """Copied while it runs, put back much later; then nothing at all: it takes its place from the markers."""
    machine = site.machine
    said = site.ctl("backup", "before.db")
    site.sell("A", 2)
    site.sale("B", 3)
    site.settled()
    for lost in (False, True):
        site.stop()
        machine.run("sh", "-c", f"cp --preserve=ownership {said['file']} /run/before.db; rm -f {DATABASE}*")
        if not lost:
            machine.run("cp", "--preserve=ownership", "/run/before.db", DATABASE)
        order = site.sell("C", 1)
        machine.run("systemctl", "start", UNIT)
        if lost:
            # Nobody can tell who was to carry what was placed before: a person, who has looked, has it sent. (One placed within
            # the very second of the start, as commercetools' clock tells it, counts as placed after.)
            cases = machine.until(
                lambda order=order: site.ctl("exceptions", "list")["rows"] or site.arrived(order),  # type: ignore[misc]
                "the order in doubt",
            )
            for case in () if cases is True else cases:
                assert (case["kind"], case["subject"]) == ("order_in_doubt", order)
                machine.run("archsyncctl", "exceptions", "retry", str(case["id"]))
        site.sale("C", 1)
        site.settled()


def test_an_upgrade_keeps_the_configuration_the_state_and_what_is_under_way(site: Site) -> None:
    """Sold on both sides while it is exchanged: one process after the other, an edited configuration byte for byte."""
    machine = site.machine
    before, pid = hashlib.sha256(machine.run("cat", CONFIG).encode()).hexdigest(), site.pid()
    ledger = site.ctl("status")["ledger"]
    for number in range(6):
        site.sell("A", 1) if number % 2 else site.sale("B", 1)
    machine.run("dpkg", "--install", "/packages/archsyncd_0.2.0_amd64.deb")
    site.until_restarted(pid)
    site.settled()
    assert hashlib.sha256(machine.run("cat", CONFIG).encode()).hexdigest() == before
    assert site.ctl("status")["ledger"] == ledger
    assert machine.run("systemctl", "list-units", "--failed", "--no-legend", "archsyncd*").strip() == ""
    pid = site.pid()
    machine.run("dpkg", "--install", "/packages/archsyncd_0.1.0_amd64.deb")
    site.until_restarted(pid)
    site.settled()


def test_f164_on_another_host_it_waits_until_it_is_adopted(site: Site) -> None:
    """Moved with its state: it touches nothing and says so; adopted, as root and by hand, it goes on."""
    machine = site.machine
    adopt = ["archsyncd", "adopt"]
    machine.run("cp", "/etc/machine-id", "/run/machine-id")
    try:
        machine.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n", "0444")
        machine.run("systemctl", "restart", UNIT)
        machine.until(
            lambda: "another host" in machine.show(UNIT, "StatusText")["StatusText"], "it stands aside"
        )
        site.stop()
        machine.run(*adopt)
        site.start()
        site.sale("A", 1)
        site.settled()
    finally:
        machine.run("cp", "/run/machine-id", "/etc/machine-id")
        site.stop()
    machine.run(*adopt)
    site.start()


def test_a_database_of_a_newer_version_is_refused_by_name(site: Site) -> None:
    """A downgrade below the schema: 74, one sentence, no loop, the file as it was."""
    machine = site.machine
    site.stop()
    version = machine.run("python3", "-c", NEXT_SCHEMA, DATABASE, "99").strip()
    assert machine.ask("systemctl", "start", UNIT).returncode != 0
    assert machine.show(UNIT, "ExecMainStatus", "ActiveState") == {
        "ExecMainStatus": "74",
        "ActiveState": "failed",
    }
    (told,) = [entry["MESSAGE"] for entry in machine.journal("-u", UNIT, "-g", "newer version of archsyncd")]
    assert "schema 99" in told
    machine.run("python3", "-c", NEXT_SCHEMA, DATABASE, version)
    site.start()


def test_removal_keeps_what_purge_takes(site: Site) -> None:
    """Removed: stopped, its configuration, secrets and state stay. Purged: nothing of it is left."""
    machine = site.machine
    machine.run("dpkg", "--remove", "archsyncd")
    assert machine.ask("systemctl", "is-active", UNIT).stdout.strip() in {"inactive", "failed"}
    for path in (CONFIG, f"{CREDENTIALS}/feed-main", DATABASE):
        machine.run("test", "-e", path)
    assert machine.ask("test", "-e", "/usr/lib/archsyncd").returncode != 0
    machine.run("dpkg", "--purge", "archsyncd")
    for path in ("/etc/archsyncd", "/var/lib/archsyncd", "/var/lib/private/archsyncd", "/run/archsyncd"):
        assert machine.ask("test", "-e", path).returncode != 0, path
    assert machine.ask("systemctl", "list-unit-files", "--no-legend", "archsyncd*").stdout.strip() == ""
