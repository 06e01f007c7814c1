"""A machine with a real systemd: a container on an overlay of this machine's root, which is removed at the end."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time


class Failed(Exception):
    """A command ended with an unexpected result."""


class Machine:
    def __init__(self, name, binds=(), masks=()):
        self.name = name
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix=f"adminexport-{name}."))
        self.process = None
        self.leader = None
        self.root = self.scratch / "root"
        try:
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.scratch], check=True)
            for folder in ("upper", "work", "root"):
                (self.scratch / folder).mkdir()
            subprocess.run(
                ["mount", "-t", "overlay", "overlay", "-o",
                 f"lowerdir=/,upperdir={self.scratch}/upper,workdir={self.scratch}/work", self.root], check=True)
            self._prepare(masks)
            self._boot(binds)
        except BaseException:
            self.stop()
            raise

    def _prepare(self, masks):
        root = self.root
        # This file tells packages that no services run on the system.
        (root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
        (root / "etc/hostname").write_text(self.name + "\n")
        for unit in ("systemd-networkd-wait-online.service", "apt-daily.timer", "apt-daily-upgrade.timer", "man-db.timer",
                     "prometheus.service", "prometheus-node-exporter.service", "console-getty.service", "e2scrub_reap.service", *masks):
            mask = root / "etc/systemd/system" / unit
            mask.parent.mkdir(parents=True, exist_ok=True)
            mask.unlink(missing_ok=True)
            mask.symlink_to("/dev/null")
        (root / "etc/machine-id").write_text(os.urandom(16).hex() + "\n")
        # The tests read the journal, so it must contain only this machine's entries.
        shutil.rmtree(root / "var/log/journal", ignore_errors=True)
        conf = root / "etc/systemd/journald.conf.d/test.conf"
        conf.parent.mkdir(parents=True, exist_ok=True)
        conf.write_text("[Journal]\nStorage=volatile\nRateLimitBurst=0\n")

    def _boot(self, binds):
        log = open(self.scratch / "console", "wb")
        # The container ends with this process, even if the process is killed.
        command = ["setpriv", "--pdeathsig", "KILL", "--", "systemd-nspawn", f"--directory={self.root}", f"--machine={self.name}", "--boot", "--register=no",
                   "--keep-unit", "--link-journal=no", "--private-network", "--console=pipe"]
        command += [f"--bind={bind}" for bind in binds]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed("systemd-nspawn ended:\n" + (self.scratch / "console").read_text(errors="replace"))
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if children:
                self.leader = int(children[0])
                state = self.run("systemctl is-system-running", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    return
            time.sleep(0.3)
        raise Failed("the machine did not come up:\n" + self.run("systemctl list-jobs", check=False).stdout + (self.scratch / "console").read_text(errors="replace")[-3000:])

    def _enter(self, user=None):
        command = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        # Like a login, the command gets the groups of the user database.
        return command + (["runuser", "-u", user, "--"] if user else [])

    def run(self, command, user=None, check=True, timeout=600, text=None):
        """Runs a shell command as root, or as a user with the groups of a login."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                       "SYSTEMD_PAGER": "", "DEBIAN_FRONTEND": "noninteractive"}
        result = subprocess.run(
            self._enter(user) + ["bash", "-c", command], input=text, capture_output=True, text=True, timeout=timeout,
            env=environment, stdin=subprocess.DEVNULL if text is None else None, cwd="/")
        if check and result.returncode != 0:
            raise Failed(f"$ {command}\nended with {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def spawn(self, command, user=None):
        """Starts a shell command; its standard output can be read when it has ended."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
        return subprocess.Popen(
            self._enter(user) + ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=environment, cwd="/")

    def write(self, path, text):
        self.run(f"mkdir -p $(dirname {path}) && cat > {path}", text=text)

    def copy(self, source, target):
        """Copies a file of this machine into the container."""
        with open(source, "rb") as file:
            subprocess.run(self._enter() + ["bash", "-c", f"cat > {target}"], stdin=file, check=True)

    def show(self, unit, *names):
        lines = self.run(f"systemctl show {unit} " + " ".join(f"-p {name}" for name in names)).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def journal(self, arguments):
        return [json.loads(line) for line in self.run(f"journalctl -o json {arguments}").stdout.splitlines()]

    def eventually(self, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > deadline:
                raise Failed(f"not within {seconds} s: {what}")
            time.sleep(0.1)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                if self.leader:
                    try:
                        os.kill(self.leader, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self.process.kill()
                self.process.wait(10)
        for path in (self.root, self.scratch):
            subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.scratch, ignore_errors=True)
