#!/usr/bin/env python3
"""Send each text of the public JSON test suite (github.com/nst/JSONTestSuite) to a service, inside `params`.

usage: json_suite.py SOCKET FOLDER

The service accepts a text if its reply is anything but -32700. The program skips texts with CR or LF, because a line ends
there. After each text, it checks that the service answers on the same connection.
"""
import json
import pathlib
import socket
import sys

# Texts that JSON allows and the protocol refuses.
STRICTER = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}


def main(path, folder):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    peer.settimeout(10)
    lines = peer.makefile("rb")
    counts, faults = {"n": 0, "y": 0, "i": 0}, []
    skipped = 0
    for file in sorted(pathlib.Path(folder).glob("*.json")):
        text = file.read_bytes()
        if b"\r" in text or b"\n" in text:
            skipped += 1
            continue
        peer.sendall(b'{"jsonrpc":"2.0","id":"suite","method":"service.info","params":' + text + b"}\n")
        reply = json.loads(lines.readline())
        is_taken = reply.get("error", {}).get("code") != -32700
        kind = file.name[0]
        counts[kind] += 1
        if kind == "n" and is_taken or kind == "y" and is_taken == (file.name in STRICTER):
            faults.append(f"{file.name}: {reply}")
        peer.sendall(b'{"jsonrpc":"2.0","id":"alive","method":"service.info"}\n')
        alive = json.loads(lines.readline())
        if alive.get("id") != "alive" or "result" not in alive:
            faults.append(f"{file.name}: afterwards {alive}")
    print(f"{counts['n']} n_ and {counts['y']} y_ and {counts['i']} i_ texts sent, {skipped} with line ends skipped, "
          f"{len(faults)} faults")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
