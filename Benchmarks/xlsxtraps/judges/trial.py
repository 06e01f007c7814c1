"""The input of every judge, and functions that several judges use."""
import dataclasses

from xlsxtraps.package import Package

KINDS = {"n": "a number", "b": "a boolean", "e": "an error value", "d": "a date"}


@dataclasses.dataclass
class Trial:
    """One file to judge, with its input and the report of the writer."""
    package: Package
    lines: list
    report: dict
    peak: int = 0
    baseline: int = 0
    again: "str | None" = None

    def wanted(self):
        """{(row, column): value} of the first sheet's data; the header is row 1."""
        return {(row, column): value for row, values in enumerate(self.lines[1:], start=2)
                for column, value in enumerate(values, start=1)}


def show(value):
    text = ascii(value)
    return text if len(text) <= 26 else text[:22] + "…'"


def compare(trial, change=lambda text: text):
    """Compares each text cell with the input."""
    grid = trial.package.grid()
    for where, value in trial.wanted().items():
        got = grid[where].text if where in grid else ""
        if got is None or change(got) != change(value or ""):
            return f"{show(value)} reads {show(got) if got is not None else 'as ' + KINDS.get(grid[where].kind, 'nothing')}"
    return None
