"""Inputs made of others by chance, for where the coverage-guided fuzzer is not installed. The same chance, the same inputs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Final

from tests.fuzz.parts import INPUT_LIMIT_BYTES

# What parsers trip over: ends of things, numbers beyond bounds, halves of characters, nests.
WORDS: Final = (
    b"", b"\x00", b"\n", b"\r\n", b'"', b"\\", b"\\ud800", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]",
    b",", b":", b"null", b"true", b"NaN", b"-0", b"1e400", b"3.0", b"9223372036854775808", b"-9223372036854775809",
    b"9" * 5_000, b"[" * 3_000, b'{"a":' * 1_500, b"\xe2\x80\xa8", b"'", b"&x;", b"<!DOCTYPE x>", b"]]>", b";", b"\t", b"=",
)  # fmt: skip


def mutants(seeds: Sequence[bytes], chance: random.Random) -> Iterator[bytes]:
    """Yield inputs without end: the seeds, bytes by chance, and seeds with a few changes."""
    yield from seeds
    while True:
        if chance.random() < 0.1 or not seeds:  # now and then nothing but noise
            yield chance.randbytes(chance.randint(0, 200))
        else:
            data = bytearray(chance.choice(seeds))
            for _ in range(chance.randint(1, 4)):
                _change(data, seeds, chance)
            yield bytes(data[:INPUT_LIMIT_BYTES])


def _change(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    start = chance.randint(0, len(data))
    end = min(len(data), start + chance.choice((0, 1, 1, 2, 5, 20)))
    match chance.randrange(5):
        case 0:
            data[start:end] = chance.choice(WORDS)
        case 1:
            data[start:end] = chance.randbytes(end - start)
        case 2:
            data[start:start] = data[start:end] * chance.choice((1, 2, 50))
        case 3:
            other = chance.choice(seeds)
            cut = chance.randint(0, len(other))
            data[start:end] = other[cut : cut + 60]
        case _:
            del data[start:end]
