"""Run one command with a time limit, and print its status and its peak memory as a JSON object.

usage: measure.py SECONDS INPUT COMMAND…

The command reads the input file from standard input. This program is a separate process, because the kernel counts a
parent's memory at the time of the fork as part of its child's peak (ru_maxrss): only a small parent yields a correct figure.
"""
import json
import resource
import subprocess
import sys


def main():
    seconds, source, *command = sys.argv[1:]
    with open(source, "rb") as lines:
        try:
            done = subprocess.run(command, stdin=lines, capture_output=True, timeout=float(seconds))
            status, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            status, out, err = None, b"", b""
    print(json.dumps({"status": status, "out": out.decode(errors="replace"), "err": err.decode(errors="replace"),
                      "peakKiB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}))


main()
