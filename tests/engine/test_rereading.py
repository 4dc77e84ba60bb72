"""When open orders are read again for messages that could not be read."""

from __future__ import annotations

from archsyncd.engine.rereading import EVERY_SECONDS, Rereading


def test_it_waits_until_the_lists_have_caught_up_and_happens_once() -> None:
    """A list that lags would show the order as it was before."""
    reading = Rereading(60.0)
    assert not reading.due(0.0)
    reading.tell(0.0)
    assert not reading.due(59.0)
    assert reading.due(60.0)
    reading.done(60.0)
    assert not reading.due(1_000_000.0)


def test_what_is_told_just_before_is_read_for_once_more() -> None:
    """The lists need not show it yet."""
    reading = Rereading(60.0)
    reading.tell(0.0)
    reading.tell(50.0)
    reading.done(60.0)
    assert not reading.due(60.0 + EVERY_SECONDS - 1.0)
    assert reading.due(60.0 + EVERY_SECONDS)


def test_any_number_of_them_neither_puts_it_off_for_ever_nor_has_it_done_without_a_pause() -> None:
    """A change of the messages' form makes every one of them unreadable."""
    reading = Rereading(60.0)
    done = []
    for second in range(3_600):
        reading.tell(float(second))
        if reading.due(float(second)):
            reading.done(float(second))
            done.append(second)
    assert done == [60, 660, 1_260, 1_860, 2_460, 3_060]
