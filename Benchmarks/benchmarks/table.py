"""The table of figures. Prints each figure at once as a line, and writes all of them as JSON at the end."""
import json
import statistics


class Table:
    def __init__(self):
        self.figures = []

    def section(self, title):
        print(f"\n{title}", flush=True)

    def line(self, name, value, unit, target=None, **details):
        """Adds a figure. A target is `("<=", 0.65)` or `(">=", …)`. Details are printed after the figure, and are in the JSON."""
        met = None if target is None else (value <= target[1] if target[0] == "<=" else value >= target[1])
        said = "" if target is None else f"   target {target[0]} {target[1]:g}: {'met' if met else 'MISSED'}"
        shown = "   ".join(f"{key} {text(item)}" for key, item in details.items())
        print(f"  {name:58} {text(value):>10} {unit:6}{said:32}{shown}", flush=True)
        self.figures.append({"name": name, "value": value, "unit": unit, "target": target, "met": met, **details})

    def note(self, words):
        print(f"  {words}", flush=True)
        self.figures.append({"note": words})

    def save(self, path):
        with open(path, "w") as file:
            json.dump(self.figures, file, indent=1)


def text(value):
    if isinstance(value, list):
        return "/".join(text(item) for item in value)
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def median(values):
    return statistics.median(values)
