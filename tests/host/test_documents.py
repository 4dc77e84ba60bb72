"""Every command of the README and of the operator's guide, typed in their order on a machine that has nothing yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.host.machine import cannot_boot
from tests.host.site import LOCATION, ROOT, TOKEN, Site, stocked

REASON = cannot_boot()
pytestmark = [
    pytest.mark.skipif(bool(REASON), reason=REASON or "it can"),
    pytest.mark.timeout(300),
]
COMMAND = re.compile(r"(?m)^    \$ (.+)$")
# `status --check` and reports end with the verdict, `watch` never, and a plan that is empty says so.
VERDICTS = {
    "archsyncctl status --check": {0, 1, 2},
    "archsyncctl watch": {124},
    "archsyncctl report daily": {0, 1},
    "archsyncctl report weekly": {0, 1},
}


def commands(*documents: str) -> Iterator[str]:
    """What stands behind a `$`, in order."""
    for name in documents:
        yield from COMMAND.findall((ROOT / name).read_text("utf-8"))


def prepare(site: Site) -> None:
    """What a site has by then: both systems, its configuration and secrets, a colleague, a SKU without a product."""
    site.open()
    site.configure()
    site.machine.run("useradd", "--no-create-home", "anna")
    site.machine.write("/packages/new-secret", TOKEN, "0600")
    site.house("seed", {"stock": [{"sku": "ABC-1", "location": LOCATION, "onHand": 3}]})


def wait_for_what_is_asked(site: Site, command: str) -> None:
    """A person reads before typing on; and a shopper has bought."""

    def told(*words: str, holds: str) -> bool:
        return holds in site.machine.ask("archsyncctl", *words, "--json").stdout

    if "order CT-10045" in command and not told("order", "CT-10045", holds="state"):
        site.sell("A", 1, order_number="CT-10045")
        site.machine.until(partial(told, "order", "CT-10045", holds="state"), "the order is learnt")
    for number in re.findall(r"exceptions (?:show|dismiss) (\d+)", command):
        site.machine.until(partial(told, "exceptions", "show", number, holds="open"), f"exception {number}")


def test_the_documents_commands_work_as_they_stand(package: Path, tmp_path: Path) -> None:
    """From the installation to the weekly backup; each ends as it says."""
    typed = list(commands("README.md", "packaging/guide.md"))
    assert len(typed) > 30
    with stocked(package, tmp_path) as site:
        machine = site.machine
        for command in typed:
            plain = command.split("  #")[0].strip()
            wait_for_what_is_asked(site, plain)
            line = f"timeout 3 {plain}" if plain == "archsyncctl watch" else plain
            done = machine.ask("bash", "-c", f"cd /packages && {line}")
            assert done.returncode in VERDICTS.get(plain, {0}), f"{plain}: {done.stdout}{done.stderr}"
            if plain.startswith("dpkg --install"):
                prepare(site)
