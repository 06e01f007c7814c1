"""What statements cost, as the extension auto_explain logs it."""
import contextlib
import pathlib
import re

from .environment import SOCKET_DIR, psql

SETTINGS = ("session_preload_libraries = 'auto_explain'", "log_min_messages = 'log'", "auto_explain.log_min_duration = 0",
            "auto_explain.log_analyze = on", "auto_explain.log_buffers = on", "auto_explain.log_timing = off")


class Log:
    """The part of the server's log since the object was made."""

    def __init__(self):
        self.path = pathlib.Path(SOCKET_DIR) / "log"
        self.begin = self.path.stat().st_size

    def statements(self):
        """For each statement its plan, the pages that it read, and its milliseconds."""
        with open(self.path, errors="replace") as file:
            file.seek(self.begin)
            plans = file.read().split("LOG:  duration: ")[1:]
        for plan in plans:
            # The first line of figures is that of the whole plan.
            buffers = re.search(r"Buffers: shared hit=\d+(?: read=\d+)?|Buffers: shared read=\d+", plan)
            pages = sum(int(number) for number in re.findall(r"=(\d+)", buffers.group())) if buffers else 0
            yield plan, pages, float(plan.split(" ms", 1)[0])


@contextlib.contextmanager
def explained(database):
    """Sessions that begin meanwhile log their plans."""
    for setting in SETTINGS:
        psql("postgres", f"ALTER DATABASE {database} SET {setting}")
    try:
        yield
    finally:
        psql("postgres", f"ALTER DATABASE {database} RESET ALL")
