"""B and E: texts keep their content and stay texts."""
import re

from xlsxtraps.judges.trial import compare, show
from xlsxtraps.package import units

LONGEST = 32_767


def same_text(trial):
    return compare(trial)


def underscores(trial):
    raws = [cell.value.raw for cell in trial.package.grid().values() if cell.value]
    over = [raw for raw in raws if "_x005F_" in raw.upper().replace("_X", "_x")]
    return f"written as {over[0]}" if over else compare(trial)


def libreoffice(raw):
    """Decodes as LibreOffice does: one to four digits are an escape if they name a control character; so is `_x005F_`."""
    escape = "_x(005F|0{0,3}[0-9A-Fa-f]|0{0,2}1[0-9A-Fa-f])_"
    return re.sub(escape, lambda match: chr(int(match[1], 16)), raw)


def short_escapes(trial):
    grid = trial.package.grid()
    for where, value in trial.wanted().items():
        cell = grid.get(where)
        text = libreoffice(cell.value.raw) if cell and cell.value else ""
        if text != value:
            return f"{show(value)} reads {show(text)} in LibreOffice"
    return None


def line_feeds(trial):
    escaped = [cell for cell in trial.package.grid().values() if cell.value and "\r" in cell.value.text]
    if escaped:
        return f"a CR is kept: {show(escaped[0].value.raw)}"
    return compare(trial, lambda text: text.replace("\r\n", "\n").replace("\r", "\n"))


def cut_and_said(trial):
    for where, value in trial.wanted().items():
        cell = trial.package.grid().get(where)
        text = cell.text if cell else ""
        if units(text) > LONGEST:
            return f"{units(text):,} units in a cell"
        if not text or not value.startswith(text):
            return "cut inside a character" if text else "dropped"
    said = trial.report.get("truncatedTexts") or trial.report.get("warnings")
    return None if said else f"cut to {units(text):,} units without a word"


def white_space(trial):
    fault = compare(trial)
    lost = [cell for cell in trial.package.grid().values() if cell.value and not cell.value.kept]
    return fault or (f"{show(lost[0].text)} without xml:space" if lost else None)


def replacement(trial):
    grid = trial.package.grid()
    texts = [grid[where].text if where in grid else "" for where in trial.wanted()]
    wrong = [text for text in texts if not re.fullmatch("a\ufffd+b", text or "")]
    return f"reads {show(wrong[0])}" if wrong else None


def empty_texts(trial):
    for cell in trial.package.grid().values():
        if not cell.body and cell.kind != "n":
            return f't="{cell.kind}" without content'
    return compare(trial)


def no_formula(trial):
    formulas = [where for where, cell in trial.package.grid().items() if cell.formula]
    if formulas:
        return f"{show(trial.wanted().get(formulas[0]))} became a formula"
    return compare(trial, lambda text: text.replace("\r", "\n"))


def stays_text(trial):
    grid, formats = trial.package.grid(), trial.package.formats
    for where in trial.wanted():
        if where not in grid:
            return "dropped"
        number, code, quote = formats[grid[where].style]
        if number != 49 and code != "@" and not quote:
            return f"format {code or 'General' if number == 0 else number}"
    return None
