"""A machine with the package installed and both simulators beside it: what a test does to it and asks of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.host.machine import Machine, booted

ROOT = Path(__file__).parents[2]
SHOP_PORT, HOUSE_PORT = 8101, 8102
SECRET = "a-secret-of-the-shop"
TOKEN = "a-token-of-the-warehouse"
CHANNEL, LOCATION = "warehouse-1", "WH1"
SKUS = ("A", "B", "C")
UNIT = "archsyncd.service"
CONFIG = "/etc/archsyncd/config.toml"
CREDENTIALS = "/etc/archsyncd/credentials"
DATABASE = "/var/lib/archsyncd/archsyncd.db"
CONFIGURATION = f"""\
[commercetools]
project_key = "shop"
client_id = "archsyncd"
api_url = "http://127.0.0.1:{SHOP_PORT}"
auth_url = "http://127.0.0.1:{SHOP_PORT}"

[[feed]]
name = "main"
url = "http://127.0.0.1:{HOUSE_PORT}"
wait_seconds = 1

[locations]
{LOCATION} = {{ channel = "{CHANNEL}" }}

[orders]
mode = "hand-over"
poll_seconds = 1
settle_seconds = 10

[reconcile]
settle_seconds = 10
"""


def build(out: Path) -> Path:
    """Build the package; its path."""
    done = subprocess.run(
        [ROOT / "packaging" / "build-deb", "--out", out],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(done.stdout.strip())


def renamed(package: Path, version: str, out: Path) -> Path:
    """The same package under another version, as an upgrade or a downgrade is."""
    tree = out / f"tree-{version}"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    fields = (tree / "DEBIAN" / "control").read_text()
    (tree / "DEBIAN" / "control").write_text(fields.replace("Version: 0.1.0", f"Version: {version}"))
    made = out / f"archsyncd_{version}_amd64.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(made)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return made


class Site:
    """The machine as its administrator, a shopper and the warehouse's people use it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def shop(self, what: str, body: Mapping[str, Any] | None = None, method: str = "GET") -> Any:
        """Ask or tell the simulated commercetools project."""
        return self._call(SHOP_PORT, what, body, method)["result"]

    def house(self, what: str, body: Mapping[str, Any] | None = None, method: str = "GET") -> Any:
        """Ask or tell the simulated Archean R247."""
        return self._call(HOUSE_PORT, what, body, method)

    def _call(self, port: int, what: str, body: Mapping[str, Any] | None, method: str) -> Any:
        words = ["curl", "--silent", "--show-error", f"http://127.0.0.1:{port}/_simulator/{what}"]
        if body is not None:
            told = self.machine.run(
                *words,
                "--request",
                "POST" if method == "GET" else method,
                "--data",
                "@-",
                text=json.dumps(body),
            )
        else:
            told = self.machine.run(*words, "--request", method)
        return json.loads(told)

    def open(self) -> None:
        """Start both simulators with a product, a channel and some stock."""
        run = ["systemd-run", "--quiet", "--setenv=PYTHONPATH=/usr/lib/archsyncd"]
        module = ["/usr/bin/python3", "-m"]
        self.machine.run(
            *run, "--unit=shop", f"--setenv=ARCHSYNCD_SIMULATOR_SECRET={SECRET}", *module,
            "archsyncd.simulators.commercetools", "--port", str(SHOP_PORT), "--project-key", "shop",
            "--stock-lag-seconds", "0",
        )  # fmt: skip
        self.machine.run(
            *run, "--unit=house", *module, "archsyncd.simulators.r247", "--port", str(HOUSE_PORT),
            "--location", f"{LOCATION}={CHANNEL}", "--auth", "bearer", "--credential", TOKEN,
            "--import-seconds", "0.1", "0.3",
        )  # fmt: skip
        for unit in ("shop", "house"):
            self.machine.until(lambda unit=unit: self.machine.ask("journalctl", "-u", unit, "-g", "http").returncode == 0, unit)  # type: ignore[misc] # fmt: skip
        self.shop("channels", {"key": CHANNEL})
        self.shop("products", {"skus": list(SKUS)})
        self.house("seed", {"stock": [{"sku": sku, "location": LOCATION, "onHand": 50} for sku in SKUS]})

    def configure(self, text: str = CONFIGURATION) -> None:
        """Write the configuration and both secrets, as the administrator does."""
        self.machine.write(CONFIG, text)
        self.machine.write(f"{CREDENTIALS}/commercetools-client-secret", SECRET + "\n", "0600")
        self.machine.write(f"{CREDENTIALS}/feed-main", TOKEN + "\n", "0600")

    def start(self) -> None:
        """Have the service running under the usual configuration, and in step."""
        self.configure()
        self.machine.ask("systemctl", "reset-failed", UNIT)
        self.machine.run("systemctl", "start", UNIT)
        self.settled()

    def stop(self) -> None:
        """Stop the service."""
        self.machine.run("systemctl", "stop", UNIT)

    def sell(self, sku: str, pieces: int, **purchase: Any) -> str:
        """A shopper buys online; the order's id."""
        line = {"sku": sku, "quantity": pieces, "channel": CHANNEL}
        order: str = self.shop("orders", {"lines": [line], **purchase})
        return order

    def sale(self, sku: str, pieces: int) -> None:
        """Somebody buys in the store."""
        self.house("store-sales", {"sku": sku, "location": LOCATION, "quantity": pieces})

    def arrived(self, order_id: str) -> bool:
        """Whether Archean has an order."""
        return any(each["orderId"] == order_id for each in self.house("orders"))

    def agree(self) -> bool:
        """Whether commercetools offers what Archean has, and every order has arrived."""
        if self.house("state")["orders"] < len({each["order_id"] for each in self.shop("admissions")}):
            return False
        levels = {each["sku"]: each["available"] for each in self.house("levels")}
        entries = self.shop("entries")
        offered = {each["sku"]: each["trueStock"] for each in entries if each["channel"] == CHANNEL}
        return levels == offered

    def settled(self) -> None:
        """Wait until both sides agree, nothing is oversold and no order is there twice."""
        self.machine.until(self.agree, "both sides agree", 60.0)
        assert self.shop("summary")["oversoldUnits"] == 0
        assert self.house("state")["duplicateOrders"] == 0

    def ctl(self, *words: str) -> dict[str, Any]:
        """What archsyncctl answers."""
        answer: dict[str, Any] = json.loads(self.machine.run("archsyncctl", *words, "--json"))
        return answer

    def pid(self) -> int:
        """The service's process."""
        return int(self.machine.show(UNIT, "MainPID")["MainPID"])

    def until_restarted(self, before: int) -> None:
        """Wait until another process is ready."""
        self.machine.until(
            lambda: (
                self.pid() not in {0, before} and self.machine.show(UNIT, "SubState")["SubState"] == "running"
            ),
            "a new process",
        )

    def entries(self, message_id: str) -> list[dict[str, Any]]:
        """Journal entries of the service with this id."""
        return self.machine.journal("-u", UNIT, f"MESSAGE_ID={message_id}")

    @contextmanager
    def drop_in(self, text: str) -> Iterator[None]:
        """A drop-in of the administrator's, for the length of the block."""
        path = f"/etc/systemd/system/{UNIT}.d/test.conf"
        self.machine.write(path, text)
        self.machine.run("systemctl", "daemon-reload")
        try:
            yield
        finally:
            self.machine.run("rm", path)
            self.machine.run("systemctl", "daemon-reload")


@contextmanager
def stocked(package: Path, scratch: Path, *others: Path, lower: Path = Path("/")) -> Iterator[Site]:
    """A machine without a network, with packages in /packages and nothing installed; `lower` as in `booted`."""
    packages = scratch / "seed" / "packages"
    packages.mkdir(parents=True)
    for path in (package, *others):
        shutil.copy(path, packages)
    with booted(scratch / "seed", lower) as machine:
        yield Site(machine)


@contextmanager
def installed(package: Path, scratch: Path, *others: Path, lower: Path = Path("/")) -> Iterator[Site]:
    """The same, and the package was just installed."""
    with stocked(package, scratch, *others, lower=lower) as site:
        site.machine.run("dpkg", "--install", f"/packages/{package.name}")
        yield site
