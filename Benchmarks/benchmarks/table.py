"""The tables of figures. Prints each figure at once, and writes all of them as JSON, from which page.py makes BENCHMARKS.md."""
import datetime
import json
import pathlib
import statistics


class Table:
    """The figures of this run, and those of other sections that the file has already."""

    def __init__(self, path, machine, commit, rounds):
        self.path, self.commit, self.rounds = pathlib.Path(path), commit, rounds
        self.document = {"machine": machine, "sections": {}}
        self.parts = []
        known = json.loads(self.path.read_text()) if self.path.exists() else {}
        if isinstance(known, dict) and known.get("machine") == machine:
            self.document["sections"] = known["sections"]
        elif known:
            print(f"The figures in {path} are of another machine or another PostgreSQL. This run replaces them.")

    def begin(self, name):
        """Begins a section of the program. Its figures replace those of an earlier run."""
        self.parts = []
        self.document["sections"][name] = {
            "date": datetime.date.today().isoformat(), "commit": self.commit, "rounds": self.rounds, "parts": self.parts}

    def section(self, title):
        print(f"\n{title}", flush=True)
        self.parts.append({"title": title, "figures": [], "grids": [], "notes": []})

    def line(self, name, value, unit, target=None, **details):
        """Adds a figure. A target is `("<=", 0.65)` or `(">=", …)`. Details are printed, and are in the JSON."""
        met = None if target is None else (value <= target[1] if target[0] == "<=" else value >= target[1])
        said = "" if target is None else f"   target {target[0]} {target[1]:g}: {'met' if met else 'MISSED'}"
        shown = "   ".join(f"{key} {text(item)}" for key, item in details.items())
        print(f"  {name:58} {text(value):>10} {unit:6}{said:32}{shown}", flush=True)
        self.parts[-1]["figures"].append({"name": name, "value": value, "unit": unit, "target": target, "met": met, **details})

    def grid(self, name, columns, rows):
        """Adds a table. A column is its title, with the unit after a comma; a cell is a text, a number, or None."""
        cells = [[text(cell) for cell in row] for row in (columns, *rows)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        print(f"\n  {name}")
        for row in cells:
            print("  " + "   ".join(cell.ljust(width) if place == 0 else cell.rjust(width)
                                    for place, (cell, width) in enumerate(zip(row, widths))), flush=True)
        self.parts[-1]["grids"].append({"name": name, "columns": columns, "rows": rows})

    def note(self, words):
        print(f"  {words}", flush=True)
        self.parts[-1]["notes"].append(words)

    def save(self):
        self.path.write_text(json.dumps(self.document, indent=1, ensure_ascii=False) + "\n")


def text(value):
    if value is None:
        return "–"
    if isinstance(value, list):
        return "/".join(text(item) for item in value)
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def median(values):
    return statistics.median(values)
