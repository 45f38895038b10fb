"""A day of a series in a few bytes per value, nothing lost.

Instants and values are written column by column: differences of instants, which are nearly equal,
and floating-point numbers byte by byte, since those of one series begin alike (the byte shuffle of
HDF5 and Blosc). What is left is compressed with zlib.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

Points = Sequence[tuple[datetime, float]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WIDTH = 8  # bytes of a number of either column


def pack(points: Points) -> bytes:
    """The points of a series, which are in order."""
    instants = [(at - _EPOCH) // _MICROSECOND for at, _ in points]
    steps = [after - before for before, after in zip([0, *instants], instants, strict=False)]
    return zlib.compress(
        _shuffled(array("q", steps)) + _shuffled(array("d", (value for _, value in points)))
    )


def unpack(packed: bytes) -> list[tuple[datetime, float]]:
    """What was packed."""
    raw = zlib.decompress(packed)
    half = len(raw) // 2
    steps, values = array("q", _plain(raw[:half])), array("d", _plain(raw[half:]))
    points, instant = [], 0
    for step, value in zip(steps, values, strict=True):
        instant += step
        points.append((_EPOCH + instant * _MICROSECOND, value))
    return points


def merged(*parts: Points) -> list[tuple[datetime, float]]:
    """Parts of one series as one, in order; of two values of one instant the first counts."""
    points: dict[datetime, float] = {}
    for part in parts:
        for at, value in part:
            points.setdefault(at, value)
    return sorted(points.items())


def _shuffled(numbers: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    raw = numbers.tobytes()
    return b"".join(raw[byte::_WIDTH] for byte in range(_WIDTH))


def _plain(shuffled: bytes) -> bytes:
    """Numbers as this machine has them."""
    rows = len(shuffled) // _WIDTH
    raw = bytearray(len(shuffled))
    for byte in range(_WIDTH):
        place = byte if sys.byteorder == "little" else _WIDTH - 1 - byte
        raw[place::_WIDTH] = shuffled[byte * rows : (byte + 1) * rows]
    return bytes(raw)
