"""D: dates in Excel's 1900 date system (ECMA-376 Part 1, 18.17.4.1)."""
import re

from xlsxtraps.judges.trial import show

EPOCH = 25_569
SERIALS = range(1, 2_958_466)


def true_days(trial):
    """A number must be the serial that Excel shows as this day. A text or an ISO cell must be this day in ISO 8601."""
    grid = trial.package.grid()
    for where, days in trial.wanted().items():
        cell = grid.get(where)
        if cell is None or not cell.body:
            return "dropped"
        if cell.text is not None or cell.kind == "d":
            if cell.value.text != iso(days):
                return f"text {show(cell.value.text)}"
            continue
        serial = float(cell.value.text)
        if serial not in SERIALS:
            return f"serial {serial:.0f}, which Excel shows as {'1900-01-00' if serial == 0 else '########'}"
        if serial != true_serial(days):
            return f"serial {serial:g}, which Excel shows as {shown(int(serial))}"
    return None


def true_serial(days):
    """Excel counts from 1899-12-31, and its day 60 is 1900-02-29, which did not exist."""
    serial = days + EPOCH
    return serial if serial > 60 else serial - 1


def shown(serial):
    return "1900-02-29" if serial == 60 else iso(serial - EPOCH + (serial < 60))


def iso(days):
    """The day as `yyyy-mm-dd`, for any year: Howard Hinnant's civil_from_days."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{'-' if year < 0 else ''}{abs(year):04}-{month:02}-{day_of_year - (153 * shifted + 2) // 5 + 1:02}"


def date_format(trial):
    grid, formats = trial.package.grid(), trial.package.formats
    for where, days in trial.wanted().items():
        cell = grid.get(where)
        if cell is None or cell.kind != "n" or not cell.body:
            return "not a date cell"
        number, code, _ = formats[cell.style]
        plain = re.sub(r'[\\"]|\[\$[^\]]*\]|;@', "", code or "").lower()
        if plain != "yyyy-mm-dd":
            return f"format {code!r}" if code else f"built-in format {number}"
    return true_days(trial)
