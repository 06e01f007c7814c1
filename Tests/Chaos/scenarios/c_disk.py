"""A full disk, and a disk that cannot be written."""
import contextlib
import os
import subprocess
import time

from system import Skip, System, until


def _mount(folder, size):
    """A separate file system. Only root can mount it."""
    if os.getuid() != 0:
        raise Skip("only root can mount a file system")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        raise Skip("this machine does not allow to mount a file system")


def _storage(system):
    return system.call("service.health")["storage"]


def _claims(system):
    return int(system.sql("SELECT coalesce(sum(epoch), 0) FROM adminexport.job")[0][0])


def full(cluster, short):
    """the disk fills up while exports run, stays full, and is freed"""
    with System(cluster, administrators=6_000) as system:
        _mount(system.archives, "3m")
        try:
            system.serve()
            worker = system.work()
            jobs = [system.export()]
            system.finish(jobs)
            ballast = system.archives / "ballast"
            with open(ballast, "wb") as file:
                size = os.statvfs(system.archives).f_bavail * 4_096 - 200_000
                file.write(b"\0" * size)
            jobs += [system.export() for _ in range(3)]
            until("a job waits for the disk", lambda: system.sql(
                "SELECT count(*) FROM adminexport.job WHERE state = 'queued' AND error_kind = 'storage-full'") != [["0"]])
            until("health reports that the disk is full", lambda: _storage(system).startswith("full"), 30)
            # Fills the rest of the disk, so that no trial file can be written.
            with contextlib.suppress(OSError), open(system.archives / "rest", "wb", buffering=0) as file:
                while True:
                    file.write(b"\0" * 4_096)
            time.sleep(2)
            before = _claims(system)
            time.sleep(4 if short else 20)
            claims = _claims(system) - before
            assert claims <= 1, f"{claims} claims on a full disk"
            partials = sum(path.suffix == ".partial" for path in system.files())
            assert partials == 0, f"{partials} partials on a full disk"
            ballast.unlink()
            (system.archives / "rest").unlink(missing_ok=True)
            freed = time.monotonic()
            system.finish(jobs, 90)
            seconds = time.monotonic() - freed
            until("health is ok", lambda: _storage(system) == "ok", 30)
            figures = system.check()
            worker.end()
            assert system.sql("SELECT count(*) FROM adminexport.job WHERE state <> 'succeeded'") == [["0"]]
        finally:
            for process in system.processes[::-1]:
                process.end()
            subprocess.run(["umount", str(system.archives)], check=True)
        return {"runs": 1, **figures, "claims while full": claims, "done after it was freed s": seconds}


def reserve(cluster, short):
    """less than the reserve is free: no worker claims a job"""
    with System(cluster) as system:
        _mount(system.archives, "3m")
        try:
            system.serve()
            worker = system.work(ADMINEXPORT_LIMITS_LEAST_FREE_BYTES=4_000_000)
            job = system.export()
            time.sleep(3)
            row = system.row(job)
            assert row["state"] == "queued" and row["epoch"] == "0", row
            assert _storage(system).startswith("full"), _storage(system)
            worker.end()
            system.work(ADMINEXPORT_LIMITS_LEAST_FREE_BYTES=1_000_000)
            system.finish([job])
            return {"runs": 1, **system.check()}
        finally:
            for process in system.processes[::-1]:
                process.end()
            subprocess.run(["umount", str(system.archives)], check=True)


def read_only(cluster, short):
    """the archives become read-only and then writable again"""
    with System(cluster, administrators=1_500) as system:
        _mount(system.archives, "30m")
        try:
            system.serve()
            system.work()
            jobs = [system.export()]
            system.finish(jobs)
            subprocess.run(["mount", "-o", "remount,ro", str(system.archives)], check=True)
            jobs += [system.export() for _ in range(2)]
            until("health reports that the disk cannot be written", lambda: "cannot write" in _storage(system), 30)
            # An existing workbook can still be read.
            part = system.call("export.read", actor=system.actor(), job=jobs[0], offset=0, length=100)
            assert part["size"] > 100
            before = _claims(system)
            time.sleep(3)
            assert _claims(system) == before, "claims on a disk that cannot be written"
            subprocess.run(["mount", "-o", "remount,rw", str(system.archives)], check=True)
            start = time.monotonic()
            system.finish(jobs, 90)
            figures = system.check()
            assert system.sql("SELECT count(*) FROM adminexport.job WHERE state <> 'succeeded'") == [["0"]]
            return {"runs": 1, **figures, "done after it was writable s": time.monotonic() - start}
        finally:
            for process in system.processes[::-1]:
                process.end()
            subprocess.run(["umount", str(system.archives)], check=True)


def unmounted(cluster, short):
    """the archives' file system is not mounted: no worker claims a job or writes below the mount point"""
    with System(cluster) as system:
        _mount(system.archives, "30m")
        mounted = True
        try:
            system.serve()
            system.work()
            jobs = [system.export()]
            system.finish(jobs)
            subprocess.run(["umount", "-l", str(system.archives)], check=True)
            mounted = False
            jobs.append(system.export())
            time.sleep(4)
            assert system.row(jobs[1])["state"] == "queued" and not system.files()
            assert _storage(system) != "ok"
            return {"runs": 1, "jobs": 2, "files written beside it": len(system.files())}
        finally:
            for process in system.processes[::-1]:
                process.end()
            if mounted:
                subprocess.run(["umount", str(system.archives)], check=True)


SCENARIOS = [full, reserve, read_only, unmounted]
