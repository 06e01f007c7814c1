"""Run one command under a time limit and say how it ended and how much memory it had: one JSON object.

usage: measure.py SECONDS INPUT COMMAND…

The input file becomes the command's standard input. This is a process of its own because the kernel counts a parent's
memory at the time of the fork into its child's peak (ru_maxrss): only a small parent gives a true figure.
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
