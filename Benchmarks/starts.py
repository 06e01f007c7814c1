#!/usr/bin/env python3
"""Measure how many exports a tenant gets while it starts exports without a pause.

Run the program through Scripts/postgres.sh, which starts a private PostgreSQL.

usage: Scripts/postgres.sh Benchmarks/starts.py [SECONDS]

One caller keeps the tenant's queue filled. Meanwhile eight connections of the same tenant always have one export.start in
flight each. There are three kinds of starts: the service refuses them because the queue is full, they repeat an idempotency key,
or they succeed and are cancelled at once. The program prints the exports that finished within SECONDS (default: 15), and the
number of replies to the eight connections. Set BIN_DIR=FOLDER to measure other programs, such as those of the previous version.
"""
import contextlib
import multiprocessing
import sys
import time

from benchmarks import environment
from protocol import ACTOR, Line, served

CALLERS = 8


def fill(path, stop):
    """Keeps the queue filled, with a few exports at a time."""
    line = Line(path)
    while not stop.is_set():
        line.ask("export.start", actor=ACTOR)
        time.sleep(0.02)


def refused(line, number):
    line.ask("export.start", actor=ACTOR)


def repeated(line, number):
    line.ask("export.start", actor=ACTOR, idempotencyKey="the same")


def cancelled(line, number):
    reply = line.ask("export.start", actor=ACTOR)
    if "result" in reply:
        line.ask("export.cancel", actor=ACTOR, job=reply["result"]["job"]["id"])


def ask(path, kind, number, stop, count):
    line = Line(path)
    while not stop.is_set():
        kind(line, number)
        with count.get_lock():
            count.value += 1


def measure(kind, callers, seconds, queued):
    name = f"bench_starts_{kind.__name__ if kind else 'alone'}"
    stack = contextlib.ExitStack()
    url = stack.enter_context(environment.filled(name, 100))
    settings = {"ADMINEXPORT_LIMITS_QUEUED_PER_TENANT": str(queued), "ADMINEXPORT_WORKERS": "1"}
    with stack, served(name, url, **settings) as (process, client):
        path = client["ADMINEXPORT_SOCKET"]
        line = Line(path)
        line.ask("export.start", actor=ACTOR, idempotencyKey="the same")
        stop, count = multiprocessing.Event(), multiprocessing.Value("q", 0)
        peers = [multiprocessing.Process(target=fill, args=(path, stop))]
        peers += [multiprocessing.Process(target=ask, args=(path, kind, number, stop, count)) for number in range(callers)]
        for peer in peers:
            peer.start()
        time.sleep(2)
        finished = "SELECT count(*) FROM adminexport.job WHERE state = 'succeeded'"
        before, asked = int(environment.psql(name, finished)), count.value
        time.sleep(seconds)
        done, answered = int(environment.psql(name, finished)) - before, count.value - asked
        stop.set()
        for peer in peers:
            peer.join(30)
            peer.terminate()
    return done, answered


def main(seconds=15):
    print(f"exports finished in {seconds} s, of one tenant with one worker:")
    for kind, words, queued in ((None, "alone", 16), (refused, "beside 8 starts in flight that are refused", 16),
                                (repeated, "beside 8 that repeat a key", 16),
                                (cancelled, "beside 8 that succeed and are cancelled", 10_000)):
        done, answered = measure(kind, CALLERS if kind else 0, seconds, queued)
        print(f"  {words:42} {done:>6,}   the eight were answered {answered:>8,} times", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
