"""The unit file: what systemd makes of it, and that it agrees with the program (fault 178, X8)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_FENCED_OFF, EXIT_RESTART, EXIT_STORE, EXIT_USAGE
from archsyncd.engine.supervise import FINISH_SECONDS

UNIT = Path(__file__).parents[3] / "archsyncd.service"
ALERT = UNIT.parent / "packaging" / "archsyncd-alert@.service"
SOCKETS = sorted((UNIT.parent / "packaging").glob("archsyncd-*.socket"))
EXPOSURE_LIMIT = 12  # the score times ten

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def values(name: str, text: str | None = None) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text() if text is None else text, re.MULTILINE)


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words], capture_output=True, text=True, timeout=60, check=False
    )


def exposure(path: Path) -> subprocess.CompletedProcess[str]:
    return analyze("security", "--offline=true", f"--threshold={EXPOSURE_LIMIT}", str(path))


def test_exit_statuses_that_a_restart_cannot_help_are_the_programs() -> None:
    """Configuration, usage, store and fenced off stay down; everything else comes back."""
    (named,) = values("RestartPreventExitStatus")
    ours = {EXIT_CONFIGURATION, EXIT_USAGE, EXIT_STORE, EXIT_FENCED_OFF}
    # A credential file that is not there is systemd's own to tell.
    assert set(named.split()) == {str(status) for status in ours} | {"CREDENTIALS"}
    assert EXIT_RESTART not in ours
    assert values("Restart") == ["always"]


def test_the_stop_has_time_to_finish() -> None:
    """What is under way is cut off by the program itself before systemd would kill it."""
    (limit,) = values("TimeoutStopSec")
    assert int(limit.removesuffix("s")) >= FINISH_SECONDS + 10
    assert values("Type") == ["notify"]
    assert values("WatchdogSec") == ["30s"]


def test_secrets_come_by_credentials_only() -> None:
    """No secret, environment file or environment in the unit (fault 170)."""
    assert values("Environment") == values("EnvironmentFile") == values("SetCredential") == []
    assert values("LoadCredential") == ["archsyncd:/etc/archsyncd/credentials"]


def test_f013_a_crash_loop_ends_and_is_told_by_a_unit_that_exists() -> None:
    """So many starts fit into the interval though each takes its time to fail, and what OnFailure names is shipped."""
    (burst,) = values("StartLimitBurst")
    assert values("StartLimitIntervalSec") == ["1h"]
    (pause,), (hang,), (start,) = (values(name) for name in ("RestartSec", "WatchdogSec", "TimeoutStartSec"))
    for each in (hang, start):
        seconds = int(pause.removesuffix("s")) + int(each.removesuffix("s"))
        assert int(burst) * seconds < 3600
    (named,) = values("OnFailure")
    assert named == "archsyncd-alert@%N.service"
    assert ALERT.name == "archsyncd-alert@.service"
    assert ALERT.exists()


@needs_systemd
def test_the_unit_is_understood_without_a_warning(tmp_path: Path) -> None:
    """Unknown keys are only warned of on stderr: it must be empty."""
    copy = tmp_path / "archsyncd.service"
    copy.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    for unit in SOCKETS:
        (tmp_path / unit.name).write_text(unit.read_text())
    done = analyze("verify", "--man=no", str(copy))
    assert (done.returncode, done.stderr) == (0, "")
    alert = tmp_path / "archsyncd-alert@archsyncd.service"
    alert.write_text(ALERT.read_text())
    done = analyze("verify", "--man=no", str(alert))
    assert (done.returncode, done.stderr) == (0, "")
    copy.write_text(copy.read_text().replace("ProtectClock=", "ProtectClok="))
    assert "ProtectClok" in analyze("verify", "--man=no", str(copy)).stderr


@needs_systemd
def test_f178_the_units_exposure_stays_below_the_gate() -> None:
    """Offline exposure at most 1.2 by systemd's own judgement."""
    done = exposure(UNIT)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr


@needs_systemd
@pytest.mark.parametrize("lost", ["SystemCallFilter", "CapabilityBoundingSet", "RestrictNamespaces"])
def test_f178_the_gate_notices_a_lost_restriction(tmp_path: Path, lost: str) -> None:
    """Without one of the main restrictions the gate fails."""
    copy = tmp_path / "archsyncd.service"
    copy.write_text(re.sub(rf"^{lost}=.*\n", "", UNIT.read_text(), flags=re.MULTILINE))
    assert exposure(copy).returncode != 0
