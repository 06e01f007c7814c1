"""Requests on the service's socket, as lines of JSON."""
import json
import socket


def message(number, method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


def connect(path):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    peer.settimeout(60)
    return peer


class Line:
    """A connection that sends one request at a time."""

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
