"""The expected content of a cell for a text or a day, by the documented rules of the service, implemented again in Python.

A cell is None, a str, a datetime.date, a datetime.datetime that is not at midnight, or a bool; whatever else a reader gives (a number) is
a difference.
"""
import re
from datetime import date, datetime, time, timedelta

LIMIT = 32_767
ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


def cell_text(text):
    """Returns the content of a cell for a text, and whether the text was cut.

    CR LF and CR become LF. A text of more than 32,767 UTF-16 units is cut after 32,767 units, or one less if the last would be
    half a character. An empty text is an empty cell.
    """
    if not text:
        return None, False
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) <= LIMIT // 2:
        return text, False
    units = text.encode("utf-16-le")
    if len(units) <= 2 * LIMIT:
        return text, False
    return units[:2 * LIMIT].decode("utf-16-le", errors="ignore"), True


def cell_day(text):
    """Returns the content of a cell for a day in PostgreSQL's notation, and whether it is a text.

    Excel's calendar is correct from 1900-03-01 to 9999-12-31. Other days are texts: the year before 0001 is 0000, the one
    before that -0001, years past 9999 have more digits, and the infinities are as PostgreSQL spells them.
    """
    if text is None:
        return None, False
    if text in ("infinity", "-infinity"):
        return text, True
    year, month, day = map(int, text.removesuffix(" BC").split("-"))
    if text.endswith(" BC"):
        year = 1 - year
    if (1900, 3, 1) <= (year, month, day) <= (9999, 12, 31):
        return date(year, month, day), False
    return f"{'-' if year < 0 else ''}{abs(year):04}-{month:02}-{day:02}", True


def cell_time(text):
    """Returns the content of a cell for a time in PostgreSQL's notation without a time zone, and whether it is a text.

    Fractions of a second are cut off. Times on days outside Excel's calendar are texts.
    """
    if text is None or "infinity" in text:
        return text, text is not None
    day, clock, *era = text.split(" ")
    clock = clock.split(".")[0]
    shown, is_text = cell_day(" ".join([day, *era]))
    return (f"{shown} {clock}", True) if is_text else (plain(datetime.fromisoformat(f"{shown} {clock}")), False)


def cell_list(items):
    """Returns the text of a list: without nulls, joined by a comma and a space, quoted as in CSV where necessary."""
    def quoted(item):
        return '"' + item.replace('"', '""') + '"' if "," in item or '"' in item else item
    return ", ".join(quoted(item) for item in flat(items or []) if item is not None)


def flat(items):
    for item in items:
        if isinstance(item, list):
            yield from flat(item)
        else:
            yield item


def untyped(value):
    """What a reader gives that returns each cell as the text that a person sees."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date) else value


def unescape(value):
    """Reads the `_xHHHH_` of a text (ECMA-376 Part 1, 22.9.2.19, ST_Xstring) for readers that do not decode it."""
    return ESCAPE.sub(lambda match: chr(int(match[1], 16)), value) if isinstance(value, str) and "_x" in value else value


def plain(value):
    """Normalizes a cell of Python's readers: an empty text is an empty cell, midnight is a day.

    A time may be a millisecond away from a full second, because a cell has it as a fraction of a day.
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        second = (value + timedelta(milliseconds=500)).replace(microsecond=0)
        exact = second if abs(value - second) <= timedelta(milliseconds=1) else value
        exact = datetime(*exact.timetuple()[:6], exact.microsecond)
        return exact.date() if exact.time() == time.min else exact
    return value


def place(row, column):
    """`B7` for the zero-based row 6 and column 1."""
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row + 1}"
