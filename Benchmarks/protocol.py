#!/usr/bin/env python3
"""Measure the socket: honest callers beside hostile ones, files by descriptor and in parts, and what a long day leaves behind.

Called through Scripts/postgres.sh, which starts a private PostgreSQL.

usage: Scripts/postgres.sh Benchmarks/protocol.py [crowd | files [ADMINISTRATORS] | soak | memory [SHAPE]…]…

crowd  32 honest callers ask for a job 20 times a second each; first alone, then beside 32 that read slowly, 32 that never
       finish a line and 32 that send as fast as they can. Printed are the latencies' medians and 99th percentiles, side by
       side and alternating, and the daemon's resident memory before and after.
files  the workbook of a million administrators is fetched by the command-line program through a descriptor and in parts, in
       turn: seconds, and processor time of client and service.
soak   100,000 requests and 10,000 connections: the daemon's descriptors and resident memory before and after.
memory 31 connections of a user that each try to have the service hold as much as can be, in one way after the other, and, for root,
       five users at a time: the daemon's resident memory before and at the most, beside that of the programs in BEFORE_DIR.
"""
import contextlib
import json
import multiprocessing
import os
import pathlib
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import time

from benchmarks import environment, exports
from benchmarks.memory import memory

ACTOR = {"tenant": "acme", "administrator": "owner@acme.example"}
PAGE = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(database, url, **settings):
    """A daemon, and the environment of a client of its."""
    with environment.service(database, url, **settings) as (process, socket):
        yield process, {**environment.CLEAN, "ADMINEXPORT_SOCKET": str(socket), "ADMINEXPORT_TENANT": ACTOR["tenant"],
                        "ADMINEXPORT_AS": ACTOR["administrator"]}


def message(number, method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


def connect(path):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    peer.settimeout(60)
    return peer


class Line:
    """A connection that is asked one thing at a time."""

    def __init__(self, path):
        self.peer = connect(path)
        self.rest = b""

    def ask(self, method, **params):
        self.peer.sendall(message(1, method, **params))
        return self.read()

    def read(self):
        while b"\n" not in self.rest:
            data = self.peer.recv(1 << 20)
            if not data:
                raise EOFError("the service closed the connection")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)


def status(process, key):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(key))


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def cpu(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / PAGE


# The crowd


def honest(path, job, seconds, result):
    """32 callers, each with a request every 50 ms; the latencies in milliseconds, and how many were dropped."""
    callers, latencies, dropped = [Line(path) for _ in range(32)], [], 0
    end, turn = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            reply = callers[turn % 32].ask("export.get", actor=ACTOR, job=job)
            assert reply["result"]["job"]["id"] == job
        except (OSError, EOFError, KeyError):
            dropped += 1
            callers[turn % 32] = Line(path)
        latencies.append((time.monotonic() - start) * 1_000)
        turn += 1
        time.sleep(max(0, start + 0.05 / 32 - time.monotonic()))
    result.put((latencies, dropped))


def slow_readers(path, stop):
    """They ask for more than they take: one kilobyte in a tenth of a second each."""
    peers = [connect(path) for _ in range(32)]
    asked = b"".join(message(number, "rpc.discover") for number in range(64))
    for peer in peers:
        peer.setblocking(False)
    while not stop.is_set():
        for peer in peers:
            for step in (lambda: peer.send(asked), lambda: peer.recv(1_024)):
                try:
                    step()
                except OSError:
                    pass
        time.sleep(0.1)


def half_lines(path, stop):
    """They begin a line and never end it; those that are dropped come again."""
    peers = {}
    while not stop.is_set():
        for place in range(32):
            try:
                if place not in peers:
                    peers[place] = connect(path)
                    peers[place].setblocking(False)
                    peers[place].send(b'{"jsonrpc":"2.0","id":1,')
                if peers[place].recv(1_024) == b"":
                    peers.pop(place).close()
            except BlockingIOError:
                pass
            except OSError:
                peers.pop(place, None)
        time.sleep(0.05)


def flooders(path, stop):
    """They send nonsense, batches and requests as fast as they are taken, and read whatever comes."""
    lines = (b"nonsense\n" * 50 + message(1, "service.info") * 20 + b"[" + b",".join(
        message(number, "service.health").strip() for number in range(32)) + b"]\n" + b"x" * 100_000 + b"\n") * 4
    selector = selectors.DefaultSelector()
    places = {}
    for _ in range(32):
        peer = connect(path)
        peer.setblocking(False)
        selector.register(peer, selectors.EVENT_READ | selectors.EVENT_WRITE)
        places[peer] = 0
    while not stop.is_set():
        for key, events in selector.select(0.1):
            peer = key.fileobj
            try:
                if events & selectors.EVENT_READ:
                    peer.recv(1 << 20)
                if events & selectors.EVENT_WRITE:
                    places[peer] = (places[peer] + peer.send(lines[places[peer]:])) % len(lines)
            except BlockingIOError:
                pass


def honest_run(path, job, seconds):
    result = multiprocessing.Queue()
    process = multiprocessing.Process(target=honest, args=(path, job, seconds, result))
    process.start()
    latencies, dropped = result.get(timeout=seconds + 120)
    process.join()
    latencies.sort()
    return statistics.median(latencies), latencies[int(len(latencies) * 0.99)], len(latencies), dropped


def crowd(seconds=15, rounds=3):
    stack = contextlib.ExitStack()
    url = stack.enter_context(environment.filled("bench_crowd", 1_000))
    limits = {"ADMINEXPORT_LIMITS_CONNECTIONS": "400", "ADMINEXPORT_LIMITS_CONNECTIONS_PER_USER": "400"}
    with stack, served("bench_crowd", url, **limits) as (process, client):
        path = client["ADMINEXPORT_SOCKET"]
        exports.export("bench_crowd", client["ADMINEXPORT_SOCKET"])
        job = Line(path).ask("export.list", actor=ACTOR)["result"]["jobs"][0]["id"]
        honest_run(path, job, 3)
        before = status(process, "VmRSS")
        idle, beside, peak = [], [], 0
        for _ in range(rounds):
            idle.append(honest_run(path, job, seconds))
            stop = multiprocessing.Event()
            hostile = [multiprocessing.Process(target=kind, args=(path, stop)) for kind in (slow_readers, half_lines, flooders)]
            for each in hostile:
                each.start()
            time.sleep(1)
            beside.append(honest_run(path, job, seconds))
            peak = max(peak, status(process, "VmRSS"))
            stop.set()
            for each in hostile:
                each.join(10)
                each.terminate()
            time.sleep(1)
        time.sleep(12)
        after = status(process, "VmRSS")
    for name, runs in (("alone", idle), ("beside 96 hostile ones", beside)):
        print(f"32 honest callers {name:24} median {statistics.median(run[0] for run in runs):7.2f} ms"
              f"   p99 {statistics.median(run[1] for run in runs):7.2f} ms   {sum(run[2] for run in runs):>7,} requests"
              f"   dropped {sum(run[3] for run in runs)}", flush=True)
    print(f"p99 beside / alone {statistics.median(run[1] for run in beside) / statistics.median(run[1] for run in idle):.1f}"
          f"   resident memory before {before / 1024:.1f} MiB, with the crowd {peak / 1024:.1f} MiB, after {after / 1024:.1f} MiB")


# Files


def fetch(process, client, job, *options):
    service, own, start = cpu(process), resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with open(os.devnull, "wb") as sink:
        subprocess.run([environment.BIN / "adminexport", "download", job, "-o", "-", *options], check=True, env=client, stdout=sink)
    seconds, now = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, now.ru_utime + now.ru_stime - own.ru_utime - own.ru_stime, cpu(process) - service


def files(administrators=1_000_000, rounds=5):
    stack = contextlib.ExitStack()
    url = stack.enter_context(environment.filled("bench_files", administrators))
    with stack, served("bench_files", url) as (process, client):
        _, _, size = exports.export("bench_files", client["ADMINEXPORT_SOCKET"])
        job = Line(client["ADMINEXPORT_SOCKET"]).ask("export.list", actor=ACTOR)["result"]["jobs"][0]["id"]
        ways = {"export.open": (), "export.read": ("--in-parts",)}
        runs = {name: [] for name in ways}
        for _ in range(rounds):
            for name, options in ways.items():
                runs[name].append(fetch(process, client, job, *options))
    for name, taken in runs.items():
        seconds, own, service = (statistics.median(run[index] for run in taken) for index in range(3))
        print(f"{name}: {size / 1e6:.1f} MB in {seconds:.2f} s, {size / 1e6 / seconds:6.0f} MB/s"
              f"   processor: client {own:.2f} s, service {service:.2f} s", flush=True)
    times = {name: statistics.median(run[0] for run in taken) for name, taken in runs.items()}
    print(f"export.read / export.open {times['export.read'] / times['export.open']:.1f} (both with the check of SHA-256)")


# The long day


def soak(requests=100_000, connections=10_000):
    stack = contextlib.ExitStack()
    url = stack.enter_context(environment.filled("bench_soak", 1_000))
    with stack, served("bench_soak", url) as (process, client):
        path = client["ADMINEXPORT_SOCKET"]
        exports.export("bench_soak", client["ADMINEXPORT_SOCKET"])
        job = Line(path).ask("export.list", actor=ACTOR)["result"]["jobs"][0]["id"]

        def ask(count):
            lines = [Line(path) for _ in range(8)]
            for start in range(0, count, 8 * 16):
                for line in lines:
                    line.peer.sendall(b"".join(message(number, "export.get", actor=ACTOR, job=job) for number in range(16)))
                for line in lines:
                    for _ in range(16):
                        assert "result" in line.read()

        def come_and_go(count):
            for number in range(count):
                line = Line(path)
                if number % 2:
                    assert "result" in line.ask("service.info")
                line.peer.close()

        def figures():
            time.sleep(1)
            return f"{descriptors(process):>4} descriptors   {status(process, 'VmRSS') / 1024:6.1f} MiB resident"

        print(f"at the start                  {figures()}")
        ask(requests // 10)
        come_and_go(connections // 10)
        print(f"after a tenth                 {figures()}", flush=True)
        ask(requests)
        print(f"after {requests:,} requests        {figures()}", flush=True)
        come_and_go(connections)
        print(f"after {connections:,} connections      {figures()}", flush=True)


def main(*names):
    names = list(names) or ["crowd", "files", "soak", "memory"]
    while names:
        name = names.pop(0)
        if name == "files" and names and names[0].isdigit():
            files(int(names.pop(0)))
        elif name == "memory":
            memory(names=names)
            names = []
        else:
            {"crowd": crowd, "files": files, "soak": soak}[name]()


if __name__ == "__main__":
    main(*sys.argv[1:])
