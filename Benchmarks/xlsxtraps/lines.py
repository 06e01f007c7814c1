"""The input of every writer: JSON lines. Each is the head of a sheet or a row.

A head is `{"sheet": "Name", "columns": ["A", {"title": "B", "kind": "date"}]}`. A row is an array: a string is a text,
null an empty cell, an integer a date (days since 1970-01-01), `{"hex": "61ff"}` a text of bytes that may not be UTF-8.
"""
import json


def head(name, columns):
    return {"sheet": name, "columns": columns}


def column(item):
    """(title, kind) of a column as a head has it."""
    return (item, "text") if isinstance(item, str) else (item["title"], item.get("kind", "text"))


def write(lines, path):
    with open(path, "w", encoding="ascii") as output:
        for line in lines:
            output.write(json.dumps(line) + "\n")


def read(path):
    with open(path, encoding="ascii") as lines:
        for line in lines:
            yield json.loads(line)


def tokens(lines):
    """The same input for a program that cannot read JSON: a letter, a number, a colon, and for S, C, D and T that many bytes.

    S sheet name, C title of a text column, D title of a date column, H end of the head, T text, E empty cell, N date in
    days, R end of the row.
    """
    def counted(letter, data):
        return letter + str(len(data)).encode() + b":" + data

    for line in lines:
        if isinstance(line, dict):
            yield counted(b"S", line["sheet"].encode())
            for title, kind in map(column, line["columns"]):
                yield counted(b"D" if kind == "date" else b"C", title.encode())
            yield b"H0:"
            continue
        for value in line:
            if value is None:
                yield b"E0:"
            elif isinstance(value, int):
                yield b"N%d:" % value
            else:
                yield counted(b"T", value.encode() if isinstance(value, str) else bytes.fromhex(value["hex"]))
        yield b"R0:"
