"""Kits and shares in the configuration: what is read, and what is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsyncd.assembly import policies_of
from archsyncd.domain.kits import Kit
from archsyncd.listed_files import RolloutFault, read_kits
from tests.config.texts import LEAST, faults_of, only_fault, settings_of

LOCATION = '[locations]\nWH1 = { channel = "warehouse-1" }\n'
SHARED = '[locations]\nWH1 = { shares = { "warehouse-1" = 60, "outlet" = 40 } }\n'
KIT = '[kits."KIT-1"]\ncomponents = { "A" = 1, "B" = 2 }\nallotment = "20%"\n'


def test_a_location_is_shared_by_channels() -> None:
    """Each channel has its share of it."""
    policies = policies_of(settings_of(LEAST + SHARED))
    assert {each.channel: each.share for each in policies.by_location["WH1"]} == {
        "warehouse-1": 60,
        "outlet": 40,
    }
    assert policies.sharing["outlet"] == {"warehouse-1"}


def test_shares_beyond_the_whole_are_refused() -> None:
    """The rest would be sold twice."""
    fault = only_fault(LEAST + SHARED.replace("40", "41"))
    assert (fault.path, fault.allowed) == (
        "locations.WH1.shares",
        "must come to 100 at most, and come to 101: the rest would be sold twice",
    )


@pytest.mark.parametrize("more", ['channel = "warehouse-1", ', "ignore = true, "])
def test_a_location_has_one_channel_or_shares_or_is_ignored(more: str) -> None:
    """Not two of these."""
    assert only_fault(LEAST + SHARED.replace("{ shares", "{ " + more + "shares")).path.startswith(
        "locations.WH1"
    )


@pytest.mark.parametrize("share", ["0", "101", '"half"', "true", "0.5"])
def test_a_share_is_a_percentage(share: str) -> None:
    """From 1 to 100."""
    assert only_fault(LEAST + SHARED.replace("60", share)).path == "locations.WH1.shares"


def test_lines_without_a_channel_need_a_location_of_one_channel() -> None:
    """Nobody could say which of its channels they are taken from."""
    fault = only_fault(LEAST + SHARED + '[orders]\ndefault_location = "WH1"\n')
    assert fault.path == "orders.default_location"


@pytest.mark.parametrize(
    ("told", "percent", "kits"), [('"20%"', 20, None), ("30", None, 30), ('"shared"', None, None)]
)
def test_a_kit_keeps_a_share_a_number_or_nothing(told: str, percent: int | None, kits: int | None) -> None:
    """As it is configured."""
    policies = policies_of(settings_of(LEAST + LOCATION + KIT.replace('"20%"', told)))
    assert policies.kits.by_sku["KIT-1"] == Kit("KIT-1", (("A", 1), ("B", 2)), percent, kits)


@pytest.mark.parametrize("told", ['"0%"', '"101%"', "-1", '"all"', "true", '"20 %"'])
def test_no_other_allotment_is_accepted(told: str) -> None:
    """What is kept must be clear."""
    assert only_fault(LEAST + LOCATION + KIT.replace('"20%"', told)).path == "kits.KIT-1.allotment"


@pytest.mark.parametrize(
    ("text", "path", "part"),
    [
        (KIT.replace('"B"', '"KIT-1"'), "kits.KIT-1.components", "not made of itself"),
        (KIT + KIT.replace("KIT-1", "A"), "kits.KIT-1.components", '"A" is a kit itself'),
        (KIT + KIT.replace("KIT-1", "K2").replace("20%", "81%"), "kits.KIT-1.allotment", "keep 101%"),
        (KIT.replace("= 2", "= 0"), "kits.KIT-1.components", "must be a table"),
        (KIT + 'channels = ["nowhere"]\n', "kits.KIT-1.channels[0]", "no location fills"),
        (KIT.replace('allotment = "20%"\n', ""), "kits.KIT-1.allotment", "is required"),
        ('[kits."KIT-1"]\nallotment = 3\n', "kits.KIT-1.components", "is required"),
    ],
)
def test_a_kit_that_cannot_be_is_refused(text: str, path: str, part: str) -> None:
    """Each with its place and what is wrong."""
    found = [fault for fault in faults_of(LEAST + LOCATION + text) if fault.path == path]
    assert found
    assert part in found[0].allowed


def test_what_is_kept_in_different_channels_adds_up_in_none() -> None:
    """81 and 20 of a hundred, each where the other is not sold."""
    text = LEAST + SHARED + KIT + 'channels = ["outlet"]\n'
    text += KIT.replace("KIT-1", "K2").replace("20%", "81%") + 'channels = ["warehouse-1"]\n'
    assert len(settings_of(text).kits) == 2


@pytest.mark.parametrize(("told", "as_kit"), [("", False), ("components", False), ("kit", True)])
def test_a_kit_is_handed_over_as_its_components_or_as_itself(told: str, *, as_kit: bool) -> None:
    """Where nothing is said, Archean gets the pieces that it is to pick."""
    hand_over = f'hand_over = "{told}"\n' if told else ""
    policies = policies_of(settings_of(LEAST + LOCATION + KIT + hand_over + '[orders]\nmode = "hand-over"\n'))
    assert policies.kits.by_sku["KIT-1"].as_kit is as_kit


def test_a_file_of_kits_is_read(tmp_path: Path) -> None:
    """A line for each component; the allotment once."""
    path = tmp_path / "kits.csv"
    path.write_text("kit,component,quantity,allotment\nK1,A,1,20%\nK1,B,2,\n\nK2,A,3,shared\n")
    assert read_kits(path) == {
        "K1": Kit("K1", (("A", 1), ("B", 2)), 20),
        "K2": Kit("K2", (("A", 3),)),
    }
    policies = policies_of(settings_of(LEAST + LOCATION + f'[goods]\nkits_file = "{path}"\n'))
    assert [kit.sku for kit in policies.kits.using["A"]] == ["K1", "K2"]


def test_a_file_may_say_how_its_kits_are_handed_over(tmp_path: Path) -> None:
    """On one line of a kit at least; else as its components."""
    path = tmp_path / "kits.csv"
    path.write_text("kit,component,quantity,allotment,hand_over\nK1,A,1,20%,kit\nK1,B,2,,\nK2,A,3,shared,\n")
    assert {sku: kit.as_kit for sku, kit in read_kits(path).items()} == {"K1": True, "K2": False}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("kit,component,quantity,allotment,hand_over\nK1,A,1,20%,whole\n", "line 2: must be"),
        (
            "kit,component,quantity,allotment,hand_over\nK1,A,1,20%,kit\nK1,B,1,,components\n",
            "line 3: the kit K1 is handed over in two ways",
        ),
        ("", "first line must be kit,component,quantity,allotment"),
        ("kit,component,quantity,allotment\nK1,A\n", "line 2: 2 columns instead of 4"),
        ("kit,component,quantity,allotment\nK1,A,0,20%\n", "line 2: must be a whole number"),
        ("kit,component,quantity,allotment\nK1,A,٣,20%\n", "line 2: must be a whole number"),
        ("kit,component,quantity,allotment\nK1,A,1,lots\n", "line 2: must be"),
        ("kit,component,quantity,allotment\nK1,A,1,20%\nK1,A,2,\n", "line 3: A is named twice"),
        (
            "kit,component,quantity,allotment\nK1,A,1,20%\nK1,B,2,30%\n",
            "line 3: the kit K1 has two allotments",
        ),
        ("kit,component,quantity,allotment\nK1,A,1,\n", "K1 has no allotment"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(tmp_path: Path, text: str, part: str) -> None:
    """The line and what is wrong with it."""
    path = tmp_path / "kits.csv"
    path.write_text(text)
    with pytest.raises(RolloutFault) as caught:
        read_kits(path)
    assert part in str(caught.value)


def test_a_file_must_fit_the_configuration(tmp_path: Path) -> None:
    """Kits of both together are looked at."""
    path = tmp_path / "kits.csv"
    path.write_text("kit,component,quantity,allotment\nA,X,1,20%\n")
    settings = settings_of(LEAST + LOCATION + KIT + f'[goods]\nkits_file = "{path}"\n')
    with pytest.raises(RolloutFault, match="KIT-1 has A as a component"):
        policies_of(settings)
    path.write_text("kit,component,quantity,allotment\nKIT-1,X,1,20%\n")
    with pytest.raises(RolloutFault, match="KIT-1 stands in the configuration too"):
        policies_of(settings)
    path.unlink()
    with pytest.raises(RolloutFault, match="cannot be read"):
        policies_of(settings)
