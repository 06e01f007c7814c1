"""Measures an export of a million accounts from the browser, beside the command line: the time of both, and the memory of the console.

usage: Scripts/postgres.sh .venv/bin/python3 Examples/Console/Tests/Browser/bench.py [ACCOUNTS [ROUNDS]]

The browser and the command line make the same export in turn. The program prints the median of each.
"""
import statistics
import subprocess
import sys
import time

from console import BIN, SCRATCH, Browser, Console, Platform

accounts = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3


def mebibytes(count):
    return f"{count / 1024 / 1024:.1f} MiB"


platform = Platform(tenants=("acme",), administrators=accounts)
with platform:
    platform.serve()
    platform.work()
    with Console(platform) as console, Browser(console, SCRATCH / "downloads") as browser:
        browser.sign_in()
        program = BIN / "adminexport"
        times = {"browser": [], "CLI": []}
        before = console.resident
        peaks = []
        # The first round does not count: it creates caches and connections.
        for number in range(rounds + 1):
            start = time.monotonic()
            target = SCRATCH / f"cli-{number}.xlsx"
            subprocess.run(
                [str(program), "run", "--socket", str(platform.socket), "--tenant", "acme", "--as", "owner@acme.example",
                 "--output", str(target)], check=True, capture_output=True)
            cli = time.monotonic() - start
            browser.open("/administrators/accounts")
            browser.open_export()
            start = time.monotonic()
            browser.click("#export-start")
            file = browser.file(number + 1)
            elapsed = time.monotonic() - start
            assert file.stat().st_size > 0
            assert file.read_bytes()[:2] == b"PK"
            if number:
                times["CLI"].append(cli)
                times["browser"].append(elapsed)
            peaks.append(console.peak)
            print(f"# round {number}: browser {elapsed:.2f} s, CLI {cli:.2f} s, {file.stat().st_size / 1e6:.1f} MB, console's peak "
                  f"{mebibytes(console.peak)}", flush=True)
        browser_time, cli_time = (statistics.median(times[name]) for name in ("browser", "CLI"))
        print(f"{accounts:,} accounts, medians of {rounds}: from Start to the file {browser_time:.2f} s; CLI {cli_time:.2f} s; "
              f"ratio {browser_time / cli_time:.2f}")
        print(f"the console's memory: {mebibytes(before)} after sign-in, peak {mebibytes(peaks[0])} after one download and "
              f"{mebibytes(peaks[-1])} after {rounds + 1}, {mebibytes(console.resident)} at the end")
