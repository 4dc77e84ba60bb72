"""Files of aliases and units: every fault at once, each with its line, and nothing half read."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from archsyncd.checking import check
from archsyncd.config import AliasSettings, UnitSettings
from archsyncd.policy_files import PolicyFileFault, aliases_of, units_of

HEAD = "archean_sku,commercetools_sku\n"


def aliased(tmp_path: Path, text: str | bytes) -> dict[str, str]:
    """What a file of aliases says."""
    file = tmp_path / "aliases.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return dict(aliases_of(AliasSettings(file=file)).listed)


def faults(tmp_path: Path, text: str | bytes) -> list[str]:
    """What is wrong with it, without the path."""
    with pytest.raises(PolicyFileFault) as found:
        aliased(tmp_path, text)
    assert found.value.count == len(str(found.value).splitlines())
    return [line.removeprefix(str(tmp_path / "aliases.csv")) for line in str(found.value).splitlines()]


def test_a_file_of_aliases_is_read_with_quotes_comments_and_a_mark_in_front(tmp_path: Path) -> None:
    """As spreadsheets write it."""
    text = "\ufeff" + HEAD + '# a remark\n\n"AR,1",A1\nAR-2 , A2\n'
    assert aliased(tmp_path, text) == {"AR,1": "A1", "AR-2": "A2"}


def test_two_lines_that_make_one_sku_of_two_are_a_fault_that_names_both(tmp_path: Path) -> None:
    """So is a SKU with two aliases; all are told at once."""
    found = faults(tmp_path, HEAD + "X,A\nY,A\nX,B\n,C\nZ\n")
    assert [line.split(":")[1] for line in found] == ["3", "4", "5", "6"]
    assert "line 2" in found[0]
    assert "'Y'" in found[0]
    assert "line 2" in found[1]
    assert "archean_sku" in found[2]
    assert "1 cells instead of 2" in found[3]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("sku,alias\nX,A\n", "the first line must be archean_sku,commercetools_sku"),
        (HEAD.encode() + b"X,\xff\n", "is not UTF-8"),
        (HEAD + '"X,A\n', "is no CSV"),
        (HEAD + "X,a\x07b\n", "printable"),
        (HEAD + f"X,{'a' * 257}\n", "1 to 256"),
    ],
)
def test_what_is_no_file_of_aliases_is_told_as_such(tmp_path: Path, text: str | bytes, says: str) -> None:
    """With its line where there is one."""
    assert says in faults(tmp_path, text)[0]


def test_units_of_single_skus_are_read_and_their_faults_told(tmp_path: Path) -> None:
    """An empty unit is for records that tell none."""
    file = tmp_path / "units.csv"
    file.write_text("sku,uom,factor\nA,CTN,6\nB,,2.5\n")
    assert units_of(UnitSettings(file=file)).own == {("A", "CTN"): Fraction(6), ("B", ""): Fraction("2.5")}
    file.write_text("sku,uom,factor\nA,CTN,6\nA,CTN,7\nB,CTN,0\nC,CTN,1e3\n,CTN,1\n")
    with pytest.raises(PolicyFileFault) as found:
        units_of(UnitSettings(file=file))
    assert [line.split(":")[1] for line in str(found.value).splitlines()] == ["3", "4", "5", "6"]


async def test_check_config_tells_the_faults_of_the_files(tmp_path: Path) -> None:
    """Before anything is started, with status 78."""
    config = tmp_path / "config.toml"
    config.write_text(
        '[commercetools]\nproject_key = "shop"\nclient_id = "sync"\n'
        '[[feed]]\nname = "main"\nurl = "https://r247.test/api"\n'
        '[locations]\nWH1 = { channel = "warehouse-1" }\n'
        '[aliases]\nfile = "aliases.csv"\n[units]\nfactors = { CTN = 12, KG = "2.5" }\n'
    )
    (tmp_path / "aliases.csv").write_text(HEAD + "X,A\nY,A\n")
    status, told = await check(config, None, online=False, environment={})
    assert status == 78
    assert "aliases.csv:3" in told
    (tmp_path / "aliases.csv").write_text(HEAD + "X,A\nY,B\n")
    status, told = await check(config, None, online=False, environment={})
    assert status == 0, told
