#!/usr/bin/env python3
"""Test the package on a machine with a real systemd: install, use, kill, restart, upgrade, measure and remove it.

usage: systemd_test.py [--deb FOLDER] [--only TEXT] [--keep-going]

Needs root. Prints TAP. --deb names a folder with the packages of two versions. Without it, they are built from the programs in
BIN_DIR (.build/debug). Scenarios depend on the scenarios install and use; --only runs these two and the scenarios whose name
contains the text.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(__file__))
from machine import Failed, Machine  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
SOCKET = "/run/adminexport/adminexport.sock"
ARCHIVES = "/var/lib/adminexport/archives"
OWNER = {"tenant": "acme", "administrator": "owner@acme.example"}
UNITS = ("adminexport.socket", "adminexport.service", "adminexport-worker@1.service")
# Ids of events: systemd/adminexport.catalog.
ATTEMPT_ENDED = "5602f6fe700a4462b1a2c982d4c1c8a3"
REQUEST_REFUSED = "f26874d4c6c747998bb09d037f64b05b"
ENVIRONMENT = "export ADMINEXPORT_TENANT=acme ADMINEXPORT_AS=owner@acme.example; "

scenarios = []


def scenario(function):
    scenarios.append(function)
    return function


def note(text):
    """Prints a figure for readers of the output."""
    print(f"# {text}", flush=True)


def check(condition, what):
    if not condition:
        raise Failed(what)


def caller(machine, seconds, method="service.info", params=None, user="member"):
    """Starts a caller that makes a new connection for each request."""
    return machine.spawn(
        f"python3 /root/caller.py {SOCKET} {seconds} {method} '{json.dumps(params or {})}'", user=user)


def outcome(process):
    output = process.communicate(timeout=600)[0]
    try:
        return json.loads(output)
    except ValueError as error:
        raise Failed(f"the caller ended with {process.returncode}: {output}") from error


def call(machine, method, params=None, user="member"):
    """Sends one request and returns the reply."""
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}})
    reply = machine.run(f"nc -U -N {SOCKET}", user=user, text=line + "\n", check=False).stdout
    return json.loads(reply) if reply else None


def health(machine):
    reply = call(machine, "service.health")
    return reply and reply.get("result", {}).get("status")


def is_well(machine):
    return machine.eventually("the service is ok", lambda: health(machine) == "ok")


def export(machine, user="member"):
    machine.run(ENVIRONMENT + "cd /tmp && adminexport run --force -q -o /tmp/out.xlsx", user=user)


def restart(machine):
    machine.run("systemctl daemon-reload; systemctl restart adminexport.service adminexport-worker@1.service")
    is_well(machine)


@scenario
def install(machine, debs):
    """The package can be installed, configured and started, with the documented modes and without a start before that"""
    machine.copy(debs[0], "/root/adminexport.deb")
    told = machine.run("dpkg -i /root/adminexport.deb").stdout
    check("enable --now adminexport.socket" in told, f"the package does not name the next step: {told}")
    for unit in UNITS:
        check(machine.show(unit, "ActiveState")["ActiveState"] == "inactive", f"{unit} was started before it was configured")
    machine.run("for u in member outsider; do useradd --create-home $u; done; adduser -q member adminexport-clients")
    machine.run("cd / && install -m 644 /dev/null /root/caller.py && chmod 711 /root")
    machine.copy(HERE / "caller.py", "/root/caller.py")
    machine.eventually("PostgreSQL is up", lambda: "online" in machine.run("pg_lsclusters -h").stdout)
    machine.run("runuser -u postgres -- createdb adminexport")
    machine.run("runuser -u postgres -- adminexportd migrate --with-directory")
    machine.run("runuser -u postgres -- adminexportd demo-data --tenant acme --administrators 20000")
    machine.run("systemctl enable --now adminexport.socket adminexport-worker@1")
    check(machine.show("adminexport.service", "ActiveState")["ActiveState"] == "inactive", "the service runs without a caller")
    check(machine.run("stat -c '%a %U %G' " + SOCKET).stdout.split() == ["660", "root", "adminexport-clients"], "the socket's mode")
    check(machine.run("stat -c '%a %U %G' " + ARCHIVES).stdout.split()
          == ["2750", "adminexport-worker", "adminexport-archives"], "the mode of the archives' directory")


@scenario
def use(machine, debs):
    """A member of adminexport-clients can export, and its first connection starts the service; the kernel refuses other users"""
    machine.run(ENVIRONMENT + "cd /tmp && adminexport run -o /tmp/first.xlsx", user="member")
    first = machine.run("stat -c '%a %U %s' /tmp/first.xlsx").stdout.split()
    check(first[:2] == ["600", "member"] and int(first[2]) > 500_000, f"the workbook: {first}")
    denied = machine.run(
        f"python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{SOCKET}\")'", user="outsider", check=False)
    check("PermissionError: [Errno 13]" in denied.stderr, f"the kernel admitted another user: {denied.stderr}")
    refused = machine.run(ENVIRONMENT + "adminexport list", user="outsider", check=False)
    check(refused.returncode == 77 and "adminexport-clients" in refused.stderr, f"{refused}")
    for unit in UNITS:
        check(machine.show(unit, "ActiveState")["ActiveState"] == "active", f"{unit} is not active")
    failed = machine.run("systemctl --failed --no-legend").stdout
    check(not failed.strip(), f"failed units: {failed}")
    files = machine.run(f"find {ARCHIVES} -mindepth 1 -printf '%m %u %g %y\\n'").stdout.splitlines()
    wrong = [line for line in files if line not in (
        "2750 adminexport-worker adminexport-archives d", "640 adminexport-worker adminexport-archives f")]
    check(files and not wrong, f"owners and modes of archives: {wrong}")
    machine.run("cp /tmp/first.xlsx /root/first.xlsx")
    said = machine.run("journalctl -u 'adminexport*' -o cat").stdout
    check("acme.example" not in said and "thread priority" not in said, f"the journal contains unwanted text: {said}")


@scenario
def receipts(machine, debs):
    """The key of make-key reaches the worker and not the service; a member verifies the receipt, and an operator the audit trail"""
    early = machine.run(ENVIRONMENT + "cd /tmp && adminexport run --receipt", user="member", check=False)
    check(early.returncode == 1 and "no active signing key" in early.stderr, f"{early}")
    machine.run("adminexportd make-key")
    modes = machine.run("stat -c '%a %U' /etc/credstore/adminexport.signing-key /etc/adminexport/verify.d /etc/adminexport/verify.d/*.pem")
    check(modes.stdout.split() == ["600", "root", "755", "root", "644", "root"], modes.stdout)
    machine.run("systemctl restart adminexport-worker@1; systemctl reload adminexport")
    is_well(machine)
    told = machine.run(ENVIRONMENT + "cd /tmp && adminexport run --force -q --receipt -o signed.xlsx "
                       "&& adminexport verify signed.xlsx signed.xlsx.receipt.json", user="member").stdout
    check("Verified: signed.xlsx" in told and "/etc/adminexport/verify.d/" in told, told)
    found = machine.run("ls /run/credentials/adminexport-worker@1.service /run/credentials/adminexport.service", check=False).stdout
    check(found.count("signing-key") == 1 and "adminexport.service" not in found, f"the credentials: {found}")
    machine.eventually("a worker has signed a checkpoint", lambda: machine.run("adminexport audit --verify", check=False).returncode == 0, 90)
    said = machine.run("journalctl -u 'adminexport*' -o cat").stdout
    check("PRIVATE KEY" not in said and "acme.example" not in said, "the journal contains unwanted text")


@scenario
def doctor(machine, debs):
    """doctor finds no fault for a member, and tells other users what to do"""
    fine = machine.run("adminexport doctor", user="member").stdout
    check("FAIL" not in fine and "warn" not in fine, fine)
    # The commands that doctor tells people to run.
    for user, word in (("adminexport", "can serve"), ("adminexport-worker", "can work")):
        checked = machine.run(f"runuser -u {user} -- adminexportd check-config").stdout
        check(word in checked and "serve and work" not in checked and "GRANT" not in checked, checked)
    check("Exports expired: " in machine.run("runuser -u adminexport-worker -- adminexportd prune").stdout, "prune")
    outside = machine.run("adminexport doctor", user="outsider", check=False)
    check(outside.returncode == 1 and "adduser outsider adminexport-clients" in outside.stdout, outside.stdout)
    machine.run("useradd --create-home late")
    late = machine.spawn("sleep 2; adminexport doctor; echo status $?", user="late")
    time.sleep(0.5)
    machine.run("adduser -q late adminexport-clients")
    told = late.communicate(timeout=300)[0]
    check("this session began before that" in told and "status 1" in told, told)
    machine.run("systemctl stop adminexport-worker@1")
    machine.eventually(
        "doctor reports the missing worker", lambda: "systemctl enable --now adminexport-worker@1" in
        machine.run("adminexport doctor", user="member", check=False).stdout, 60)
    machine.run("systemctl start adminexport-worker@1")
    is_well(machine)
    gone = machine.run("adminexport doctor --socket /run/nobody.sock", user="member", check=False)
    check(gone.returncode == 1 and "systemctl enable --now adminexport.socket" in gone.stdout, gone.stdout)


@scenario
def journal(machine, debs):
    """Entries of the journal have their fields, and the catalog explains them"""
    job = json.loads(machine.run(ENVIRONMENT + "adminexport start --json", user="member").stdout)["id"]
    machine.run(ENVIRONMENT + f"adminexport wait {job} -q", user="member")
    entries = machine.eventually(
        "the journal has the job", lambda: [e for e in machine.journal(f"ADMINEXPORT_JOB={job}") if e.get("MESSAGE_ID") == ATTEMPT_ENDED])
    entry = machine.journal(f"ADMINEXPORT_JOB={job}")[0]
    wanted = {"ADMINEXPORT_JOB": job, "ADMINEXPORT_TENANT": "acme", "PRIORITY": "6", "SYSLOG_IDENTIFIER": "adminexportd",
              "_SYSTEMD_UNIT": "adminexport-worker@1.service"}
    check(all(entry.get(name) == value for name, value in wanted.items()), f"{entry}")
    check(re.fullmatch("[0-9a-f]{32}", entry.get("MESSAGE_ID", "")) and entry.get("CODE_FILE"), f"{entry}")
    note("journalctl -o json: " + json.dumps({k: v for k, v in entry.items() if k.startswith(("ADMINEXPORT_", "MESSAGE"))}))
    call(machine, "export.start", {"actor": {"tenant": "acme", "administrator": "nobody@acme.example"}})
    uid = machine.run("id -u member").stdout.strip()
    refused = machine.eventually(
        "the refusal is logged", lambda: machine.journal(f"ADMINEXPORT_PEER_UID={uid} ADMINEXPORT_METHOD=export.start"))
    check(refused[-1]["MESSAGE_ID"] == REQUEST_REFUSED and "nobody@" not in json.dumps(refused), f"{refused}")
    catalog = machine.run(f"journalctl -x --no-pager ADMINEXPORT_JOB={job}").stdout
    check(f"The export {job} has begun" in catalog, catalog)
    check(entries[-1].get("ADMINEXPORT_END") == "succeeded", f"{entries}")


@scenario
def database(machine, debs):
    """While PostgreSQL is down, callers get a retryable error, also from a service that starts then; later, exports succeed"""
    machine.run("systemctl stop adminexport.service postgresql.service")
    reply = call(machine, "export.list", {"actor": OWNER})
    check(reply["error"]["code"] == 1007 and reply["error"]["data"]["retryable"], f"{reply}")
    check(machine.show("adminexport.socket", "ActiveState")["ActiveState"] == "active", "the socket went down")
    machine.eventually("the status reports the database", lambda: "cannot be reached" in machine.show("adminexport.service", "StatusText")["StatusText"])
    shown = machine.run("adminexport doctor", user="member", check=False)
    check(shown.returncode == 1 and "PostgreSQL" in shown.stdout, shown.stdout)
    check(machine.show("adminexport-worker@1", "ActiveState")["ActiveState"] == "active", "the worker went down")
    machine.run("systemctl start postgresql.service")
    is_well(machine)
    export(machine)
    machine.eventually(
        "the status no longer reports the database", lambda: "cannot be reached" not in machine.show("adminexport.service", "StatusText")["StatusText"])


@scenario
def kills(machine, debs):
    """After kill -9, the API and a worker start again, the export finishes, and at most one caller loses its connection"""
    loop = caller(machine, 8, "export.list", {"actor": OWNER})
    time.sleep(1)
    start = time.monotonic()
    pid = machine.show("adminexport.service", "MainPID")["MainPID"]
    machine.run(f"kill -9 {pid}")
    machine.eventually("the API runs again", lambda: machine.show("adminexport.service", "ActiveState", "MainPID")
                       .get("MainPID") not in ("0", pid) and health(machine) == "ok")
    note(f"API back {time.monotonic() - start:.1f} s after kill -9 (RestartSec=1s)")
    seen = outcome(loop)
    note(f"callers meanwhile: {json.dumps(seen)}")
    # Only the caller whose request the killed process was handling finds its connection closed.
    lost = sum(count for key, count in seen["outcomes"].items() if key not in ("ok", "-32000 retryable", "1007 retryable"))
    check(seen["refused"] == 0 and seen["outcomes"].get("ok", 0) > 100 and lost <= 1, f"{seen}")
    machine.run("runuser -u postgres -- adminexportd demo-data --tenant many --administrators 400000 >/dev/null")
    many = "export ADMINEXPORT_TENANT=many ADMINEXPORT_AS=owner@many.example; "
    job = json.loads(machine.run(many + "adminexport start --json", user="member").stdout)["id"]
    machine.eventually("the export runs", lambda: json.loads(
        machine.run(many + f"adminexport get {job} --json", user="member").stdout)["progress"]["rowsDone"] > 0, 30)
    pid = machine.show("adminexport-worker@1", "MainPID")["MainPID"]
    start = time.monotonic()
    machine.run(f"kill -9 {pid}")
    machine.eventually("the worker runs again", lambda: machine.show("adminexport-worker@1", "ActiveState", "MainPID")
                       == {"ActiveState": "active", "MainPID": machine.show("adminexport-worker@1", "MainPID")["MainPID"]}
                       and machine.show("adminexport-worker@1", "MainPID")["MainPID"] not in ("0", pid))
    note(f"worker back {time.monotonic() - start:.1f} s after kill -9")
    machine.run(many + f"adminexport wait {job} -q", user="member", timeout=600)
    done = json.loads(machine.run(many + f"adminexport get {job} --json", user="member").stdout)
    check(done["state"] == "succeeded", f"{done}")
    note(f"its export finished {time.monotonic() - start:.1f} s after the kill (lease 12 s)")


@scenario
def stopping(machine, debs):
    """Stopping the target stops all units including the socket; restarting it keeps the socket open"""
    loop = caller(machine, 6)
    time.sleep(1)
    machine.run("systemctl start adminexport.target; systemctl restart adminexport.target")
    seen = outcome(loop)
    note(f"a restart of the target: {json.dumps(seen)}")
    check(seen["refused"] == 0, f"{seen}")
    machine.run("systemctl stop adminexport.target")
    # systemctl waits for the target's own job, not for the jobs that it causes.
    machine.eventually("all units are stopped", lambda: machine.run(
        "systemctl is-active " + " ".join(UNITS), check=False).stdout.split() == ["inactive"] * 3, 30)
    check(machine.run(f"test -e {SOCKET}", check=False).returncode == 1, "the socket's path still exists")
    machine.run("systemctl start adminexport.target")
    is_well(machine)


@scenario
def drain(machine, debs):
    """A worker that is restarted finishes its export first"""
    many = "export ADMINEXPORT_TENANT=many ADMINEXPORT_AS=owner@many.example; "
    if machine.run(many + "adminexport list", user="member", check=False).returncode != 0:
        machine.run("runuser -u postgres -- adminexportd demo-data --tenant many --administrators 400000 >/dev/null")
    job = json.loads(machine.run(many + "adminexport start --json", user="member").stdout)["id"]
    machine.eventually("the export runs", lambda: json.loads(
        machine.run(many + f"adminexport get {job} --json", user="member").stdout)["progress"]["rowsDone"] > 0, 30)
    machine.run("systemctl restart adminexport-worker@1")
    done = json.loads(machine.run(many + f"adminexport get {job} --json", user="member").stdout)
    check(done["state"] == "succeeded", f"{done}")
    attempts = machine.run(
        f"runuser -u postgres -- psql -d adminexport -Atc \"SELECT attempt, epoch FROM adminexport.job WHERE id = '{job}'\"").stdout
    check(attempts.strip() == "1|1", attempts)


@scenario
def watchdog(machine, debs):
    """The watchdog ends a service that hangs, and systemd starts it again"""
    for unit in ("adminexport.service", "adminexport-worker@1.service"):
        # The folder of the instance, beside that of the template.
        machine.write(f"/etc/systemd/system/{unit}.d/watchdog.conf", "[Service]\nWatchdogSec=3s\nTimeoutAbortSec=1s\n")
    restart(machine)
    for unit in ("adminexport.service", "adminexport-worker@1.service"):
        pid = machine.show(unit, "MainPID")["MainPID"]
        time.sleep(5)
        check(machine.show(unit, "MainPID")["MainPID"] == pid, f"{unit} was ended although it works")
        machine.run(f"kill -STOP {pid}")
        start = time.monotonic()
        machine.eventually("the unit runs again", lambda: machine.show(unit, "ActiveState")["ActiveState"] == "active"
                           and machine.show(unit, "MainPID")["MainPID"] not in ("0", pid), 30)
        note(f"{unit}, hung, back after {time.monotonic() - start:.1f} s (WatchdogSec=3s)")
        check("watchdog" in machine.run(f"journalctl -u {unit} -o cat").stdout.lower(), "the journal does not name the watchdog")
    machine.run("rm -r /etc/systemd/system/adminexport*.d")
    restart(machine)
    export(machine)


@scenario
def restarts(machine, debs):
    """While callers connect, systemctl restart causes no refused connection"""
    loop = caller(machine, 12)
    for _ in range(4):
        time.sleep(1.5)
        machine.run("systemctl restart adminexport.service")
    seen = outcome(loop)
    note(f"four restarts: {json.dumps(seen)}")
    check(seen["refused"] == 0 and seen["outcomes"].get("ok", 0) > 50, f"{seen}")
    check(set(seen["outcomes"]) <= {"ok", "-32000 retryable"}, f"{seen}")


@scenario
def reload(machine, debs):
    """A reload applies callers, limits and the log level; a file with a fault changes nothing and is reported"""
    config = machine.run("cat /etc/adminexport/config.yaml").stdout
    for unit in ("adminexport.service", "adminexport-worker@1.service"):
        machine.write("/etc/adminexport/config.yaml", config + "\nlimits:\n  runningPerTenant: 5\nlog:\n  level: debug\n")
        machine.run(f"systemctl reload {unit}")
        machine.eventually("the reload is logged", lambda: machine.journal(f"-u {unit} MESSAGE_ID=a18c88c249e74109aabfae451f45dd7b"), 20)
    info = call(machine, "service.info")["result"]
    check(info["limits"]["runningPerTenant"] == 5, f"{info}")
    for unit in ("adminexport.service", "adminexport-worker@1.service"):
        machine.write("/etc/adminexport/config.yaml", config.replace("callers:", "calers:"))
        machine.run(f"systemctl reload {unit}")
        status = machine.eventually(
            "the status names the fault", lambda: re.search(": .*line [0-9]+: unknown key .calers", machine.show(
                unit, "StatusText")["StatusText"]), 20)
        check(machine.show(unit, "StatusErrno")["StatusErrno"] == "22", "systemd does not show the error number")
        entry = machine.journal(f"-u {unit} MESSAGE_ID=b57b9bbae6794fdfb879c7725eebde55")[-1]
        check("calers" in entry["ADMINEXPORT_ERROR"] and entry["PRIORITY"] == "3", f"{entry}")
        check(machine.show(unit, "ActiveState")["ActiveState"] == "active", f"{unit} is not active")
    note("status: " + status.group(0))
    check(call(machine, "service.info")["result"]["limits"]["runningPerTenant"] == 5, "the previous rules are not in force")
    looked = machine.run("adminexport doctor", user="member", check=False).stdout
    check("Correct the configuration" in looked, looked)
    machine.write("/etc/adminexport/config.yaml", config.replace("group: adminexport-clients", "group: root"))
    machine.run("systemctl reload adminexport.service")
    reply = machine.eventually("the rules are in force", lambda: call(machine, "service.info")["result"]["caller"]["grants"] == [], 20)
    check(reply, "")
    machine.write("/etc/adminexport/config.yaml", config)
    machine.run("systemctl reload adminexport.service adminexport-worker@1.service")
    machine.eventually("the old rules are in force again", lambda: call(machine, "service.info")["result"]["caller"]["grants"], 20)


@scenario
def misconfigured(machine, debs):
    """A service that cannot start reports it to its callers, can be started later, and never stops the socket"""
    config = machine.run("cat /etc/adminexport/config.yaml").stdout
    machine.write("/etc/adminexport/config.yaml", config.replace("callers:", "calers:"))
    machine.run("systemctl stop adminexport.service")
    loop = caller(machine, 15)
    seen = outcome(loop)
    note(f"callers of a service that is not set up: {json.dumps(seen)}")
    check(seen["refused"] == 0 and seen["outcomes"].get("1007 retryable", 0) > 10 and "ok" not in seen["outcomes"], f"{seen}")
    check(machine.show("adminexport.socket", "ActiveState")["ActiveState"] == "active", "the socket went down")
    starts = machine.run("journalctl -u adminexport.service -o cat | grep -c 'unknown key .calers'").stdout.strip()
    note(f"starts in 15 s of calls: {starts}")
    check(int(starts) < 12, f"{starts} starts")
    machine.write("/etc/adminexport/config.yaml", config)
    is_well(machine)
    for name, lines, sentence in (
            ("confined", "PrivateUsers=yes", "PrivateUsers"), ("missing", "ExecStart=\nExecStart=/usr/bin/none serve", None)):
        machine.write(f"/etc/systemd/system/adminexport.service.d/{name}.conf", f"[Service]\n{lines}\n")
        machine.run("systemctl daemon-reload; systemctl restart adminexport.service", check=False)
        if sentence:
            check(machine.show("adminexport.service", "ExecMainStatus")["ExecMainStatus"] == "78", f"{name}: started")
            check(sentence in machine.run("journalctl -u adminexport.service -o cat").stdout, "the journal does not give the reason")
        time.sleep(3)
        check(machine.show("adminexport.socket", "ActiveState")["ActiveState"] == "active", f"{name}: the socket went down")
        machine.run(f"rm /etc/systemd/system/adminexport.service.d/{name}.conf; systemctl daemon-reload")
    machine.run("systemctl restart adminexport.service")
    is_well(machine)
    machine.run("systemctl reset-failed")


@scenario
def metrics(machine, debs):
    """promtool and node_exporter's collector accept the metrics, and adminexport stats prints them for people"""
    text = machine.run("adminexport metrics", user="member").stdout
    check(text.endswith("# EOF\n") and "acme" not in text, text[-200:])
    machine.run("mkdir -p /var/lib/prometheus/node-exporter")
    for name in ("service", "timer"):
        machine.run(f"cp /usr/share/doc/adminexport/examples/metrics.{name} /etc/systemd/system/adminexport-metrics.{name}")
    machine.run("systemctl daemon-reload; systemctl enable --now adminexport-metrics.timer")
    path = "/var/lib/prometheus/node-exporter/adminexport.prom"
    machine.eventually("the timer has written", lambda: machine.run(f"test -s {path}", check=False).returncode == 0)
    checked = machine.run(f"promtool check metrics < {path}", check=False)
    check(checked.returncode == 0 and not checked.stderr.strip(), checked.stderr + checked.stdout)
    rules = machine.run("promtool check rules /usr/share/doc/adminexport/examples/alerts.yaml").stdout
    check("SUCCESS" in rules, rules)
    note("promtool: " + rules.strip().replace("\n", " "))
    machine.run("systemctl disable --now adminexport-metrics.timer; systemctl stop adminexport.socket adminexport.service")
    failed = machine.run(f"adminexport metrics --textfile {path}", check=False)
    check(failed.returncode == 69 and "adminexport_up 0" in machine.run(f"cat {path}").stdout, "a service that is down is reported as up")
    check("process_" not in machine.run(f"cat {path}").stdout, "the file contains names of node_exporter")
    machine.run("systemctl start adminexport.socket")
    is_well(machine)
    operators = machine.run("adminexport list --tenant acme --state succeeded").stdout
    check("succeeded" in operators, f"an operator sees nothing: {operators}")
    machine.run("rm /etc/systemd/system/adminexport-metrics.*; systemctl daemon-reload; systemctl reset-failed")
    for unit in UNITS[1:]:
        pid = machine.show(unit, "MainPID")["MainPID"]
        peak = machine.run(f"grep VmHWM /proc/{pid}/status").stdout.split()[1]
        note(f"peak memory of {unit}: {int(peak) // 1024} MiB")
    stats = machine.eventually("figures of what was made", lambda: re.search(
        "(?s).*Exports: +[1-9][0-9]* made.*", machine.run("adminexport stats", user="member").stdout), 15).group(0)
    for line in stats.splitlines():
        note(line)


@scenario
def security(machine, debs):
    """systemd-analyze finds no fault in the units and an exposure of at most 0.6, and exports work with a database over TCP"""
    verified = machine.run("systemd-analyze verify /lib/systemd/system/adminexport*", check=False)
    check(verified.returncode == 0 and not verified.stderr.strip() and not verified.stdout.strip(), f"{verified}")

    def exposure(unit):
        figure = machine.run(f"systemd-analyze security --no-pager {unit}", check=False).stdout
        return float(re.search(r"exposure level for .*: ([0-9.]+)", figure).group(1))

    for unit in ("adminexport.service", "adminexport-worker@1.service", "adminexport-migrate.service"):
        figure = exposure(unit)
        note(f"exposure of {unit}: {figure}")
        check(figure <= 0.6, f"{unit} {figure}")
    export(machine)
    # PostgreSQL over TCP, with a password from a credential.
    machine.run("""runuser -u postgres -- psql -q -d adminexport -c "ALTER ROLE adminexport PASSWORD 'p@ss word'" \
        -c "ALTER ROLE \\"adminexport-worker\\" PASSWORD 'p@ss word'" """)
    machine.run("printf 'p@ss word\\n' > /etc/adminexport/database-password; chmod 600 /etc/adminexport/database-password")
    config = machine.run("cat /etc/adminexport/config.yaml").stdout
    machine.write("/etc/adminexport/config.yaml",
                  config.replace("postgresql:///adminexport?host=/run/postgresql", "postgresql://127.0.0.1:5432/adminexport"))
    for unit in ("adminexport.service", "adminexport-worker@.service"):
        machine.run(f"mkdir -p /etc/systemd/system/{unit}.d && cp /usr/share/doc/adminexport/examples/database-over-tcp.conf "
                    f"/etc/systemd/system/{unit}.d/database.conf")
    machine.run("systemctl mask --runtime adminexport-migrate.service")
    restart(machine)
    export(machine)
    over = machine.run("runuser -u postgres -- psql -Atc \"SELECT count(*) FROM pg_stat_activity WHERE client_addr = '127.0.0.1'\"")
    check(int(over.stdout) > 1, "the export did not go over TCP")
    for unit in ("adminexport.service", "adminexport-worker@1.service"):
        note(f"exposure of {unit} with the drop-in for TCP: {exposure(unit)}")
    check("p@ss" not in machine.run("journalctl -u 'adminexport*'; ps axewww").stdout, "the password is visible")
    machine.run("systemctl unmask --runtime adminexport-migrate.service; rm -r /etc/systemd/system/adminexport*.d")
    machine.write("/etc/adminexport/config.yaml", config)
    restart(machine)


@scenario
def documents(machine, debs):
    """The manuals are installed and valid, and the shells load the completions"""
    machine.run("makewhatis /usr/share/man 2>/dev/null", check=False)
    for page in ("man1/adminexport.1", "man5/adminexport.yaml.5", "man8/adminexportd.8"):
        lint = machine.run(f"zcat /usr/share/man/{page}.gz | mandoc -Tlint", check=False)
        # Manuals that are in other packages of Debian.
        lines = [line for line in (lint.stdout + lint.stderr).splitlines()
                 if not re.search(r"referenced manual not found|outdated mandoc.db", line)]
        check(not lines, f"{page}: {lines}")
        check(int(machine.run(f"man -P cat {page.split('/')[1].rsplit('.', 1)[0]} | wc -l").stdout) > 20, page)
    bash = machine.run("""source /usr/share/bash-completion/bash_completion; _completion_loader adminexport; complete -p adminexport
        COMP_WORDS=(adminexport do); COMP_CWORD=1; COMP_LINE='adminexport do'; COMP_POINT=14; _adminexport; echo "${COMPREPLY[@]}" """)
    check("doctor" in bash.stdout and "download" in bash.stdout, f"{bash}")
    zsh = machine.run("zsh -fc 'autoload -Uz compinit; compinit -D -u; whence -w _adminexport _adminexportd; autoload +X _adminexport && echo loaded'")
    check("_adminexport: function" in zsh.stdout and "loaded" in zsh.stdout, f"{zsh}")
    fish = machine.run("fish -c 'complete -C \"adminexport do\"; complete -C \"adminexportd mig\"'")
    check("doctor" in fish.stdout and "migrate" in fish.stdout, f"{fish}")
    note("completions: bash, zsh and fish loaded")


@scenario
def upgrade(machine, debs):
    """While callers connect, an upgrade causes no refused connection, and afterwards the new programs run"""
    machine.copy(debs[1], "/root/next.deb")
    is_well(machine)
    pids = {unit: machine.show(unit, "MainPID")["MainPID"] for unit in UNITS[1:]}
    loop = caller(machine, 25)
    time.sleep(1)
    start = time.monotonic()
    machine.run("dpkg -i /root/next.deb")
    note(f"the upgrade took {time.monotonic() - start:.1f} s")
    seen = outcome(loop)
    note(f"callers meanwhile: {json.dumps(seen)}")
    check(seen["refused"] == 0 and set(seen["outcomes"]) <= {"ok", "-32000 retryable"}, f"{seen}")
    for unit, pid in pids.items():
        check(machine.show(unit, "MainPID")["MainPID"] not in (pid, "0"), f"{unit} is still the old one")
    check("+next" in machine.run("dpkg-query -W adminexport").stdout, "it is not the new version")
    export(machine)
    # If the migration is masked and the schema fits, the programs are replaced as well.
    machine.run("systemctl mask adminexport-migrate.service")
    pid = machine.show("adminexport-worker@1", "MainPID")["MainPID"]
    told = machine.run("dpkg -i /root/adminexport.deb /root/next.deb").stdout
    check(machine.show("adminexport-worker@1", "MainPID")["MainPID"] not in (pid, "0"), told)
    # Stopped units migrate at their next start.
    machine.run("systemctl stop adminexport.target adminexport.service; dpkg -i /root/adminexport.deb")
    check(machine.show("adminexport-migrate", "ActiveState")["ActiveState"] == "inactive", "the next start would not migrate")
    check(machine.show("adminexport.socket", "ActiveState")["ActiveState"] == "inactive", "the upgrade started a stopped unit")
    machine.run("systemctl start adminexport.target")
    is_well(machine)
    # If the new programs need another schema, the old ones continue to run, and the package prints a message.
    machine.run("systemctl mask adminexport-migrate.service; echo '0.0.9 (schema 1)' > /run/adminexport-upgrade-from; "
                "cp /lib/systemd/system/adminexport.socket /run/adminexport-upgrade")
    pids = {unit: machine.show(unit, "MainPID")["MainPID"] for unit in UNITS[1:]}
    told = machine.run("dpkg -i /root/next.deb").stdout
    check("old programs continue to run" in told, told)
    check({unit: machine.show(unit, "MainPID")["MainPID"] for unit in UNITS[1:]} == pids, "they were restarted")
    # The next upgrade prints the message again.
    told = machine.run("dpkg -i /root/next.deb").stdout
    check("old programs continue to run" in told, told)
    machine.run("systemctl unmask adminexport-migrate.service")
    # If the migration fails, the old programs continue to run as well.
    machine.run("echo '0.0.9 (schema 1)' > /run/adminexport-upgrade-from; cp /lib/systemd/system/adminexport.socket /run/adminexport-upgrade; "
                "systemctl stop adminexport-migrate.service postgresql.service")
    told = machine.run("dpkg -i /root/next.deb").stdout
    check("old programs continue to run" in told, told)
    check({unit: machine.show(unit, "MainPID")["MainPID"] for unit in UNITS[1:]} == pids, "they were restarted")
    machine.run("systemctl start postgresql.service; systemctl restart adminexport-migrate.service")
    is_well(machine)
    # A changed socket unit is applied.
    machine.run("sed -i 's/^TriggerLimitIntervalSec=0$/TriggerLimitIntervalSec=1s/' /lib/systemd/system/adminexport.socket; "
                "systemctl daemon-reload; systemctl stop adminexport.service; systemctl restart adminexport.socket")
    machine.run("dpkg -i /root/next.deb")
    limit = machine.show("adminexport.socket", "TriggerLimitIntervalUSec")["TriggerLimitIntervalUSec"]
    check(limit == "0", f"the socket has the old settings: {limit}")
    is_well(machine)


@scenario
def views(machine, debs):
    """The example views work: a platform's own tables with uuid keys and other names"""
    machine.run("runuser -u postgres -- createdb platform")
    machine.run("runuser -u postgres -- psql -q -d platform -v ON_ERROR_STOP=1 -f /usr/share/doc/adminexport/examples/directory-views.sql")
    config = machine.run("cat /etc/adminexport/config.yaml").stdout
    machine.write("/etc/adminexport/config.yaml", config.replace("postgresql:///adminexport?", "postgresql:///platform?"))
    machine.run("rm -rf /root/archives-of-acme; mv " + ARCHIVES + " /root/archives-of-acme; systemd-tmpfiles --create adminexport.conf")
    machine.run("systemctl restart adminexport-migrate.service")
    restart(machine)
    machine.run("adminexport run --tenant globex --as head@globex.example --include-references -q -o /tmp/globex.xlsx", user="member")
    machine.run("adminexport run --tenant globex --as lead@globex.example -q -o /tmp/lead.xlsx", user="member")
    helper = machine.run("adminexport run --tenant globex --as helper@globex.example -q -o /tmp/x.xlsx", user="member", check=False)
    check(helper.returncode == 77, f"{helper}")
    secret = machine.run("runuser -u adminexport-worker -- psql 'host=/run/postgresql dbname=platform' -c "
                         "'SET ROLE adminexport_worker; SELECT secret_hash FROM platform.account'", check=False)
    check("permission denied for schema platform" in secret.stderr, f"{secret}")
    rows = json.loads(machine.run(
        "adminexport list --tenant globex --as head@globex.example --json", user="member").stdout)["jobs"][0]
    counted = machine.run("runuser -u postgres -- psql -d platform -Atc "
                          "'SELECT count(*) FROM platform.account WHERE is_admin AND blocked_at IS NULL'").stdout
    check(rows["rows"] == int(counted) and rows["sheets"] == 4 and not rows["warnings"], f"{rows} {counted}")
    first = machine.run("""python3 - <<'PY'
import re, zipfile
book = zipfile.ZipFile('/tmp/globex.xlsx')
sheet = book.read('xl/worksheets/sheet1.xml').decode()
strings = re.findall('<si><t[^>]*>(.*?)</t></si>', book.read('xl/sharedStrings.xml').decode())
print(len(re.findall('<row ', sheet)) - 1, sorted(s for s in strings if s in ('Head', 'Lead', 'Kyoto', 'World', 'Night', 'Day, Night')))
PY""").stdout
    note(f"the views gave {first.strip()}")
    check(first.startswith(counted.strip() + " "), first)
    machine.write("/etc/adminexport/config.yaml", config)
    machine.run(f"rm -rf {ARCHIVES}; mv /root/archives-of-acme {ARCHIVES}; systemctl restart adminexport-migrate.service")
    restart(machine)


@scenario
def remove(machine, debs):
    """Removing the package stops all units and keeps the data; purging deletes the data"""
    machine.run("dpkg -r adminexport")
    check(machine.run("systemctl is-active adminexport.socket adminexport.service adminexport-worker@1", check=False).stdout.split()
          == ["inactive"] * 3, "something still runs")
    check(machine.run("test -e /etc/adminexport/config.yaml && find " + ARCHIVES + " -name '*.zst'").stdout, "the data was deleted")
    back = machine.run("dpkg -i /root/adminexport.deb").stdout
    is_well(machine)
    check("does not run yet" not in back, back)
    machine.run("dpkg -r adminexport; dpkg -P adminexport")
    # Public keys stay: receipts outlive the package.
    machine.run("rm -rf /etc/adminexport/verify.d; rmdir /etc/adminexport", check=False)
    left = machine.run("ls -d /etc/adminexport /etc/credstore/adminexport* /var/lib/adminexport /run/adminexport /etc/systemd/system/*/adminexport* 2>/dev/null",
                       check=False).stdout
    check(not left.strip(), f"left behind: {left}")
    failed = machine.run("systemctl --failed --no-legend").stdout
    check(not failed.strip(), failed)
    machine.run("dpkg -i /root/adminexport.deb")
    check(machine.run("test -d " + ARCHIVES).returncode == 0, "it cannot be installed again")


def lint(debs):
    """lintian finds no error in the package"""
    found = subprocess.run(["lintian", "--no-cfg", "--allow-root", debs[0]], capture_output=True, text=True)
    for line in found.stdout.splitlines():
        note(line)
    # Programs of a debug build load Swift's runtime from the path where it is installed.
    errors = [line for line in found.stdout.splitlines() if line.startswith("E:") and "custom-library-search-path" not in line]
    check(not errors and found.returncode in (0, 2), "\n".join(errors) + found.stderr)


def hosts(debs):
    """Two machines on one database and one directory of archives make exports, and each delivers exports of the other"""
    with tempfile.TemporaryDirectory(prefix="adminexport-shared.") as folder:
        shared = pathlib.Path(folder)
        shared.chmod(0o755)
        for name in ("archives", "postgresql"):
            (shared / name).mkdir()
        shutil.chown(shared / "postgresql", "postgres", "postgres")
        machines = []
        try:
            for name in ("one", "two"):
                machine = Machine(
                    f"adminexport-{name}", binds=[f"{shared}/archives:{ARCHIVES}", f"{shared}/postgresql:/run/postgresql"],
                    masks=["postgresql.service", "postgresql@.service"] if name == "two" else [])
                machines.append(machine)
                machine.copy(debs[0], "/root/adminexport.deb")
                if name == "one":
                    machine.eventually("PostgreSQL is up", lambda: "online" in machine.run("pg_lsclusters -h").stdout)
                machine.run("dpkg -i /root/adminexport.deb; useradd --create-home member; adduser -q member adminexport-clients")
            one, two = machines
            one.run("runuser -u postgres -- createdb adminexport; runuser -u postgres -- adminexportd migrate --with-directory; "
                    "runuser -u postgres -- adminexportd demo-data --tenant acme --administrators 5000")
            for machine in machines:
                if machine is two:
                    machine.run("systemctl mask adminexport-migrate.service")
                machine.run("systemctl enable --now adminexport.socket adminexport-worker@1")
                is_well(machine)
            made = {}
            for attempt in range(30):
                machine = machines[attempt % 2]
                job = json.loads(machine.run(ENVIRONMENT + "adminexport start --json", user="member").stdout)["id"]
                machine.run(ENVIRONMENT + f"adminexport wait {job} -q", user="member")
                other = machines[1 - attempt % 2]
                other.run(ENVIRONMENT + f"adminexport download {job} --force -o /tmp/other.xlsx", user="member")

            def counted():
                rows = one.run("runuser -u postgres -- psql -d adminexport -Atc \"SELECT host, coalesce(counters->>'succeeded', '0') "
                               "FROM adminexport.worker\"").stdout.splitlines()
                made.update((row.split("|")[0], int(row.split("|")[1])) for row in rows)
                return sum(made.values()) == 30

            one.eventually("every export is counted", counted)
            check(min(made.values()) > 0 and len(made) == 2, f"one of the machines made no export: {made}")
            note(f"made by host: {made}; each fetched from the other")
            workers = json.loads(one.run("adminexport workers --json").stdout)["workers"]
            check({worker["host"] for worker in workers} == {"adminexport-one", "adminexport-two"}, f"{workers}")
            # One machine hangs, and the other finishes its export.
            one.run("runuser -u postgres -- adminexportd demo-data --tenant many --administrators 300000 >/dev/null")
            one.run("systemctl stop adminexport-worker@1")
            many = "export ADMINEXPORT_TENANT=many ADMINEXPORT_AS=owner@many.example; "
            job = json.loads(one.run(many + "adminexport start --json", user="member").stdout)["id"]
            two.eventually("the second machine runs the export", lambda: json.loads(
                one.run(many + f"adminexport get {job} --json", user="member").stdout)["state"] == "running", 20)
            two.run("kill -STOP $(systemctl show -p MainPID --value adminexport-worker@1)")
            one.run("systemctl start adminexport-worker@1")
            start = time.monotonic()
            one.run(many + f"adminexport wait {job} -q", user="member", timeout=600)
            note(f"an export whose machine stopped was finished by the other after {time.monotonic() - start:.1f} s")
            two.run("kill -CONT $(systemctl show -p MainPID --value adminexport-worker@1)", check=False)
            # Without the file system, the machine delivers no workbook.
            two.run(f"umount -l {ARCHIVES}")
            refused = two.run(many + f"adminexport download {job} -o /tmp/none.xlsx", user="member", check=False)
            check(refused.returncode in (1, 75), f"{refused}")
            two.eventually("doctor reports the fault", lambda: "FAIL" in two.run("adminexport doctor", user="member", check=False).stdout, 30)
        finally:
            for machine in machines:
                machine.stop()


def build(folder):
    bin_dir = os.environ.get("BIN_DIR", ".build/debug")
    for version in ("0.1.0", "0.1.0+next"):
        subprocess.run(
            ["Scripts/build-deb.sh", f"BIN_DIR={bin_dir}", f"VERSION={version}", f"OUTPUT={folder}"], cwd=PROJECT, check=True,
            stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--deb")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep-going", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if os.geteuid() == 0 and "ADMINEXPORT_TEST_MOUNTS" not in os.environ:
        # Private mounts, which disappear with this process.
        os.environ["ADMINEXPORT_TEST_MOUNTS"] = "private"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-u", __file__, *sys.argv[1:]])
    if os.geteuid() != 0:
        print("1..0 # SKIP root is needed to boot a container")
        return 77
    try:
        Machine("adminexport-trial").stop()
    except (Failed, OSError, subprocess.SubprocessError) as error:
        note(str(error))
        print("1..0 # SKIP no container can be booted here")
        return 77
    number = failures = 0

    def run(function, *arguments):
        nonlocal number, failures
        number += 1
        start = time.monotonic()
        try:
            function(*arguments)
            print(f"ok {number} - {function.__doc__} ({time.monotonic() - start:.0f} s)", flush=True)
            return True
        except Exception as error:  # noqa: BLE001: after any error, the other scenarios still run
            failures += 1
            print(f"not ok {number} - {function.__doc__}", flush=True)
            text = str(error) if isinstance(error, Failed) else traceback.format_exc()
            for line in text.splitlines()[-60:]:
                note(line)
            return False

    with tempfile.TemporaryDirectory(prefix="adminexport-debs.") as folder:
        if not options.deb:
            build(folder)
        debs = sorted(pathlib.Path(options.deb or folder).glob("adminexport_*.deb"), key=lambda path: "+next" in path.name)
        check(len(debs) >= 2, "two versions of the package are needed")
        chosen = [s for s in scenarios if options.only in s.__name__ or s.__name__ in ("install", "use")]
        if options.only in "lint":
            run(lint, debs)
        if options.only not in ("lint", "hosts"):
            machine = Machine("adminexport-test")
            try:
                for function in chosen:
                    if not run(function, machine, debs):
                        log = machine.run("journalctl --no-pager -o short-monotonic -n 80 -u 'adminexport*'", check=False).stdout
                        for line in log.splitlines():
                            note("    " + line)
                        if not options.keep_going:
                            break
            finally:
                machine.stop()
        if options.only in "hosts":
            run(hosts, debs)
    print(f"1..{number}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
