#!/usr/bin/env python3
"""Measure the socket: well-behaved callers beside hostile ones, downloads by descriptor and in parts, leaks, and memory.

Run the program through Scripts/postgres.sh, which starts a private PostgreSQL.

usage: Scripts/postgres.sh Benchmarks/protocol.py [crowd | files [ADMINISTRATORS] | soak | content | memory [SHAPE]…]…

crowd    32 well-behaved callers request a job 20 times a second each, alternately alone and beside 96 hostile callers: 32 that
         read slowly, 32 that never finish a line, and 32 that send as fast as they can. Prints the median and the 99th percentile
         of the latency, and the daemon's resident memory before and after.
files    the command-line program downloads the workbook of a million administrators through a descriptor and in parts, in turn.
         Prints the seconds, and the processor time of client and service.
soak     100,000 requests and 10,000 connections. Prints the daemon's descriptors and resident memory before and after.
content  lines of the same length with each content that is expensive to read. Prints the 99th percentile of the latency of
         service.info, alone and beside 31 connections that send such lines continuously, and the daemon's processor time for each
         line, compared with a line of plain text of that length.
memory   31 connections of one user that try to fill the service's memory, with each SHAPE of requests in turn; as root, also five
         users at a time. Prints the daemon's resident memory before and at its peak, beside that of the programs in BEFORE_DIR.

Set BIN_DIR=FOLDER to measure other programs.
"""
import contextlib
import json
import multiprocessing
import os
import pathlib
import resource
import selectors
import statistics
import subprocess
import sys
import time

from benchmarks import environment, exports
from benchmarks.caller import Line, connect, message
from benchmarks.memory import memory

ACTOR = {"tenant": "acme", "administrator": "owner@acme.example"}
PAGE = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(database, url, **settings):
    """A daemon, and the environment for a client of that daemon."""
    with environment.service(database, url, **settings) as (process, socket):
        yield process, {**environment.CLEAN, "ADMINEXPORT_SOCKET": str(socket), "ADMINEXPORT_TENANT": ACTOR["tenant"],
                        "ADMINEXPORT_AS": ACTOR["administrator"]}


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
    """32 callers that send a request every 50 ms each. Puts the latencies in milliseconds, and the number of lost connections."""
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
    """32 callers that request more than they read: each reads a kilobyte every 0.1 s."""
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
    """32 callers that begin a line and never end it, and connect again when the service closes the connection."""
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
    """32 callers that send invalid lines, batches and requests as fast as they can, and read all replies."""
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
        exports.export("bench_crowd", process, client["ADMINEXPORT_SOCKET"])
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
        size = exports.export("bench_files", process, client["ADMINEXPORT_SOCKET"]).size
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


# Leaks


def soak(requests=100_000, connections=10_000):
    stack = contextlib.ExitStack()
    url = stack.enter_context(environment.filled("bench_soak", 1_000))
    with stack, served("bench_soak", url) as (process, client):
        path = client["ADMINEXPORT_SOCKET"]
        exports.export("bench_soak", process, client["ADMINEXPORT_SOCKET"])
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


# What a line holds


def contents(length):
    """Lines of about `length` bytes, without their ends, by the name of their content. Plain text is the first."""
    def params(inner, unit=b"", end=b"", method=b"export.list"):
        start = b'{"jsonrpc":"2.0","id":1,"method":"' + method + b'","params":{' + inner
        return start + unit * ((length - len(start) - len(end) - 2) // max(1, len(unit))) + end + b"}}"

    def names(prefix):
        text, number = b"", 0
        while len(text) < length - 200:
            text += b'"%s%06d":1,' % (prefix, number)
            number += 1
        return params(text + b'"x":1')

    info = b'{"jsonrpc":"2.0","id":%d,"method":"service.info","params":{"' + b"n" * max(1, length // 32 - 70) + b'":1}}'
    return {
        "plain text": params(b'"tenant":"', b"x", b'"'),
        "escapes of letters": params(b'"tenant":"', b"\\u0041", b'"'),
        "escapes of one letter": params(b'"tenant":"', b"\\n", b'"'),
        "escaped surrogates": params(b'"tenant":"', b"\\ud83d\\ude00", b'"'),
        "two-byte characters": params(b'"tenant":"', "é".encode(), b'"'),
        "combining marks": params(b'"tenant":"', "\u0301\u0316".encode(), b'"'),
        "invalid at the end": params(b'"tenant":"', b"x", b'\xff"'),
        "an escaped name": params(b'"', b"\\u0041", b'":1'),
        "spaces": params(b"", b" "),
        "a list of states": params(b'"states":["queued"', b',"queued"', b"]"),
        "a list of digits": params(b'"states":[1', b",1", b"]"),
        "lists in lists": params(b'"states":[1', b"," + b"[" * 29 + b"]" * 29, b"]"),
        "objects in objects": params(b'"states":[1', b',{"a":{"a":{"a":{"a":{}}}}}', b"]"),
        "names": names(b"n"),
        "names alike at the start": names(b"n" * 100),
        "numbers at a double's end": params(b'"states":[1', b",1.7976931348623157e308", b"]"),
        "a long fraction": params(b'"limit":0.', b"0", b"1"),
        "a long exponent": params(b'"limit":1e', b"0", b"1"),
        "a long method": params(b"", b" ", b"", b"m" * (length // 2)),
        "a long id": b'{"jsonrpc":"2.0","id":"' + b"x" * (length - 80) + b'","method":"service.info"}',
        "an unknown member": b'{"jsonrpc":"2.0","id":1,"method":"service.info","' + b"x" * (length - 80) + b'":1}',
        # Compared with each other, because both batches contain 32 requests.
        "an honest batch of 32": b"[" + b",".join(
            b'{"jsonrpc":"2.0","id":%d,"method":"service.info","params":{%s}}' % (number, b" " * max(1, length // 32 - 70))
            for number in range(32)) + b"]",
        "a batch of 32": b"[" + b",".join(info % number for number in range(32)) + b"]",
        "a notification": params(b'"x":"', b"x", b'"', b"x").replace(b'"id":1,', b""),
        "marks as a method": params(b"", b" ", b"", "\u0301\u0316".encode() * (length // 8)),
    }


def nanoseconds(process):
    """Processor time of all threads of a process (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns(~process.pid << 3 | 2)


def cost(process, path, line, seconds):
    """The daemon's processor time for one such line in milliseconds, the median of several rounds."""
    peer, rounds, end = Line(path), [], time.monotonic() + seconds
    probe = message(2, "service.info")
    while len(rounds) < 3 or time.monotonic() < end and len(rounds) < 50:
        start = nanoseconds(process)
        peer.peer.sendall(line + b"\n")
        # A notification has no reply.
        if b'"method":"x"' in line:
            peer.peer.sendall(probe)
        peer.read()
        rounds.append((nanoseconds(process) - start) / 1e6)
    peer.peer.close()
    return statistics.median(rounds)


def senders(path, line, stop):
    """31 connections that send the same line as fast as they can and read all replies. Each connects again when it is closed."""
    selector, places, data = selectors.DefaultSelector(), {}, line + b"\n"
    while not stop.is_set():
        for _ in range(31 - len(places)):
            peer = connect(path)
            peer.setblocking(False)
            selector.register(peer, selectors.EVENT_READ | selectors.EVENT_WRITE)
            places[peer] = 0
        for key, events in selector.select(0.1):
            peer = key.fileobj
            try:
                if events & selectors.EVENT_READ:
                    peer.recv(1 << 20)
                if events & selectors.EVENT_WRITE:
                    places[peer] = (places[peer] + peer.send(data[places[peer]:places[peer] + (1 << 18)])) % len(data)
            except BlockingIOError:
                pass
            except OSError:
                selector.unregister(peer)
                places.pop(peer)
                peer.close()


def latencies(path, seconds):
    """Calls service.info on one connection every 5 ms. Returns the median and the 99th percentile of the latency in milliseconds,
    and the number of calls."""
    line, taken, end = Line(path), [], time.monotonic() + seconds
    while time.monotonic() < end or len(taken) < 100:
        start = time.monotonic()
        assert "result" in line.ask("service.info")
        taken.append((time.monotonic() - start) * 1_000)
        if len(taken) >= 20 and time.monotonic() > end + seconds:
            break
        time.sleep(max(0, start + 0.005 - time.monotonic()))
    line.peer.close()
    taken.sort()
    return statistics.median(taken), taken[min(len(taken) - 1, int(len(taken) * 0.99))], len(taken)


def content(lengths=(8_192, 65_536, 1_000_000), seconds=0.5, beside=("plain text", "a list of states", "escapes of letters", "names")):
    stack = contextlib.ExitStack()
    url = stack.enter_context(environment.filled("bench_content", 100))
    with stack, served("bench_content", url) as (process, client):
        path = client["ADMINEXPORT_SOCKET"]
        Line(path).ask("service.info")
        median, alone, count = latencies(path, 5)
        print(f"service.info alone                             median {median:7.2f} ms   p99 {alone:7.2f} ms   {count} requests", flush=True)
        for name in beside:
            stop = multiprocessing.Event()
            hostile = multiprocessing.Process(target=senders, args=(path, contents(650_000 if name != "names" else 65_536)[name], stop))
            hostile.start()
            time.sleep(1)
            median, p99, count = latencies(path, 8)
            stop.set()
            hostile.join(10)
            hostile.terminate()
            print(f"service.info beside 31 of {name:20} median {median:7.2f} ms   p99 {p99:7.2f} ms   {count} requests   p99 beside / alone {p99 / alone:.1f}",
                  flush=True)
            time.sleep(2)
        print("processor time of the service for a line, in ms, and beside plain text (of a batch: an honest batch) of the same length")
        print(f"{'':26}" + "".join(f"{length:>15,} B" for length in lengths))
        costs, ratios = {length: {} for length in lengths}, {length: {} for length in lengths}
        for name in contents(8_192):
            row = ""
            for length in lengths:
                try:
                    taken = cost(process, path, contents(length)[name], seconds)
                except (EOFError, OSError) as error:
                    row += f"   no answer: {error}"
                    continue
                costs[length][name] = taken
                ratio = taken / costs[length]["an honest batch of 32" if name == "a batch of 32" else "plain text"]
                ratios[length][name] = 0 if name == "an honest batch of 32" else ratio
                row += f"{taken:10.2f} {ratio:5.1f}×"
            print(f"{name:26}{row}", flush=True)
        for length in lengths:
            dearest = max(ratios[length], key=ratios[length].get)
            print(f"the dearest of {length:,} B: {dearest}, {ratios[length][dearest]:.1f} times an honest one", flush=True)


def main(*names):
    names = list(names) or ["crowd", "files", "soak", "content", "memory"]
    while names:
        name = names.pop(0)
        if name == "files" and names and names[0].isdigit():
            files(int(names.pop(0)))
        elif name == "memory":
            memory(names=names)
            names = []
        else:
            {"crowd": crowd, "files": files, "soak": soak, "content": content}[name]()


if __name__ == "__main__":
    main(*sys.argv[1:])
