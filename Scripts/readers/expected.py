"""The expected content of a workbook, computed with SQL that is independent of the service's."""
from collections import Counter
from itertools import chain, islice

from .cells import cell_day, cell_list, cell_text, cell_time

HEADER = ["Name", "Email", "Phone", "Profile", "Main group", "Secondary groups", "Teams", "Creation date", "Last update",
          "Status"]
ROWS_OF_A_SHEET = 1_048_576

ITEM = """CASE WHEN r.name ~ '[,"]' THEN '"' || replace(r.name, '"', '""') || '"' ELSE r.name END"""


def _list(relation, column, link):
    """The names of the groups or teams of each administrator, as one text."""
    return f"""(SELECT l.administrator_id, string_agg({ITEM}, ', ' ORDER BY r.name COLLATE "C") AS names
        FROM directory.{link} l JOIN directory.{relation} r ON r.id = l.{column} GROUP BY l.administrator_id)"""


# The columns of Tests/Nasty/attributes.sql, by type, in an order that mixes the types.
ATTRIBUTES = [(name.format(k), kind) for k in range(1, 6) for name, kind in [
    ("text_{}", "text"), ("Day {}", "date"), ("time_{}", "datetime"), ("flag_{}", "boolean"), ("list_{}", "list")]]


def attribute(column, kind):
    """The value as JSON can have it: a day and a time as PostgreSQL writes them, the time in the tenant's time zone."""
    return {"date": f'a."{column}"::text', "datetime": f"(a.{column} AT TIME ZONE n.time_zone)::text"}.get(kind, f'a."{column}"')


def administrators_query(tenant, attributes=()):
    further = "".join(", " + attribute(*item) for item in attributes)
    return f"""SELECT json_build_array(a.name, a.email, a.phone, p.name, g.name, s.names, t.names,
            (a.created_at AT TIME ZONE n.time_zone)::date::text, (a.updated_at AT TIME ZONE n.time_zone)::date::text,
            a.status{further})
        FROM directory.administrator a JOIN directory.tenant n ON n.id = a.tenant_id
        LEFT JOIN directory.profile p ON p.id = a.profile_id
        LEFT JOIN directory.administrator_group g ON g.id = a.main_group_id
        LEFT JOIN {_list("administrator_group", "group_id", "administrator_secondary_group")} s ON s.administrator_id = a.id
        LEFT JOIN {_list("team", "team_id", "administrator_team")} t ON t.administrator_id = a.id
        WHERE n.slug = '{tenant}' ORDER BY a.id"""


def names_query(tenant, relation):
    return f"""SELECT json_build_array(r.name) FROM directory.{relation} r JOIN directory.tenant n ON n.id = r.tenant_id
        WHERE n.slug = '{tenant}' ORDER BY r.name COLLATE "C" """


def groups_query(tenant):
    return f"""SELECT json_build_array(g.id, g.name, g.parent_id)
        FROM directory.administrator_group g JOIN directory.tenant n ON n.id = g.tenant_id
        WHERE n.slug = '{tenant}' ORDER BY g.name COLLATE "C", g.id"""


class Expected:
    """The sheets of a tenant's workbook, and the warnings that its job should have.

    Reading the sheets counts the warnings. Each pass starts at 0.
    """

    def __init__(self, database, tenant, with_references, attributes=()):
        self.database, self.tenant, self.with_references = database, tenant, with_references
        self.attributes = list(attributes)
        # The rows of the sheet about the export, which names the time of the snapshot: nothing else knows it.
        self.about = None
        self.kept = None
        self.warnings = Counter()
        self.counted = False

    def keep(self):
        """Computes the sheets once, for several readers."""
        self.kept = [(name, list(rows)) for name, rows in self._sheets()]

    def sheets(self):
        """Yields pairs of name and rows. The caller must read a sheet's rows before it requests the next sheet."""
        yield from self.kept or self._sheets()

    def _sheets(self):
        self.warnings = Counter()
        yield from self._administrators()
        if self.with_references:
            yield "Profiles", self._texts(["Name"], self.database.rows(names_query(self.tenant, "profile")))
            yield "Groups", self._texts(["Name", "Path"], tree(self.database.rows(groups_query(self.tenant))))
            yield "Teams", self._texts(["Name"], self.database.rows(names_query(self.tenant, "team")))
        if self.about:
            yield "About this export", self.about
        self.counted = True

    def _administrators(self):
        """A sheet has at most Excel's number of rows. Further rows go to the next sheet, with the same header."""
        rows = (self._administrator(row) for row in self.database.rows(administrators_query(self.tenant, self.attributes)))
        header = HEADER + [title(column) for column, _ in self.attributes]
        number = 1
        first = list(islice(rows, 1))
        while first:
            name = "Administrators" if number == 1 else f"Administrators ({number})"
            yield name, chain([header], first, islice(rows, ROWS_OF_A_SHEET - 2))
            first = list(islice(rows, 1))
            number += 1

    def _administrator(self, row):
        further = [self._value(kind, value) for (_, kind), value in zip(self.attributes, row[10:], strict=True)]
        return [*map(self._text, row[:7]), self._day(row[7]), self._day(row[8]), row[9].capitalize(), *further]

    def _value(self, kind, value):
        if kind == "boolean":
            return value
        if kind == "datetime":
            return self._counted("date-as-text", cell_time(value))
        if kind == "date":
            return self._day(value)
        return self._text(cell_list(value) if kind == "list" else value)

    def _texts(self, header, rows):
        yield header
        for row in rows:
            yield [self._text(text) for text in row]

    def _text(self, text):
        return self._counted("text-truncated", cell_text(text))

    def _day(self, text):
        return self._counted("date-as-text", cell_day(text))

    def _counted(self, warning, result):
        shown, is_changed = result
        self.warnings[warning] += is_changed
        return shown


def title(column):
    """The title of an attribute in the configuration of the check."""
    return f"Further: {column}"


def tree(groups):
    """Yields names and paths from groups that are sorted by name, each group before its children.

    Groups that are not reachable from a root (cycles and their children) come last. The first group by name of each cycle
    counts as a root.
    """
    groups = list(groups)
    names = {key: name for key, name, _ in groups}
    parents = {key: parent for key, _, parent in groups}
    children = {}
    for key, _, parent in groups:
        children.setdefault(parent if parent in names else None, []).append(key)
    visited = set()
    tops = [*children.get(None, []), *(key for key in names if stands_in_circle(key, parents))]
    for top in tops:
        pending = [(top, "")]
        while pending:
            key, prefix = pending.pop()
            if key in visited:
                continue
            visited.add(key)
            path = prefix + step(names[key])
            yield [names[key], path]
            pending += [(child, path + " / ") for child in reversed(children.get(key, []))]


def stands_in_circle(key, parents):
    above, seen = parents[key], set()
    while above in parents and above != key and above not in seen:
        seen.add(above)
        above = parents[above]
    return above == key


def step(name):
    """A name in a path, quoted as in CSV if it contains a slash or a quote."""
    return '"' + name.replace('"', '""') + '"' if "/" in name or '"' in name else name
