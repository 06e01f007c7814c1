"""A raw connection: it sends bytes, reads lines, and keeps received descriptors in order. Every wait has a time limit."""
import json
import os
import socket
import time


class Closed(Exception):
    """The service has closed the connection."""


class Peer:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(path)
        self.received = b""
        self.descriptors = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()
        while self.descriptors:
            os.close(self.descriptors.pop())

    def send(self, data, timeout=20):
        self.socket.settimeout(timeout)
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise AssertionError(f"the service read nothing for {timeout} s") from None
        except (BrokenPipeError, ConnectionResetError):
            raise Closed() from None

    def end(self):
        """Ends the sending side."""
        self.socket.shutdown(socket.SHUT_WR)

    def _receive(self, end):
        self.socket.settimeout(max(0.001, end - time.monotonic()))
        try:
            data, descriptors, flags, _ = socket.recv_fds(self.socket, 1 << 16, 16)
        except TimeoutError:
            raise AssertionError("the service did not answer in time") from None
        except ConnectionResetError:
            raise Closed() from None
        assert not flags & socket.MSG_CTRUNC, "descriptors were lost, because this process is at its limit of open files"
        self.descriptors += descriptors
        if not data:
            raise Closed()
        self.received += data

    def line(self, timeout=20):
        """The next line's bytes, without its end."""
        end = time.monotonic() + timeout
        while b"\n" not in self.received:
            self._receive(end)
        line, self.received = self.received.split(b"\n", 1)
        return line

    def reply(self, timeout=20):
        """The next line as JSON."""
        return json.loads(self.line(timeout))

    def replies(self, timeout=20):
        """All replies until the service closes the connection."""
        end, replies = time.monotonic() + timeout, []
        while True:
            try:
                replies.append(self.reply(end - time.monotonic()))
            except Closed:
                assert not self.received, "the last line does not end with a newline"
                return replies

    def is_silent(self, seconds=0.2):
        """Whether the service sends nothing for some time."""
        try:
            self.line(seconds)
        except AssertionError:
            return True
        except Closed:
            return False
        return False

    def is_closed(self, timeout=20):
        """Whether the service closes the connection in time. Ignores lines that arrive before."""
        end = time.monotonic() + timeout
        try:
            while True:
                self.line(end - time.monotonic())
        except Closed:
            return True
        except AssertionError:
            return False

    def ask(self, method, params=None, id=1, timeout=20):
        """Sends a request and returns the next reply. Ignores notifications that arrive before it."""
        self.send(request(method, params, id))
        end = time.monotonic() + timeout
        while True:
            reply = self.reply(end - time.monotonic())
            if "method" not in reply:
                return reply

    def result(self, method, params=None, timeout=20):
        reply = self.ask(method, params, timeout=timeout)
        assert "result" in reply, f"{method}: {reply}"
        return reply["result"]


def request(method, params=None, id=1):
    message = {"jsonrpc": "2.0", "id": id, "method": method}
    if params is not None:
        message["params"] = params
    return json.dumps(message).encode() + b"\n"


def is_error(reply, code, kind=None, id=None, **data):
    """Checks that a reply is this error, for this id, with these members in its data."""
    assert isinstance(reply, dict) and "error" in reply and "result" not in reply, f"expected error {code}, got {abbreviated(reply)}"
    error = reply["error"]
    assert reply.get("jsonrpc") == "2.0" and set(reply) == {"jsonrpc", "id", "error"}, f"not a reply of JSON-RPC: {abbreviated(reply)}"
    assert error["code"] == code, f"expected error {code}, got {error['code']}: {error['message']}"
    assert reply["id"] == id, f"expected the id {id!r}, got {reply['id']!r}"
    assert isinstance(error["message"], str) and error["message"], "error.message is missing"
    assert isinstance(error["data"]["retryable"], bool), "data.retryable is missing"
    for name, value in {**data, **({"kind": kind} if kind else {})}.items():
        assert error["data"].get(name) == value, f"expected data.{name} {value!r}, got {error['data'].get(name)!r}"


def is_result(reply, id=1):
    assert isinstance(reply, dict) and "result" in reply, f"expected a result, got {abbreviated(reply)}"
    assert set(reply) == {"jsonrpc", "id", "result"} and reply["jsonrpc"] == "2.0", f"not a reply of JSON-RPC: {abbreviated(reply)}"
    assert isinstance(reply["result"], dict), "the result is not an object"
    assert reply["id"] == id, f"expected the id {id!r}, got {reply['id']!r}"


def abbreviated(value, longest=300):
    text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else json.dumps(value)
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"
