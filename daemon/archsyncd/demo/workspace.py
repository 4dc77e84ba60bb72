"""A place on disk for one demo: configuration, credential, state, log. Knows nothing of what runs there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archsyncd.demo.stage import CLIENT, LOCATIONS, PROJECT, SECRET, Stage

CONFIGURATION = """\
# Made by `archsyncd demo`. Times are shorter than the shipped ones, because a day lasts less than a minute here.
[daemon]
state_dir = "{directory}/state"
control_socket = "{directory}/control.sock"

[commercetools]
project_key = "{project}"
client_id = "{client}"
api_url = "{shop_url}"
auth_url = "{shop_url}"
requests_per_second = 100
burst = 100

[[feed]]
name = "main"
transport = "pull"
url = "{house_url}"
auth = "none"
interval_seconds = 15
wait_seconds = 5

[locations]
{locations}

[orders]
mode = "hand-over"
poll_seconds = 1
settle_seconds = 10

[reconcile]
settle_seconds = 10

[status]
listen = "{page}"
actions = true
"""
PAGE_TOKEN = "demo"  # noqa: S105 - of a page that shows a demo


@dataclass(frozen=True, slots=True)
class Workspace:
    """The paths of one demo. `page`: the address and port of the status page, "" without one."""

    directory: Path
    page: str = ""

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.directory / "config.toml"

    @property
    def credentials(self) -> Path:
        """The directory of credential files."""
        return self.directory / "credentials"

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.directory / "control.sock"

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.directory / "archsyncd.log"

    def keep_log(self) -> Path:
        """Copy the log beside this directory, where it outlives the demo; its new path."""
        beside = self.directory.parent
        with tempfile.NamedTemporaryFile(
            prefix="archsyncd-demo-", suffix=".log", dir=beside, delete=False
        ) as kept:
            if self.log.exists():
                kept.write(self.log.read_bytes())
            return Path(kept.name)


@contextmanager
def workspace(stage: Stage, parent: Path | None = None, *, page: str = "") -> Iterator[Workspace]:
    """A workspace for the daemon of this stage, removed with everything in it when the block is left.

    It lies in `parent`, or where temporary files go. `page`: where the daemon serves its status page.
    """
    place = Workspace(Path(tempfile.mkdtemp(prefix="archsyncd-demo-", dir=parent)), page)
    try:
        (place.directory / "state").mkdir(mode=0o700)
        place.credentials.mkdir(mode=0o700)
        for name, text in (("commercetools-client-secret", SECRET), ("status-token", PAGE_TOKEN)):
            secret = place.credentials / name
            secret.touch(mode=0o600)
            secret.write_text(text)
        place.config.write_text(_configuration(place, stage))
        yield place
    finally:
        shutil.rmtree(place.directory, ignore_errors=True)


def _configuration(place: Workspace, stage: Stage) -> str:
    locations = "\n".join(f'{name} = {{ channel = "{channel}" }}' for name, channel in LOCATIONS.items())
    return CONFIGURATION.format(
        directory=place.directory,
        project=PROJECT,
        client=CLIENT,
        shop_url=stage.shop_url,
        house_url=stage.house_url,
        locations=locations,
        page=place.page,
    )
