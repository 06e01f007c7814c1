#!/usr/bin/env python3
"""Write the figures of bench.py into BENCHMARKS.md, and draw its charts.

usage: Benchmarks/page.py [--json FILE] [--output FOLDER]

The figures come from FILE (default: .build/bench.json). In BENCHMARKS.md, each block from `<!-- figures: NAME -->` to
`<!-- end -->` is replaced: `machine` by the machine, every other name by the tables of that section. A section that is not in
FILE keeps its block. The charts are in Documentation/pictures. With --output, the program writes into FOLDER instead.
"""
import argparse
import json
import math
import pathlib
import re

from benchmarks.plot import chart

ROOT = pathlib.Path(__file__).resolve().parent.parent
PICTURES = "Documentation/pictures"


def cell(value):
    """A value for readers: three digits, and thousands with commas."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value.replace("|", "\\|")
    if value == int(value) and (value == 0 or abs(value) >= 10) or abs(value) >= 1_000 or isinstance(value, int):
        return f"{value:,.0f}"
    return f"{value:.{max(0, min(3, 2 - math.floor(math.log10(abs(value)))))}f}"


def markdown(columns, rows):
    """A table. Columns of figures are aligned to the right."""
    are_texts = [isinstance(row[place], str) for row in rows[:1] for place in range(len(columns))]
    lines = ["| " + " | ".join(columns) + " |", "|" + "|".join("---" if is_text else "---:" for is_text in are_texts) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(map(cell, row)) + " |" for row in rows)])


def goal(figure):
    if figure["target"] is None:
        return ""
    sign, limit = figure["target"]
    return f"{'≤' if sign == '<=' else '≥'} {limit:g}{'' if figure['met'] else ', missed'}"


def blocks(section):
    """The tables of a section: its grids, or all its figures if it has none."""
    parts = section["parts"]
    has_grids = any(part["grids"] for part in parts)
    for part in parts:
        for grid in part["grids"]:
            yield f"{grid['name']}:\n\n{markdown(grid['columns'], grid['rows'])}"
        if part["figures"] and not has_grids:
            has_goals = any(figure["target"] for figure in part["figures"])
            titles = ["figure", "value", "goal"] if has_goals else ["figure", "value"]
            rows = [[figure["name"], f"{cell(figure['value'])} {figure['unit']}".strip(), goal(figure)][:len(titles)]
                    for figure in part["figures"]]
            yield f"{part['title']}:\n\n{markdown(titles, rows)}"
        if part["notes"]:
            yield "\n".join(f"- {note}" for note in part["notes"])
    rounds = section["rounds"]
    said = "one round" if rounds == 1 else f"medians of {rounds} rounds"
    yield f"({said}, {section['date']}, commit {section['commit']})"


def machine(facts):
    return markdown(["", ""], [[name, str(value)] for name, value in facts.items()])


def columns(section, *names):
    """The values of columns of the grid that has all of them, by row."""
    for part in section["parts"]:
        for grid in part["grids"]:
            if all(name in grid["columns"] for name in names):
                places = [grid["columns"].index(name) for name in names]
                return [[row[place] for place in places] for row in grid["rows"]]
    raise SystemExit(f"page.py: no table has the columns {', '.join(names)}")


def described(series, unit):
    """The points as a sentence, for readers who do not see the chart."""
    said = {name: ", ".join(f"{cell(value)} {unit} at {at:,}" for at, value in points) for name, points in series}
    return " ".join(f"{name}: {points}." for name, points in said.items())


def charts(sections):
    """The name of each file, and its SVG."""
    def drawn(title, unit, x_label, y_label, series, is_linear=False):
        return chart(title, described(series, unit), x_label, y_label, series, is_linear)

    def points(found, place):
        return [(row[0], row[place]) for row in found]

    if "exports" in sections:
        found = columns(sections["exports"], "rows", "export, s", "COPY, s", "export, peak MiB")
        series = [("adminexport, a workbook", points(found, 1)), ("psql COPY, a CSV file", points(found, 2))]
        yield "time-by-rows.svg", drawn("Time of an export by its rows", "s", "rows", "seconds", series)
        yield "memory-by-rows.svg", drawn("Peak memory of the service by the rows of an export", "MiB", "rows", "MiB",
                                          [("adminexport", points(found, 3))], is_linear=True)
    if "growth" in sections:
        found = columns(sections["growth"], "tenants", "claim, pages", "claim, maximum pages")
        series = [("median", points(found, 1)), ("maximum", points(found, 2))]
        yield "claims-by-tenants.svg", drawn("Pages that a claim reads by the number of tenants that wait", "pages",
                                             "tenants with waiting jobs", "pages of 8 KiB", series, is_linear=True)
    if "history" in sections:
        kinds = ("claim", "export.start", "export.list")
        found = columns(sections["history"], "finished jobs", *(f"{kind}, pages" for kind in kinds))
        series = [(kind, points(found, place)) for place, kind in enumerate(kinds, 1)]
        yield "pages-by-history.svg", drawn("Pages that a request reads by the length of the history", "pages", "finished jobs",
                                            "pages of 8 KiB", series, is_linear=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench.json")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT)
    arguments = parser.parse_args()
    document = json.loads(arguments.json.read_text())
    page = (ROOT / "BENCHMARKS.md").read_text()
    texts = {"machine": machine(document["machine"])}
    texts |= {name: "\n\n".join(blocks(section)) for name, section in document["sections"].items()}

    def replaced(match):
        return f"{match[1]}\n{texts[match[2]]}\n{match[4]}" if match[2] in texts else match[0]

    page = re.sub(r"(<!-- figures: (\S+) -->)\n(.*?)(<!-- end -->)", replaced, page, flags=re.DOTALL)
    (arguments.output / PICTURES).mkdir(parents=True, exist_ok=True)
    (arguments.output / "BENCHMARKS.md").write_text(page)
    for name, svg in charts(document["sections"]):
        (arguments.output / PICTURES / name).write_text(svg)
    missing = sorted(set(re.findall(r"<!-- figures: (\S+) -->", page)) - set(texts))
    if missing:
        print(f"These sections keep their figures, because {arguments.json} does not have them: {', '.join(missing)}")


if __name__ == "__main__":
    main()
