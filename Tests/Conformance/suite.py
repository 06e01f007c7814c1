"""The list of cases, and their execution: each case runs alone, and then the service must answer another connection."""
import sys
import time
import traceback

from wire import Closed, Peer, abbreviated, is_result


class Skip(Exception):
    """The case cannot run against this service; the text gives the reason."""


class Service:
    """The service under test, and the administrators in whose name the cases act."""

    def __init__(self, path, options):
        self.path = path
        self.options = options
        with Peer(path) as peer:
            self.info = peer.result("service.info")
            self.methods = {method["name"]: method for method in peer.result("rpc.discover")["methods"]}
        self.limits = self.info["limits"]
        self.actor = {"tenant": options.tenant, "administrator": options.administrator}
        self.other = {"tenant": options.tenant, "administrator": options.other}
        self.without = {"tenant": options.tenant, "administrator": options.without}
        self.foreign = dict(zip(("tenant", "administrator"), options.foreign.split(":", 1)))
        self._done = None

    def peer(self):
        return Peer(self.path)

    def is_operator(self):
        return any(grant["grant"] == "operator" and grant["tenants"] == ["*"] for grant in self.info["caller"]["grants"])

    def wait_is_short(self, limit):
        milliseconds = self.limits[limit]
        if milliseconds > 5_000 and not self.options.slow:
            raise Skip(f"limits.{limit} is {milliseconds} ms; run with --slow to wait for it")
        return milliseconds / 1_000

    def start(self, peer, **params):
        """Starts an export. Tries again for a minute while the tenant's queue is full."""
        end = time.monotonic() + 60
        while True:
            reply = peer.ask("export.start", {"actor": self.actor, **params})
            if "result" in reply:
                return reply["result"]["job"]
            assert reply["error"]["data"]["kind"] == "quota-exceeded", reply["error"]
            assert time.monotonic() < end, "the tenant's queue was full for 60 s"
            time.sleep(0.2)

    def finish(self, peer, job, actor=None):
        """Waits until a job is final."""
        end = time.monotonic() + 60
        while job["state"] in ("queued", "running"):
            assert time.monotonic() < end, f"the job was {job['state']} for 60 s"
            job = peer.result("export.wait", {"actor": actor or self.actor, "job": job["id"],
                                              "afterRevision": job["revision"], "timeoutMs": 5_000})["job"]
        return job

    def done(self):
        """A job that has succeeded. Cases share it and must not change it."""
        if self._done is None:
            with self.peer() as peer:
                self._done = self.finish(peer, self.start(peer))
                assert self._done["state"] == "succeeded", self._done
        return self._done

    def fresh(self):
        """A new job that has succeeded, which the case may change."""
        with self.peer() as peer:
            return self.finish(peer, self.start(peer))

    def settle(self, count=8):
        """Waits until the service has removed ended connections, so that `count` new ones are accepted."""
        end = time.monotonic() + 30
        while True:
            peers = []
            try:
                for _ in range(min(count, self.limits["connectionsPerUser"])):
                    peers.append(self.peer())
                    is_result(peers[-1].ask("service.info", id="alive"), "alive")
                return
            except (AssertionError, Closed, OSError) as error:
                assert time.monotonic() < end, f"the service accepts no connection after 30 s: {error}"
                time.sleep(0.05)
            finally:
                for peer in peers:
                    peer.close()


CASES = []


def case(name):
    """Registers a function as a case. The function takes the service."""
    def register(body):
        add(name, body)
        return body
    return register


def add(name, body):
    CASES.append((name, body))


def run(service, text, output=sys.stdout):
    """Runs the cases whose name contains the text, and prints TAP 14. Returns the number of failures."""
    names = [name for name, _ in CASES]
    doubles = {name for name in names if names.count(name) > 1}
    assert not doubles, f"duplicate names of cases: {doubles}"
    cases = [each for each in CASES if text in each[0]]
    failed = 0
    print("TAP version 14", f"1..{len(cases)}", sep="\n", file=output)
    for number, (name, body) in enumerate(cases, 1):
        # In TAP a number sign begins a directive.
        title = f"{number} - {name}".replace("#", "\\#")
        try:
            body(service)
            service.settle(1)
            print(f"ok {title}", file=output, flush=True)
        except Skip as reason:
            print(f"ok {title} # SKIP {reason}", file=output, flush=True)
        except Exception as error:  # any error fails this case; the next case runs
            failed += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            print(f"not ok {title}", "  ---", f"  message: {abbreviated(str(error) or type(error).__name__)!r}",
                  f"  at: {place.name}, line {place.lineno}", "  ...", sep="\n", file=output, flush=True)
    return failed
