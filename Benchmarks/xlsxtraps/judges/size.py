"""S: memory and size."""
ROWS = 1_048_576
#: In KiB.
MEMORY = 100 * 1024


def memory(trial):
    more = trial.peak - trial.baseline
    return f"{more / 1024:.0f} MiB more" if more > MEMORY else None


def rows_kept(trial):
    wanted = sum(1 for line in trial.lines if isinstance(line, list))
    data = 0
    for _, part in trial.package.sheets:
        last = max(cell.row for cell in trial.package.cells(part))
        if last > ROWS:
            return f"{last:,} rows in a sheet"
        data += last - 1
    return None if data == wanted else f"{data:,} of {wanted:,} rows"
