"""Measurements of the memory that callers can make the service hold, with one user and with several."""
import contextlib
import itertools
import json
import multiprocessing
import os
import pathlib
import socket
import threading
import time

from . import environment

ACTOR = {"tenant": "acme", "administrator": "owner@acme.example"}
MEBIBYTE = 1 << 20
# The connections of one user, which leave one free, and of all users together.
CONNECTIONS, ALL_CONNECTIONS = 31, 120
OTHER_USERS = (20_001, 20_002, 20_003, 20_004)
# With the default limits, the service must stay below these MiB with one user, and with all users together.
MOST_OF_ONE, MOST_OF_ALL = 256, 384


def request(number, method, params="{}"):
    return b'{"jsonrpc":"2.0","id":%s,"method":"%s","params":%s}' % (
        str(number).encode(), method.encode(), params if isinstance(params, bytes) else params.encode())


def wait(job, padding=b"", **params):
    text = json.dumps({"actor": ACTOR, "job": job, "afterRevision": 1_000_000_000, "timeoutMs": 60_000, **params}).encode()
    return text[:-1] + padding + b"}"


def cancel(number):
    return b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%d}}' % number


def batch(lines):
    return b"[" + b",".join(lines) + b"]"


def only(*lines):
    """The lines, and nothing after them."""
    return [line if line.endswith(b"\n") else line + b"\n" for line in lines]


# Each gives the lines that a connection sends, for ever or not. `waiting` is a job that stays as it is, `done` one with a workbook.

def spaces(waiting, done):
    return only(*(request(number, "export.wait", wait(waiting, b" " * (MEBIBYTE - 500))) for number in range(64)))


def texts_refused(waiting, done):
    text = b"x" * (MEBIBYTE - 500)
    return (request(number, "export.wait", b'{"actor":{"tenant":"%s","administrator":"a"},"job":"%s"}' % (text, text[:9])) + b"\n"
            for number in itertools.count())


def texts_kept(waiting, done):
    """As long as the schema of each lets them be, in a request that waits."""
    actor = json.dumps({"tenant": "é" * 60, "administrator": "ü" * 100 + "@" + "x" * 60}).encode()
    return only(*(request(number, "export.start", b'{"actor":%s,"idempotencyKey":"%s"%s}' % (actor, b"k" * 128, b" " * 900_000))
                  for number in range(64)), *(request(number, "export.wait", wait(waiting)) for number in range(100, 164)))


def long_methods(waiting, done):
    return (request(number, "m" * (MEBIBYTE - 100)) + b"\n" for number in itertools.count())


def long_ids(waiting, done):
    return (request('"' + "i" * (MEBIBYTE - 100 if number % 2 else 128) + '"', "export.wait", wait(waiting)) + b"\n"
            for number in itertools.count())


def batches(waiting, done):
    padding = b" " * (MEBIBYTE // 33)
    return only(*(batch(request(32 * each + number, "export.get", json.dumps({"actor": ACTOR, "job": done}).encode() + padding)
                        for number in range(32)) for each in range(64)))


def metrics(waiting, done):
    return (batch(request(32 * each + number, "service.metrics") for number in range(32)) + b"\n" for each in itertools.count())


def partial_lines(waiting, done):
    return [b'{"jsonrpc":"2.0","id":1,"method":"export.get","params":{"a":"' + b"x" * (MEBIBYTE - 100)]


def unread(waiting, done):
    read = json.dumps({"actor": ACTOR, "job": done, "offset": 0, "length": 524_288})
    return only(*(request(number, "export.read", read) for number in range(20)),
                *(request(100 + number, "rpc.discover") for number in range(20)),
                *(request(200 + number, "export.list", json.dumps({"actor": ACTOR, "limit": 100})) for number in range(20)))


def errors(waiting, done):
    return (b"nonsense %d\n" % number for number in itertools.count())


def subscriptions(waiting, done):
    watch = json.dumps({"actor": ACTOR, "job": waiting})
    return only(*(request(number, "export.watch", watch) for number in range(32)),
                *(request(100 + number, "export.wait", wait(waiting)) for number in range(64)))


def pipes(waiting, done):
    opened = json.dumps({"actor": ACTOR, "job": done})
    return only(*(request(number, "export.open", opened) for number in range(4)))


def cancellations(waiting, done):
    """New ids without end. Each is cancelled before its request, which the service refuses in a batch."""
    return (batch(part for number in range(16 * each, 16 * each + 16)
                  for part in (cancel(number), request(number, "export.wait", wait(waiting)))) + b"\n"
            for each in itertools.count())


def values(waiting, done):
    many = b'{"states":[' + b",".join([b'"queued"'] * 60_000) + b"]}"
    return (request(number, "export.list", many) + b"\n" for number in itertools.count())


# Whether the connections read the replies.
SHAPES = {spaces: True, texts_refused: True, texts_kept: True, long_methods: True, long_ids: True, batches: False,
          metrics: False, partial_lines: True, unread: False, errors: False, subscriptions: False, pipes: True,
          cancellations: True, values: True}


def drain(peer):
    # A reader that takes descriptors too, and keeps them.
    held = []
    with contextlib.suppress(OSError):
        while True:
            data, descriptors, _, _ = socket.recv_fds(peer, MEBIBYTE, 16)
            held += descriptors
            if not data:
                break
    for each in held:
        os.close(each)


def feed(peer, lines):
    with contextlib.suppress(OSError):
        for line in lines:
            peer.sendall(line)


def hostile(shape, path, user, connections, jobs, stop):
    """Connections of one user, each fed by a thread until the end."""
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    peers = []
    for _ in range(connections):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
        peers.append(peer)
        for work in [(feed, (peer, shape(*jobs)))] + ([(drain, (peer,))] if SHAPES[shape] else []):
            threading.Thread(target=work[0], args=work[1], daemon=True).start()
    stop.wait()
    os._exit(0)


def figure(process, key):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(key)) / 1024


def ask(path, method, **params):
    """Returns the reply to a request. Tries again while this user has its maximum number of connections."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(60)
                peer.connect(path)
                peer.sendall(request(1, method, json.dumps(params)) + b"\n")
                reply = b""
                while not reply.endswith(b"\n"):
                    part = peer.recv(1 << 16)
                    if not part:
                        raise ConnectionResetError("the service closed the connection")
                    reply += part
                answer = json.loads(reply)
            if answer["id"] is not None:
                return answer
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() < deadline, f"{method} was not answered"
        time.sleep(0.2)


def attacked(shape, users, path, process, jobs, seconds):
    """The service's memory before and at its peak, in MiB, and the milliseconds in which it answers during the attack."""
    before, stop = figure(process, "VmRSS"), multiprocessing.Event()
    # Resets the high-water mark.
    pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    connections = min(CONNECTIONS, ALL_CONNECTIONS // len(users))
    callers = [multiprocessing.Process(target=hostile, args=(shape, path, user, connections, jobs, stop)) for user in users]
    for caller in callers:
        caller.start()
    time.sleep(seconds)
    start = time.monotonic()
    reply = ask(path, "service.info")
    took = (time.monotonic() - start) * 1_000
    assert "result" in reply, reply
    most = figure(process, "VmHWM")
    stop.set()
    for caller in callers:
        caller.join(10)
        caller.kill()
    assert process.poll() is None, "the service has ended"
    return before, most, took


@contextlib.contextmanager
def served(folder, database, url):
    """A service whose callers are root and a few more, with a job that waits and one that is done."""
    rules = environment.SCRATCH / "memory.yaml"
    rules.write_text("callers:\n" + "".join(f'  - {{user: "{user}", tenants: "*", grants: [export, operator]}}\n'
                                            for user in (os.getuid(), *OTHER_USERS)))
    settings = {"ADMINEXPORT_CONFIG": str(rules), "ADMINEXPORT_LIMITS_QUEUED_PER_TENANT": "1000"}
    with environment.service(database, url, folder, **settings) as (process, path):
        while True:
            # Its path is there a moment before it listens.
            with contextlib.suppress(ConnectionRefusedError):
                ask(str(path), "service.health")
                break
            assert process.poll() is None, "the service has not started"
            time.sleep(0.1)
        environment.SCRATCH.chmod(0o711)
        path.chmod(0o666)
        done = ask(str(path), "export.start", actor=ACTOR)["result"]["job"]["id"]
        while (reply := ask(str(path), "export.get", actor=ACTOR, job=done))["result"]["job"]["state"] != "succeeded":
            time.sleep(0.1)
        ask(str(path), "service.pause")
        waiting = ask(str(path), "export.start", actor=ACTOR)["result"]["job"]["id"]
        try:
            yield process, str(path), (waiting, done)
        finally:
            ask(str(path), "export.cancel", actor=ACTOR, job=waiting)
            ask(str(path), "service.resume")


def memory(seconds=20, names=()):
    """Prints, for each shape, the peak of resident memory, beside that of the programs in BEFORE_DIR if it is set."""
    folders = [pathlib.Path(os.environ["BEFORE_DIR"])] if "BEFORE_DIR" in os.environ else []
    folders.append(environment.BIN)
    whole = (None,) if os.getuid() else (None, *OTHER_USERS)
    runs = [(shape, (None,)) for shape in SHAPES if not names or shape.__name__ in names]
    runs += [(shape, whole) for shape, _ in runs if len(whole) > 1 and shape in (spaces, texts_kept, batches, partial_lines, unread)]
    with environment.filled("bench_memory", 20_000) as url:
        for shape, users in runs:
            figures = []
            for folder in folders:
                with served(folder, "bench_memory", url) as (process, path, jobs):
                    figures.append(attacked(shape, users, path, process, jobs, seconds))
            most = MOST_OF_ONE if len(users) == 1 else MOST_OF_ALL
            print(f"{shape.__name__:14} {len(users)} user{'s' if len(users) > 1 else ' '}   " + "   →   ".join(
                f"{before:5.1f} → {highest:6.1f} MiB, service.info in {took:6.0f} ms" for before, highest, took in figures)
                  + ("" if figures[-1][1] < most else f"   OVER {most}"), flush=True)
