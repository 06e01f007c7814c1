"""Calls the service repeatedly, each time on a new connection, and prints the results.

usage: caller.py SOCKET SECONDS [METHOD PARAMS]

Prints a JSON object: the number of connections that the kernel refused, the numbers of each reply and of connections without
one, and the longest time that a caller waited, in seconds.
"""
import collections
import json
import socket
import sys
import time

path, seconds = sys.argv[1], float(sys.argv[2])
method, params = (sys.argv[3], json.loads(sys.argv[4])) if len(sys.argv) > 3 else ("service.info", {})
line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"
outcomes = collections.Counter()
refused = collections.Counter()
longest = 0.0
end = time.monotonic() + seconds
while time.monotonic() < end:
    start = time.monotonic()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        try:
            peer.connect(path)
        except OSError as error:
            refused[type(error).__name__] += 1
            time.sleep(0.01)
            continue
        try:
            peer.sendall(line)
            reply = b""
            while not reply.endswith(b"\n"):
                piece = peer.recv(65536)
                if not piece:
                    break
                reply += piece
            answer = json.loads(reply) if reply else None
            if answer is None:
                outcomes["no answer"] += 1
            elif "result" in answer:
                outcomes["ok"] += 1
            else:
                error = answer["error"]
                retry = "retryable" if error["data"].get("retryable") else "final"
                outcomes[f"{error['code']} {retry}"] += 1
        except OSError as error:
            outcomes[type(error).__name__] += 1
    longest = max(longest, time.monotonic() - start)
print(json.dumps({"refused": sum(refused.values()), "outcomes": outcomes, "longest": round(longest, 3)}))
