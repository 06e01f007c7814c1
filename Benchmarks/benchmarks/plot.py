"""Line charts as SVG: readable in light and dark, with a title and a description for readers who do not see them. The same
figures give the same file."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 76, 44, 72, 56
# Between the axes and the first and last points, for the values beside them.
MARGIN = 28
MAX_SERIES = 3

# Colours that are distinct for colour-blind readers. The shapes of the points and the dashes distinguish the series, too.
STYLE = """
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 }
.muted { fill: #57606a }
.value { font-size: 12px; text-anchor: middle }
.back { fill: #ffffff }
.grid { stroke: #d0d7de; stroke-width: 1 }
.axis { stroke: #57606a; stroke-width: 1 }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round }
.s0 { stroke: #0550ae } .f0 { fill: #0550ae }
.s1 { stroke: #bc4c00; stroke-dasharray: 7 4 } .f1 { fill: #bc4c00 }
.s2 { stroke: #6e7781; stroke-dasharray: 2 4 } .f2 { fill: #6e7781 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .muted { fill: #9198a1 } .back { fill: #0d1117 }
  .grid { stroke: #30363d } .axis { stroke: #9198a1 }
  .s0 { stroke: #58a6ff } .f0 { fill: #58a6ff }
  .s1 { stroke: #f0883e } .f1 { fill: #f0883e }
  .s2 { stroke: #9198a1 } .f2 { fill: #9198a1 }
}
"""


class Axis:
    """An axis over the pixels from `start` to `end`: logarithmic, or linear from zero."""

    def __init__(self, label, values, start, end, is_linear=False):
        self.label, self.start, self.end = f"{label}{'' if is_linear else ' (logarithmic)'}", start, end
        self.scale = float if is_linear else math.log10
        low, high, self.ticks = (linear if is_linear else logarithmic)(min(values), max(values))
        self.low, self.high = self.scale(low), self.scale(high)

    def at(self, value):
        return self.start + (self.end - self.start) * (self.scale(value) - self.low) / (self.high - self.low)


def linear(_, most):
    """The ends of the axis, and some five ticks."""
    step = next(factor * 10.0 ** power for power in range(-6, 13) for factor in (1, 2, 5) if factor * 10.0 ** power * 5 >= most)
    count = math.ceil(most / step * 1.05)
    return 0, count * step, [step * number for number in range(count + 1)]


def logarithmic(least, most):
    """The ends of the axis, 1, 2 or 5 times a power of ten, and the powers of ten between them."""
    steps = [factor * 10.0 ** power for power in range(-6, 13) for factor in (1, 2, 5)]
    low = max(step for step in steps if step <= least * 1.0001)
    high = min(step for step in steps if step >= most * 0.9999)
    if low == high:
        low, high = low / 10, high * 10
    return low, high, [step for step in steps[::3] if low <= step <= high]


def named(value):
    """The text of a tick."""
    return f"{value:,.0f}" if value >= 1 else f"{value:.6f}".rstrip("0").rstrip(".")


def figure(value):
    """A value with three digits."""
    digits = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:,.{digits}f}" if value != int(value) else f"{value:,.0f}"


def chart(title, description, x_label, y_label, series, is_linear=False):
    """Each series is its name and points (x, y), all above zero. The y axis is logarithmic unless `is_linear`."""
    if len(series) > MAX_SERIES:
        raise ValueError(f"a chart has at most {MAX_SERIES} series")
    points = [point for _, found in series for point in found]
    x = Axis(x_label, [point[0] for point in points], LEFT + MARGIN, WIDTH - RIGHT - MARGIN)
    y = Axis(y_label, [point[1] for point in points], HEIGHT - BOTTOM - (0 if is_linear else MARGIN), TOP, is_linear)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        'aria-labelledby="title description">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="description">{escape(description)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
        *axes(x, y),
        *legend([name for name, _ in series]),
    ]
    for number, (name, found) in enumerate(series):
        lines += line(number, name, [(x.at(a), y.at(b), a, b) for a, b in found])
    return "\n".join([*lines, "</svg>", ""])


def axes(x, y):
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for tick in y.ticks:
        place = y.at(tick)
        yield f'<line class="grid" x1="{LEFT}" y1="{place:.1f}" x2="{right}" y2="{place:.1f}"/>'
        yield f'<text class="muted" x="{LEFT - 8}" y="{place + 4:.1f}" text-anchor="end">{named(tick)}</text>'
    for tick in x.ticks:
        place = x.at(tick)
        yield f'<line class="grid" x1="{place:.1f}" y1="{TOP}" x2="{place:.1f}" y2="{bottom}"/>'
        yield f'<text class="muted" x="{place:.1f}" y="{bottom + 20}" text-anchor="middle">{named(tick)}</text>'
    yield f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
    yield f'<line class="axis" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{bottom}"/>'
    yield f'<text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x.label)}</text>'
    middle = (TOP + bottom) / 2
    yield f'<text transform="translate(18 {middle:.0f}) rotate(-90)" text-anchor="middle">{escape(y.label)}</text>'


def legend(names):
    place = LEFT
    for number, name in enumerate(names):
        yield f'<line class="line s{number}" x1="{place}" y1="44" x2="{place + 30}" y2="44"/>'
        yield mark(number, place + 15, 44)
        yield f'<text x="{place + 38}" y="48">{escape(name)}</text>'
        place += 62 + 8 * len(name)


def line(number, name, points):
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b, _, _ in points)
    yield f'<polyline class="line s{number}" points="{path}"/>'
    for a, b, at, value in points:
        yield f"<g>{mark(number, a, b)}<title>{escape(name)}: {figure(value)} at {at:,.0f}</title></g>"
        # The values of the first series stand below its line, those of the others above.
        yield f'<text class="value" x="{a:.1f}" y="{b + (20 if number == 0 else -11):.1f}">{figure(value)}</text>'


def mark(number, x, y):
    """A circle, a square or a triangle."""
    if number == 0:
        return f'<circle class="f0" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
    if number == 1:
        return f'<rect class="f1" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
    return f'<path class="f2" d="M{x:.1f} {y - 5:.1f}l5 9h-10z"/>'
