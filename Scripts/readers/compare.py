"""Compares the cells that a reader read with the expected ones, in one pass."""
from dataclasses import dataclass, field
from itertools import zip_longest

from .cells import place, untyped

SHOWN = 10


@dataclass
class Comparison:
    """The number of compared cells and of differences, and the first differences."""
    cells: int = 0
    differences: int = 0
    garbled: int = 0
    shown: list = field(default_factory=list)

    def differ(self, where, expected, got):
        self.differences += 1
        if len(self.shown) < SHOWN:
            self.shown.append(f"{where}: expected {shorten(expected, got)}, got {shorten(got, expected)}")


def shorten(value, other):
    """The value's repr in 80 characters at most; of long texts, the part around the first difference."""
    at = 0
    if isinstance(value, str) and isinstance(other, str) and len(value) > 60:
        at = next((i for i, pair in enumerate(zip_longest(value, other)) if pair[0] != pair[1]), 0)
        at = max(0, at - 15)
        value = value[at:at + 60]
    text = repr(value)
    text = text if len(text) <= 80 else text[:79] + "…"
    return f"{text} (from {at:,})" if at else text


def compare(expected, got, reader):
    """Compares the sheets in order.

    `expected` gives pairs of a sheet's name and its rows, the header first, each row as long as the header; `got` is
    what a reader gave: a dictionary of the same. Empty cells at the end of a row and empty rows at the end of a sheet may
    be missing from what was read.
    """
    result = Comparison()
    names = []
    for name, rows in expected:
        names.append(name)
        compare_sheet(result, name, rows, got.get(name, []), reader)
    read = list(got)
    if read != names and (reader.ordered or set(read) != set(names)):
        result.differ("sheets", names, read)
    return result


def compare_sheet(result, name, expected, got, reader):
    for index, (wanted, given) in enumerate(zip_longest(expected, got, fillvalue=())):
        result.cells += max(len(wanted), len(given))
        for column, (one, other) in enumerate(zip_longest(wanted, given)):
            if not reader.typed:
                one = untyped(one)
            if one == other and type(one) is type(other):
                continue
            if reader.garbles and isinstance(one, str) and reader.garbles(one) == other:
                result.garbled += 1
                continue
            result.differ(f"{name}!{place(index, column)}", one, other)
