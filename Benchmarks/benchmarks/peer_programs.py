"""Make a workbook of a report in PostgreSQL with other libraries, in the way that their manuals show for large data.

usage: peer_programs.py make PEER DATABASE REPORT OUTPUT
       peer_programs.py versions PEER
       peer_programs.py compare CSV WORKBOOK [quoted]

DATABASE is a libpq URI, and REPORT is a file with the statement. `versions` prints the versions of the libraries of a peer, and
fails if one is missing. `compare` prints, as JSON, the number of rows of the workbook's first sheet, and how many differ from
those of the CSV file in a text or a date. `quoted` means that the workbook quotes items of lists as in CSV; the report does not.
"""
import csv
import datetime
import importlib.metadata
import itertools
import json
import pathlib
import re
import sys


def frame(database, report):
    """The report as a data frame of polars, read by adbc through PostgreSQL's binary COPY."""
    import polars
    return polars.read_database_uri(report, database, engine="adbc")


def records(database, report):
    """The rows of the report, read by psycopg with a cursor of the server, with the titles of its columns."""
    import psycopg
    with psycopg.connect(database) as connection, connection.cursor(name="report", binary=True) as cursor:
        cursor.itersize = 10_000
        cursor.execute(report)
        yield [column.name for column in cursor.description]
        yield from cursor


def polars_rapidxlsx(database, report, path):
    import rapidxlsx
    rapidxlsx.write(path, frame(database, report), sheet_name="Administrators")


def polars_rustpy(database, report, path):
    import rustpy_xlsxwriter
    rustpy_xlsxwriter.write_worksheet(frame(database, report), path, sheet_name="Administrators", freeze_row=1,
                                      bold_headers=True)


def psycopg_rustpy(database, report, path):
    import rustpy_xlsxwriter
    rows = records(database, report)
    titles = next(rows)
    rustpy_xlsxwriter.write_worksheet((dict(zip(titles, row)) for row in rows), path, sheet_name="Administrators", freeze_row=1,
                                      bold_headers=True)


def psycopg_pyfastexcel(database, report, path):
    import pyfastexcel
    rows = records(database, report)
    book = pyfastexcel.StreamWriter()
    book.row_append_list(next(rows), create_row=True)
    for row in rows:
        book.row_append_list(["" if cell is None else str(cell) for cell in row], create_row=True)
    book.read_lib_and_create_excel()
    book.save(path)


def duckdb_with(database):
    """A connection of DuckDB that has the database attached, with the extensions from Python packages."""
    import duckdb
    import duckdb_extension_excel
    import duckdb_extension_postgres_scanner
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for package in (duckdb_extension_excel, duckdb_extension_postgres_scanner):
        file = next(pathlib.Path(package.__file__).parent.glob("extensions/*/*.duckdb_extension"))
        connection.load_extension(str(file))
    connection.execute(f"ATTACH '{database}' AS platform (TYPE postgres, READ_ONLY)")
    return connection


def duckdb_query(database, report, path):
    connection = duckdb_with(database)
    quoted = report.replace("'", "''")
    connection.execute(f"COPY (SELECT * FROM postgres_query('platform', '{quoted}')) TO '{path}' (FORMAT xlsx, HEADER true)")


def duckdb_joins(database, report, path):
    connection = duckdb_with(database)
    # DuckDB compares texts as the collation "C" does. It has no function initcap.
    report = report.replace(' COLLATE "C"', "").replace("initcap(a.status)", "upper(a.status[1]) || lower(a.status[2:])")
    report = report.replace("directory.", "platform.directory.")
    connection.execute(f"COPY ({report}) TO '{path}' (FORMAT xlsx, HEADER true)")


# The function of each peer, and the packages that it needs.
PEERS = {
    "polars + rapidxlsx": (polars_rapidxlsx, ["polars", "adbc-driver-postgresql", "rapidxlsx"]),
    "polars + rustpy-xlsxwriter": (polars_rustpy, ["polars", "adbc-driver-postgresql", "rustpy-xlsxwriter"]),
    "psycopg + rustpy-xlsxwriter": (psycopg_rustpy, ["psycopg-binary", "rustpy-xlsxwriter"]),
    "psycopg + pyfastexcel": (psycopg_pyfastexcel, ["psycopg-binary", "pyfastexcel"]),
    "DuckDB, joins in PostgreSQL": (duckdb_query, ["duckdb", "duckdb-extension-postgres-scanner", "duckdb-extension-excel"]),
    "DuckDB, joins in DuckDB": (duckdb_joins, ["duckdb", "duckdb-extension-postgres-scanner", "duckdb-extension-excel"]),
}


def rows_of(path):
    """The rows of a CSV file, or of the first sheet of a workbook, as texts, without the titles."""
    if path.endswith(".csv"):
        with open(path, encoding="utf-8", newline="") as file:
            yield from csv.reader(file)
        return
    import python_calamine
    rows = iter(python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).iter_rows())
    next(rows)
    for row in rows:
        # Some libraries write dates as texts.
        yield [str(cell.date() if isinstance(cell, datetime.datetime) else cell) for cell in row]


# The columns that contain lists, and a quoted item of a list.
LISTS = (5, 6)
QUOTED = re.compile(r'(?:^|(?<=, ))"((?:[^"]|"")*)"(?=, |$)')


def compare(path, workbook, quoting=""):
    """The rows of the workbook, how many of them differ from those of the other file, and the first texts that differ."""
    count, differing, example = 0, 0, None
    for expected, found in itertools.zip_longest(rows_of(path), rows_of(workbook)):
        count += found is not None
        if found and quoting:
            for place in LISTS:
                found[place] = QUOTED.sub(lambda item: item[1].replace('""', '"'), found[place])
        if expected != found:
            differing += 1
            example = example or next(pair for pair in itertools.zip_longest(expected or [], found or []) if pair[0] != pair[1])
    return {"rows": count, "differing": differing, "example": example}


def main(command, *words):
    if command == "make":
        peer, database, report, path = words
        PEERS[peer][0](database, pathlib.Path(report).read_text(), path)
    elif command == "versions":
        print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in PEERS[words[0]][1]))
    else:
        print(json.dumps(compare(*words)))


if __name__ == "__main__":
    main(*sys.argv[1:])
