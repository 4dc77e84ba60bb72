"""The report on how locations fill channels."""

from dataclasses import replace

from archsyncd.config import ChannelSettings, Weight, mapping_report
from tests.config.texts import LEAST, settings_of


def report(text: str) -> list[tuple[str, str, str]]:
    """Weight, subject and sentence of every note."""
    return [(str(note.weight), note.subject, note.says) for note in mapping_report(settings_of(LEAST + text))]


def test_a_channel_s_figure_is_told_as_a_sum() -> None:
    """Figures, buffers, share and safety stock stand in one sentence."""
    notes = report(
        '[locations]\nWH1 = { channel = "main-wh" }\nWH2 = { channel = "main-wh", sellable = "onHand", buffer = 2 }\n'
        '[channels.main-wh]\npercentage = 90\nsafety_stock = 3\norder_location = ""\n'
    )
    assert notes[0] == (
        "fact",
        "channels.main-wh",
        "sells available of WH1 plus onHand of WH2 less 2, 90 % of it, less 3 kept back",
    )
    assert notes[1][2] == "2 locations share it; its orders go to the location that Archean chooses"
    assert [weight for weight, subject, _says in notes if subject == "channels.main-wh"][2] == "look"
    assert ("look", "locations.WH2") in [(weight, subject) for weight, subject, _says in notes]


def test_ignored_locations_and_lookalikes_are_listed() -> None:
    """What is set aside, and names that differ by case only, are for a person to look over."""
    notes = report('[locations]\nWH1 = { channel = "main-wh" }\nwh1 = { ignore = true }\n')
    assert (
        "look",
        "locations.wh1",
        "differs from WH1 in upper and lower case only; names are compared exactly",
    ) in notes
    assert any(subject == "locations.wh1" and "is ignored" in says for _weight, subject, says in notes)


def test_nothing_mapped_is_wrong() -> None:
    """Without a location that fills a channel nothing is published."""
    assert ("wrong", "locations") in [note[:2] for note in report("")]
    assert ("wrong", "locations") in [note[:2] for note in report("[locations]\nRET = { ignore = true }\n")]


def test_a_percentage_of_nothing_is_pointed_out() -> None:
    """A channel that offers 0 % is allowed but hardly meant."""
    notes = report('[locations]\nWH1 = { channel = "main-wh" }\n[channels.main-wh]\npercentage = 0\n')
    assert any("nothing in stock is ever offered" in says for _weight, _subject, says in notes)


def test_the_default_location_is_pointed_out_when_it_is_missing() -> None:
    """Lines without a channel become exceptions, which is said before the first one."""
    text = '[locations]\nWH1 = { channel = "main-wh" }\n'
    assert "orders.default_location" in [subject for _weight, subject, _says in report(text)]
    named = report(text + '[orders]\ndefault_location = "WH1"\n')
    assert "orders.default_location" not in [subject for _weight, subject, _says in named]


def test_settings_made_by_hand_are_reported_as_they_are() -> None:
    """What reading would refuse is marked as wrong, for settings that did not come from a file."""
    sound = settings_of(LEAST + '[locations]\nWH1 = { channel = "main-wh" }\n')
    twin = replace(sound.locations["WH1"], channel="main-wh")
    shared = replace(
        sound,
        locations={"WH1": twin, "WH2": twin, "WH3": replace(twin, channel="")},
        channels={"other-wh": ChannelSettings()},
    )
    wrong = [note.subject for note in mapping_report(shared) if note.weight is Weight.WRONG]
    assert wrong == ["channels.main-wh", "channels.other-wh", "locations.WH3"]
