"""Tests without a browser: the protocol of downloads, and attacks. run.py runs them."""
import base64
import hashlib
import html
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from console import BIN, HOSTILE, PROGRAM, SCRATCH, Browser, Console, Visitor, shared, until


class Download(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.visitor = Visitor(shared.console).sign_in()
        cls.job = cls.visitor.start()
        shared.platform.finish([cls.job])
        cls.path = f"/exports/{cls.job}/file"
        cls.whole = cls.visitor.get(cls.path)

    def test_name_type_length_and_tag_are_right(self):
        headers = self.whole.headers
        self.assertEqual(self.whole.status, 200)
        self.assertEqual(headers["Content-Type"], "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
        self.assertEqual(headers["Content-Length"], str(len(self.whole.content)))
        digest = hashlib.sha256(self.whole.content).hexdigest()
        self.assertEqual(headers["ETag"], f'"{digest}"')
        self.assertEqual(
            shared.platform.sql(f"SELECT encode(sha256, 'hex') FROM adminexport.job WHERE id = '{self.job}'"), [[digest]])
        self.assertRegex(
            headers["Content-Disposition"],
            r"^attachment; filename=\"(administrators-acme-\d{4}-\d\d-\d\d\.xlsx)\"; filename\*=UTF-8''\1$")
        self.assertEqual(headers["Accept-Ranges"], "bytes")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")

    def test_a_head_has_the_same_fields_and_is_no_download(self):
        before = self.downloads()
        answer = self.visitor.send("HEAD", self.path, headers={"Range": "bytes=0-1"})
        self.assertEqual((answer.status, answer.content), (200, b""))
        for name in ("Content-Length", "ETag", "Content-Type", "Content-Disposition"):
            self.assertEqual(answer.headers[name], self.whole.headers[name])
        self.assertEqual(self.downloads(), before)

    def test_no_answer_to_head_has_content(self):
        cookie = "; ".join(f"{name}={value}" for name, value in self.visitor.cookies.items())
        for path in (self.path, "/", "/nothing", "/exports/1/file", "/administrators/accounts",
                     "/exports/019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b/file"):
            with socket.create_connection(("127.0.0.1", shared.console.port), timeout=10) as peer:
                request = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n"
                peer.sendall(f"{request}\r\n".encode())
                first = b""
                while b"\r\n\r\n" not in first:
                    first += peer.recv(65_536)
                # The next bytes on the connection must be the next answer, not the rest of this one.
                peer.sendall(f"{request}Connection: close\r\n\r\n".encode())
                second = b""
                while part := peer.recv(65_536):
                    second += part
            self.assertTrue(first.startswith(b"HTTP/1.1 ") and first.endswith(b"\r\n\r\n"), (path, first))
            self.assertTrue(second.startswith(b"HTTP/1.1 ") and second.endswith(b"\r\n\r\n"), (path, second))

    def test_more_files_than_the_service_hands_out_at_a_time(self):
        # The service opens 16 files for one user, and the console is one user.
        visitors = [Visitor(shared.console).sign_in(*who) for who in
                    (("owner@vast.example", "vast"), ("owner@acme.example", "acme"), ("europe@acme.example", "acme"),
                     ("owner@globex.example", "globex"), ("europe@globex.example", "globex"))]
        peers = []
        for visitor in visitors:
            job = visitor.start()
            shared.platform.finish([job])
            cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
            request = f"GET /exports/{job}/file HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
            size = len(visitor.get(f"/exports/{job}/file").content)
            for _ in range(4):
                peer = socket.socket()
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                peer.settimeout(60)
                peer.connect(("127.0.0.1", shared.console.port))
                peer.sendall(request.encode())
                peers.append((peer, size, peer.recv(12)))
            # One more than the limit of a user.
            if size > 1_000_000:
                self.assertEqual(visitor.get(f"/exports/{job}/file").status, 503)
        self.assertEqual([status for _, _, status in peers], [b"HTTP/1.1 200"] * len(peers))
        for peer, size, _ in peers:
            content = b""
            while part := peer.recv(1 << 20):
                content += part
            peer.close()
            self.assertEqual(len(content.split(b"\r\n\r\n", 1)[1]), size)

    def test_parts_are_parts_of_the_same_file(self):
        size = len(self.whole.content)
        for asked, start, end in (("0-99", 0, 100), ("100-", 100, size), ("-7", size - 7, size), (f"{size - 1}-", size - 1, size),
                                  ("0-", 0, size), (f"5-{size * 2}", 5, size)):
            answer = self.visitor.get(self.path, headers={"Range": f"bytes={asked}"})
            self.assertEqual(answer.status, 206, asked)
            self.assertEqual(answer.headers["Content-Range"], f"bytes {start}-{end - 1}/{size}")
            self.assertEqual(answer.content, self.whole.content[start:end])
        answer = self.visitor.get(self.path, headers={"Range": f"bytes={size}-"})
        self.assertEqual((answer.status, answer.headers["Content-Range"]), (416, f"bytes */{size}"))
        for asked in ("bytes=0-1,5-6", "bytes=x", "lines=1-2"):
            self.assertEqual(self.visitor.get(self.path, headers={"Range": asked}).content, self.whole.content)

    def test_a_download_that_broke_off_goes_on_where_it_was(self):
        tag = self.whole.headers["ETag"]
        answer = self.visitor.get(self.path, headers={"Range": "bytes=1000-", "If-Range": tag})
        self.assertEqual(self.whole.content[:1000] + answer.content, self.whole.content)
        answer = self.visitor.get(self.path, headers={"Range": "bytes=1000-", "If-Range": '"another"'})
        self.assertEqual((answer.status, answer.content), (200, self.whole.content))

    def test_who_has_it_already_gets_no_second_one(self):
        answer = self.visitor.get(self.path, headers={"If-None-Match": self.whole.headers["ETag"]})
        self.assertEqual((answer.status, answer.content), (304, b""))

    def test_an_export_without_a_file_is_no_download(self):
        with shared.platform.held(shared.worker):
            job = self.visitor.start()
            self.assertEqual(self.visitor.get(f"/exports/{job}/file").status, 409)
            self.visitor.post(f"/exports/{job}/cancel", {"token": self.visitor.token()})
        self.assertEqual(self.visitor.get(f"/exports/{job}/file").status, 409)
        gone = self.visitor.start()
        shared.platform.finish([gone])
        self.assertEqual(self.visitor.post(f"/exports/{gone}/delete", {"token": self.visitor.token()}).status, 303)
        self.assertEqual(self.visitor.get(f"/exports/{gone}/file").status, 410)

    def test_the_receipt_belongs_to_the_file_and_outlives_it(self):
        job = self.visitor.start()
        shared.platform.finish([job])
        whole = self.visitor.get(f"/exports/{job}/file")
        answer = self.visitor.get(f"/exports/{job}/receipt")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        self.assertRegex(answer.headers["Content-Disposition"],
                         r"^attachment; filename=\"administrators-acme-\d{4}-\d\d-\d\d\.xlsx\.receipt\.json\"")
        self.assertIn("no-store", answer.headers["Cache-Control"])
        folder = SCRATCH / "receipt"
        folder.mkdir(exist_ok=True)
        (folder / "a.xlsx").write_bytes(whole.content)
        (folder / "a.json").write_bytes(answer.content)
        keys = [f"--key={path}" for path in (shared.platform.folder / "keys").glob("*.pem")]
        verified = subprocess.run([BIN / "adminexport", "verify", "a.xlsx", "a.json", *keys], cwd=folder, capture_output=True, text=True)
        self.assertEqual(verified.returncode, 0, verified.stderr)
        self.assertIn("owner@acme.example", verified.stdout)
        self.assertEqual(self.visitor.post(f"/exports/{job}/delete", {"token": self.visitor.token()}).status, 303)
        self.assertEqual(self.visitor.get(f"/exports/{job}/receipt").status, 200)
        # Of another administrator, and of nobody.
        europe = Visitor(shared.console).sign_in("europe@acme.example")
        self.assertEqual(europe.get(f"/exports/{job}/receipt").status, 404)
        self.assertEqual(Visitor(shared.console).get(f"/exports/{job}/receipt").status, 401)
        shared.platform.sql(f"UPDATE adminexport.job SET receipt = NULL WHERE id = '{job}'")
        missing = self.visitor.get(f"/exports/{job}/receipt")
        self.assertEqual(missing.status, 404)
        self.assertIn("has no receipt", missing.text)

    def test_browsers_that_go_away_in_the_middle_leave_nothing_behind(self):
        visitor = Visitor(shared.console).sign_in("owner@vast.example", "vast")
        job = visitor.start(includeDisabled="on")
        shared.platform.finish([job])
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        before = shared.console.descriptors
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", shared.console.port)) as peer:
                peer.sendall(f"GET /exports/{job}/file HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
                self.assertIn(b"200 OK", peer.recv(4_096))
        until("descriptors are given back", lambda: shared.console.descriptors <= before + 2)

    @staticmethod
    def downloads():
        return shared.platform.sql("SELECT count(*) FROM adminexport.audit_event WHERE event = 'downloaded'")


class Events(unittest.TestCase):
    def stream(self, visitor, query):
        """The lines of an event stream until it ends."""
        return visitor.get(f"/exports/events?{query}", headers={"Accept": "text/event-stream"})

    def test_each_state_is_told_and_the_stream_ends(self):
        visitor = Visitor(shared.console).sign_in()
        with shared.platform.held(shared.worker):
            job = visitor.start()
            connection = http.client.HTTPConnection("127.0.0.1", shared.console.port, timeout=30)
            self.addCleanup(connection.close)
            cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
            connection.request("GET", f"/exports/events?job={job}", headers={"Cookie": cookie})
            stream = connection.getresponse()
            # The worker continues when the stream has sent the first state.
            told = b""
            for line in stream:
                told += line
                if line.startswith(b"event: job"):
                    break
        told += stream.read()
        self.assertEqual(stream.headers["Content-Type"], "text/event-stream; charset=utf-8")
        events = re.findall(r"event: (\w+)\ndata: (.*)\n\n", told.decode())
        states = [json.loads(data)["state"] for name, data in events if name == "job"]
        self.assertEqual((states[0], states[-1], events[-1][0]), ("queued", "succeeded", "end"))

    def test_what_is_asked_for_in_another_way_is_refused(self):
        visitor = Visitor(shared.console).sign_in()
        identifier = "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"
        for query in ("", "job=", "job=1", "job='", "job=" + "x" * 5_000, "&".join([f"job={identifier}"] * 21)):
            self.assertEqual(self.stream(visitor, query).status, 400, query[:40])

    def test_streams_of_one_visitor_are_bounded_and_given_back(self):
        visitor = Visitor(shared.console).sign_in("owner@globex.example", "globex")
        with shared.platform.held(shared.worker):
            job = visitor.start()
            cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
            peers = []
            statuses = []
            for _ in range(12):
                peer = socket.create_connection(("127.0.0.1", shared.console.port), timeout=10)
                peer.sendall(f"GET /exports/events?job={job} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
                statuses.append(peer.recv(12)[9:12])
                peers.append(peer)
            self.assertEqual(statuses, [b"200"] * 4 + [b"503"] * 8)
            for peer in peers:
                peer.close()

            def is_open():
                with socket.create_connection(("127.0.0.1", shared.console.port), timeout=10) as peer:
                    peer.sendall(f"GET /exports/events?job={job} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
                    return peer.recv(12)[9:12] == b"200"
            until("a stream may be opened again", is_open)
        shared.platform.finish([job])


class Attacks(unittest.TestCase):
    """The console refuses each request, and still answers afterwards."""

    def tearDown(self):
        self.assertEqual(Visitor(shared.console).get("/sign-in").status, 200)

    def test_a_forged_actor(self):
        visitor = Visitor(shared.console).sign_in()
        cookie = visitor.cookies["adminexport_session"]
        value, code = cookie.split(".")
        session = json.loads(base64.urlsafe_b64decode(value + "=="))
        session["administrator"] = "owner@globex.example"
        session["tenant"] = "globex"
        forged = base64.urlsafe_b64encode(json.dumps(session).encode()).decode().rstrip("=")
        # Not the last character: it contains bits that no byte has.
        wrong = ("B" if code[0] == "A" else "A") + code[1:]
        for attempt in (f"{forged}.{code}", f"{forged}.", forged, f"{value}.{wrong}", f"{value}.{code}.{code}", "", "." * 3,
                        f"{value}.{code}" + "=" * 4, "\x7f"):
            visitor.cookies["adminexport_session"] = attempt
            self.assertIn(visitor.get("/administrators/accounts").status, (400, 401), attempt)
        visitor.cookies["adminexport_session"] = cookie
        self.assertEqual(visitor.get("/administrators/accounts").status, 200)

    def test_an_identity_header_without_a_proxy(self):
        for name in ("X-Forwarded-User", "X-Forwarded-Email", "X-Remote-User", "Remote-User"):
            answer = Visitor(shared.console).get("/administrators/accounts", headers={name: "owner@acme.example"})
            self.assertEqual(answer.status, 401, name)

    def test_another_tenants_and_another_administrators_export(self):
        owner = Visitor(shared.console).sign_in()
        job = owner.start()
        shared.platform.finish([job])
        for administrator, tenant in (("owner@globex.example", "globex"), ("europe@acme.example", "acme")):
            stranger = Visitor(shared.console).sign_in(administrator, tenant)
            token = stranger.token()
            self.assertEqual(stranger.get(f"/exports/{job}/file").status, 404)
            self.assertEqual(stranger.post(f"/exports/{job}/cancel", {"token": token}).status, 404)
            self.assertEqual(stranger.post(f"/exports/{job}/delete", {"token": token}).status, 404)
            events = stranger.get(f"/exports/events?job={job}").text
            self.assertIn("event: gone", events)
            self.assertNotIn("event: job", events)
            self.assertNotIn(job, stranger.get("/administrators/exports").text)
        self.assertEqual(owner.get(f"/exports/{job}/file").status, 200)

    def test_a_request_that_another_site_has_the_browser_make(self):
        visitor = Visitor(shared.console).sign_in()
        stranger = Visitor(shared.console).sign_in("owner@globex.example", "globex")
        token = visitor.token()
        before = shared.platform.sql("SELECT count(*) FROM adminexport.job")
        job = Visitor(shared.console).sign_in().start()
        shared.platform.finish([job])
        local = f"http://127.0.0.1:{shared.console.port}"
        refused = [
            ({}, {}), ({"token": ""}, {}), ({"token": "x" * 43}, {}), ({"token": stranger.token()}, {}),
            ({"token": token}, {"Sec-Fetch-Site": "cross-site"}), ({"token": token}, {"Sec-Fetch-Site": "same-site"}),
            ({"token": token}, {"Origin": "http://elsewhere.example"}), ({"token": token}, {"Origin": "null"}),
            ({"token": token}, {"Origin": f"{local}.elsewhere.example"}),
        ]
        for body, headers in refused:
            for path in ("/exports", f"/exports/{job}/delete", f"/exports/{job}/cancel", "/sign-out"):
                self.assertEqual(visitor.post(path, body, headers=headers).status, 403, (path, body, headers))
        self.assertEqual(shared.platform.row(job)["state"], "succeeded")
        self.assertEqual(int(shared.platform.sql("SELECT count(*) FROM adminexport.job")[0][0]), int(before[0][0]) + 1)
        self.assertEqual(visitor.post("/exports", {"token": token}, headers={"Origin": local, "Sec-Fetch-Site": "same-origin"}).status, 303)
        # A browser does not send the cookie with such a request.
        answer = Visitor(shared.console).get("/sign-in")
        self.assertRegex(answer.headers["Set-Cookie"], "SameSite=Strict")
        self.assertRegex(answer.headers["Set-Cookie"], "HttpOnly")

    def test_signing_somebody_in_without_their_doing(self):
        visitor = Visitor(shared.console)
        self.assertEqual(visitor.post("/sign-in", {"tenant": "acme", "administrator": "owner@acme.example"}).status, 403)
        # The previous session is no longer valid.
        token = visitor.token("/sign-in")
        before = dict(visitor.cookies)
        visitor.post("/sign-in", {"token": token, "tenant": "acme", "administrator": "owner@acme.example"})
        self.assertNotEqual(visitor.cookies["adminexport_session"], before["adminexport_session"])
        visitor.cookies = before
        self.assertEqual(visitor.get("/administrators/accounts").status, 401)

    def test_a_session_after_its_end(self):
        visitor = Visitor(shared.console).sign_in()
        kept = dict(visitor.cookies)
        self.assertEqual(visitor.post("/sign-out", {"token": visitor.token()}).status, 303)
        visitor.cookies = kept
        self.assertEqual(visitor.get("/administrators/accounts").status, 401)

    def test_a_host_that_this_is_not(self):
        for host in ("elsewhere.example", f"elsewhere.example:{shared.console.port}", "127.0.0.1.elsewhere.example", "[::2]:80", ""):
            self.assertIn(Visitor(shared.console).get("/sign-in", host=host).status, (400, 421), host)
        for host in ("localhost", f"LOCALHOST:{shared.console.port}", "127.0.0.1", "[::1]:1"):
            self.assertEqual(Visitor(shared.console).get("/sign-in", host=host).status, 200, host)

    def test_lines_in_names_make_no_header(self):
        platform = shared.platform
        platform.sql("""
            INSERT INTO directory.tenant (id, slug, name) OVERRIDING SYSTEM VALUE VALUES
                (9001, E'a"\\r\\nX-Owned: 1\\r\\n', 'Evil'), (9002, 'été "%0d%0aX-Owned: 1', 'Evil');
            INSERT INTO directory.profile (id, tenant_id, name, permissions, scope) OVERRIDING SYSTEM VALUE VALUES
                (9001, 9001, 'All', '{administrators.view}', 'tenant'), (9002, 9002, 'All', '{administrators.view}', 'tenant');
            INSERT INTO directory.administrator (tenant_id, name, email, profile_id) VALUES
                (9001, E'N\\r\\nX-Owned: 1', 'evil@evil.example', 9001), (9002, 'N', 'evil@evil.example', 9002)""")
        for slug in ("a\"\r\nX-Owned: 1\r\n", "été \"%0d%0aX-Owned: 1"):
            visitor = Visitor(shared.console)
            answer = visitor.post("/sign-in", {
                "token": visitor.token("/sign-in"), "tenant": slug, "administrator": "evil@evil.example"})
            if answer.status == 422:
                # The console trims this slug, so it matches no tenant.
                self.assertTrue(slug != slug.strip())
                continue
            page = visitor.get("/administrators/accounts")
            self.assertIsNone(page.headers["X-Owned"])
            job = visitor.start()
            platform.finish([job])
            answer = visitor.get(f"/exports/{job}/file")
            self.assertEqual(answer.status, 200)
            self.assertIsNone(answer.headers["X-Owned"])
            self.assertRegex(answer.headers["Content-Disposition"], r"^attachment; filename=\"[A-Za-z0-9._ -]+\"; filename\*=UTF-8''[A-Za-z0-9._%-]+$")
        visitor = Visitor(shared.console).sign_in()
        for path in ("/language?code=fr%0d%0aX-Owned:%201&back=/", "/language?code=fr&back=/%0d%0aX-Owned:%201",
                     "/administrators/accounts?search=%0d%0aX-Owned:%201"):
            self.assertIsNone(visitor.get(path).headers["X-Owned"], path)

    def test_a_way_back_to_another_site(self):
        visitor = Visitor(shared.console)
        for back in ("//elsewhere.example/", "http://elsewhere.example", "/\\elsewhere.example", "https:elsewhere.example",
                     "javascript:alert(1)", "/%2f/elsewhere.example"):
            answer = visitor.get(f"/language?code=fr&back={back}")
            self.assertEqual(answer.headers["Location"], "/", back)
        self.assertEqual(visitor.get("/language?code=fr&back=/administrators/accounts").headers["Location"], "/administrators/accounts")

    def test_scripts_in_names_and_in_what_is_searched(self):
        with Browser(shared.console, tempfile.mkdtemp(dir=SCRATCH)) as browser:
            browser.sign_in()
            shown = browser.text("tbody")
            for name in HOSTILE:
                self.assertIn(re.sub(r"\s+", " ", name), re.sub(r"\s+", " ", shown))
            for hostile in HOSTILE:
                browser.one("#search").clear()
                browser.one("#search").send_keys(hostile.replace("\r\n", " "))
                with browser.next_page():
                    browser.one("#search").submit()
                self.assertEqual(browser.one("#search").get_attribute("value"), hostile.replace("\r\n", " "))
            self.assertEqual(browser.driver.title, "Accounts – Administration")
            self.assertEqual(browser.faults(), [], "the policy refused something")
            self.assertFalse(browser.all("tbody script, tbody img, tbody svg, [onfocus], [onerror]"))
            # Content that is inserted into the page does not run: neither markup, nor a handler, nor an element.
            refused = browser.driver.execute_script("""
                const attempts = [
                    () => { document.body.innerHTML = '<b>x</b>'; },
                    () => document.body.setAttribute('onclick', "document.title = 'owned'"),
                ];
                return attempts.map((attempt) => { try { attempt(); return 'taken'; } catch (error) { return error.name; } });""")
            self.assertEqual(refused, ["TypeError", "TypeError"])
            browser.driver.execute_script("""
                const script = document.createElement('script');
                script.append("document.title = 'owned'");
                document.body.append(script);""")
            self.assertEqual(browser.driver.title, "Accounts – Administration")
            browser.until(browser.faults, "the policy refuses the script")
        page = Visitor(shared.console).sign_in().get("/administrators/accounts").text
        for name in HOSTILE[:2]:
            self.assertIn(html.escape(name).replace("&#x27;", "&#39;"), page)

    def test_every_answer_has_the_strict_headers(self):
        visitor = Visitor(shared.console).sign_in()
        assets = re.findall(r'(?:href|src)="(/assets/[^"]+)"', visitor.get("/administrators/accounts").text)
        self.assertEqual(len(assets), 3)
        for path in ("/", "/administrators/accounts", "/administrators/exports", "/nothing", "/exports/1/file", "/exports/events",
                     *assets):
            headers = visitor.get(path).headers
            self.assertRegex(headers["Content-Security-Policy"], r"^default-src 'none'; script-src 'self'; style-src 'self'; ", path)
            self.assertNotIn("unsafe", headers["Content-Security-Policy"])
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff", path)
            self.assertEqual(headers["X-Frame-Options"], "DENY", path)
            self.assertEqual("public" in headers["Cache-Control"], path in assets, path)
        for path in ("/administrators/accounts", "/administrators/exports", "/administrators/accounts/export", "/nothing"):
            page = visitor.get(path).text
            self.assertNotRegex(page, r"<style|<script(?! src=\"/assets/)|style=|\son[a-z]+=(?!document)|javascript:", path)
            self.assertEqual(set(re.findall(r'(?:src|href)="([a-z]+:[^"]*)"', page)), set(), "the page loads nothing from other sites")

    def test_what_is_too_much_or_no_http_at_all(self):
        visitor = Visitor(shared.console).sign_in()
        self.assertEqual(visitor.post("/exports", b"token=" + b"x" * 100_000).status, 413)
        self.assertIn(visitor.get("/administrators/accounts?search=" + "a" * 100_000).status, (400, 414))
        for path in ("/exports/../../etc/passwd/file", "/assets/x/../../../../etc/passwd", "/exports/%00/file", "/%2e%2e/%2e%2e/etc/passwd",
                     "/assets/x/console.css"):
            self.assertIn(visitor.get(path).status, (400, 404), path)
        for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            self.assertIn(visitor.send(method, "/exports").status, (404, 405), method)
        for junk in (b"\x00" * 1_000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3_000 + b"\r\n", b"GET /\r\n\r\n", b"\x16\x03\x01\x02\x00",
                     b"POST /exports HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", shared.console.port), timeout=10) as peer:
                peer.sendall(junk)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65_536):
                    pass

    def test_no_text_of_a_visitor_is_a_fault_of_the_console(self):
        visitor = Visitor(shared.console).sign_in()
        nobody = Visitor(shared.console)
        token = visitor.token("/administrators/accounts").encode()
        job = "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"
        for text in ("%00", "a%00b", "%ff", "%c3%28", "%ed%a0%80", "%f4%90%80%80", "%", "%zz", "%0d%0a", "%1b", "%7f", "%c2%9b", "%e2%80%ae",
                     "%e2%80%a8", "%ef%bf%bf", "%f0%9f%91%8d", "e" + "%cc%81" * 200, "%25", "%27%3b--", "+", "&", "=", "[]", "a[b]", "..%2f..",
                     "9223372036854775808", "-1", "1e999", "%D9%A1"):
            for path in (f"/administrators/accounts?search={text}", f"/administrators/accounts?status={text}",
                         f"/administrators/accounts?after={text}", f"/administrators/accounts?before={text}",
                         f"/administrators/accounts?search={text}&before={text}&status=disabled", f"/administrators/accounts?{text}",
                         f"/administrators/accounts?search=a&search={text}", f"/administrators/exports?{text}={text}", f"/exports/{text}/file",
                         f"/exports/{text}/delete", f"/exports/{job}/file?{text}", f"/exports/events?job={text}", f"/session?visitor={text}",
                         f"/language?code={text}&back=/{text}", f"/assets/{text}/{text}", f"/{text}", f"/sign-in?{text}"):
                answer = visitor.get(path)
                self.assertLess(answer.status, 500, path)
            value = text.encode()
            for path, body in (("/exports", b"token=" + value), (f"/exports/{job}/cancel", b"token=" + token + b"&" + value), (f"/exports/{text}/delete", b"token=" + token),
                               ("/sign-out", b"token=" + value)):
                self.assertLess(visitor.post(path, body).status, 500, (path, body))
            for field in (b"tenant=" + value + b"&administrator=owner@acme.example", b"tenant=acme&administrator=" + value):
                body = b"token=" + nobody.token("/sign-in").encode() + b"&" + field
                self.assertLess(nobody.post("/sign-in", body).status, 500, body)
            for header in ("Cookie", "Accept-Language", "If-None-Match", "Range", "If-Range", "Origin", "Sec-Fetch-Site", "Accept"):
                asking = nobody if header == "Cookie" else visitor
                self.assertLess(asking.send("GET", "/administrators/accounts", headers={header: text}).status, 500, (header, text))
        self.assertEqual(visitor.get("/administrators/accounts?search=%00").status, 200)
        self.assertIn("owner@acme.example", visitor.get("/administrators/accounts?search=owner").text)

    def test_a_text_that_takes_long_to_look_at(self):
        start = time.monotonic()
        for back in ("/" + "a" * 40 + "!", "/" + "a" * 10_000 + "!", "/" + "a-/" * 600 + "!"):
            answer = Visitor(shared.console).get(f"/language?code=fr&back={back}")
            self.assertEqual(answer.headers["Location"], "/")
        # Earlier versions needed hours for some of these.
        self.assertLess(time.monotonic() - start, 20)

    def test_requests_that_never_end_and_answers_that_nobody_takes(self):
        asset = re.search(r'src="(/assets/[^"]+)"', Visitor(shared.console).get("/sign-in").text)[1]
        address = ("127.0.0.1", shared.console.port)
        with socket.create_connection(address) as ahead, socket.create_connection(address) as slow:
            # Requests that are sent ahead of their answers.
            ahead.settimeout(30)
            ahead.sendall(f"GET {asset} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 600)
            self.assertTrue(self.ends(ahead), "the connection of a client that sends ahead must end")
            # A body that arrives one byte at a time.
            slow.settimeout(40)
            slow.sendall(b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                         b"Content-Length: 100\r\n\r\nt")
            self.assertTrue(self.ends(slow), "a request has 20 seconds")

    @staticmethod
    def ends(peer):
        try:
            while peer.recv(65_536):
                pass
        except ConnectionResetError:
            pass
        return True

    def test_a_cookie_is_no_way_to_be_remembered_in_the_log(self):
        visitor = Visitor(shared.console).sign_in()
        visitor.get("/administrators/accounts?search=owner@acme.example")
        self.assertNotIn("@", shared.console.log)
        for line in pathlib.Path(f"/proc/{shared.console.process.pid}/cmdline").read_bytes().split(b"\0"):
            self.assertNotIn(b"postgresql:", line)


class ServiceSettings(unittest.TestCase):
    """The list and the export form show what the service is configured to export, to whom may see it."""

    @classmethod
    def setUpClass(cls):
        platform = shared.platform
        platform.sql("ALTER TABLE directory.administrator ADD job_title text, ADD mfa_enabled boolean, ADD last_sign_in timestamptz, ADD roles text[]")
        platform.sql("GRANT SELECT (job_title, mfa_enabled, last_sign_in, roles) ON directory.administrator TO adminexport_console")
        platform.sql("UPDATE directory.administrator SET job_title = '<b>Boss</b>', mfa_enabled = email LIKE 'owner@%', roles = '{r1,r2}', "
                     "last_sign_in = '2026-07-01 22:30Z' WHERE email LIKE '%@acme.example'")
        platform.sql("UPDATE directory.profile SET permissions = permissions || '{security.view}' WHERE scope = 'tenant'")
        # A group outside the scope of europe@, of somebody who is also in the scope.
        platform.sql("INSERT INTO directory.administrator_group (tenant_id, name) SELECT id, 'Secret project' FROM directory.tenant WHERE slug = 'acme'")
        platform.sql("INSERT INTO directory.administrator_secondary_group SELECT a.id, g.id FROM directory.administrator a "
                     "JOIN directory.administrator_group g ON g.tenant_id = a.tenant_id AND g.name = 'Secret project' WHERE a.email LIKE 'owner@%'")
        cls.configuration = SCRATCH / "attributes.yaml"
        cls.socket = SCRATCH / "settings.sock"
        cls.configure("show")
        cls.service = platform.start("serve", "--socket", str(cls.socket), "--workers", "0", "--config", str(cls.configuration))
        until("the service listens", cls.socket.exists)

    @classmethod
    def tearDownClass(cls):
        cls.service.end()

    @classmethod
    def configure(cls, others):
        cls.configuration.write_text(f"""
            scope: {{otherGroups: {others}}}
            workbook: {{about: true}}
            attributes:
            - {{column: job_title, title: Job & title, type: text}}
            - {{column: mfa_enabled, title: MFA, type: boolean, permission: security.view}}
            - {{column: last_sign_in, title: Last sign-in, type: datetime, permission: security.view}}
            - {{column: roles, title: Roles, type: list}}
            """)

    def page(self, administrator, path="/administrators/accounts?search=owner%40"):
        with Console(shared.platform, socket=self.socket) as console:
            return Visitor(console).sign_in(administrator).get(path).text

    def test_further_columns_are_listed_for_whom_may_see_them(self):
        owner = self.page("owner@acme.example")
        for part in ['<th scope="col">Job &amp; title</th>', '<th scope="col">MFA</th>', '<th scope="col">Last sign-in</th>',
                     "<bdi>&lt;b&gt;Boss&lt;/b&gt;</bdi>", "<bdi>Yes</bdi>", "<bdi>r1</bdi>", "<bdi>r2</bdi>", "2026-07-0",
                     "The file also has these columns: Job &amp; title, MFA, Last sign-in, Roles."]:
            self.assertIn(part, owner)
        europe = self.page("europe@acme.example", "/administrators/accounts")
        self.assertIn("The file also has these columns: Job &amp; title, Roles.", europe)
        for part in ["MFA", "Last sign-in", "2026-07-0"]:
            self.assertNotIn(part, europe)
        self.assertIn("these columns: Job &amp; title, Roles.", self.page("europe@acme.example", "/administrators/accounts/export"))

    def test_the_checkbox_for_the_page_about_the_export_has_the_service_s_default(self):
        self.assertIn('name="includeAbout" value="on" checked', self.page("owner@acme.example"))

    def test_names_of_hidden_groups_are_not_in_the_page(self):
        shared.platform.sql("INSERT INTO directory.administrator_secondary_group SELECT a.id, g.id FROM directory.administrator a "
                            "JOIN directory.administrator_group g ON g.tenant_id = a.tenant_id AND g.name = 'Europe' WHERE a.email = 'owner@acme.example' "
                            "ON CONFLICT DO NOTHING")
        self.assertIn("Secret project", self.page("europe@acme.example"))
        self.configure("hide")
        self.service.signal(signal.SIGHUP)
        until("the names are hidden", lambda: "Secret project" not in self.page("europe@acme.example"))
        page = self.page("europe@acme.example")
        self.assertRegex(page, r"Other groups: [1-9]")
        self.assertIn("Europe", page)
        self.assertIn("Secret project", self.page("owner@acme.example"))

    def test_without_the_service_the_page_shows_no_more_than_an_export_could(self):
        with Console(shared.platform, socket=SCRATCH / "nobody.sock") as console:
            page = Visitor(console).sign_in("europe@acme.example").get("/administrators/accounts").text
        self.assertIn("europe@acme.example", page)
        for part in ["Secret project", "Job &amp; title"]:
            self.assertNotIn(part, page)


class BehindAProxy(unittest.TestCase):
    """The console accepts the identity header from the proxy's address only, and only if it occurs once."""

    def test_its_header_says_who_it_is(self):
        with Console(shared.platform, "--identity-header", "X-Forwarded-Email", "--tenant", "acme", "--host", "admin.acme.example",
                     "--trusted-proxy", "127.0.0.1") as console:
            visitor = Visitor(console)
            owner = {"X-Forwarded-Email": "owner@acme.example"}
            page = visitor.get("/administrators/accounts", headers=owner, host="admin.acme.example")
            self.assertEqual(page.status, 200)
            self.assertIn("Olivia Owner", page.text)
            self.assertNotIn("/sign-out", page.text)
            token = re.search(r'name="token" value="([^"]+)"', page.text)[1]
            answer = visitor.post("/exports", {"token": token}, headers={**owner, "Accept": "application/json"})
            self.assertEqual(answer.status, 201)
            shared.platform.finish([json.loads(answer.content)["id"]])
            # The token belongs to this administrator.
            europe = {"X-Forwarded-Email": "europe@acme.example", "Accept": "application/json"}
            self.assertEqual(visitor.post("/exports", {"token": token}, headers=europe).status, 403)
            for headers in ([], [("X-Forwarded-Email", "")], [("X-Forwarded-Email", "a@b.example, owner@acme.example")],
                            [("X-Forwarded-Email", "a@b.example"), ("X-Forwarded-Email", "owner@acme.example")],
                            [("X_Forwarded_Email", "owner@acme.example")]):
                self.assertEqual(visitor.get("/administrators/accounts", headers=headers).status, 401, headers)
            self.assertEqual(visitor.get("/sign-in").status, 404, "there is no demo's sign-in")
            self.assertEqual(visitor.get("/administrators/accounts", headers={"X-Forwarded-Email": "nobody@acme.example"}).status, 200)

    def test_somebody_else_who_sets_it_is_not_believed(self):
        with Console(shared.platform, "--identity-header", "X-Forwarded-Email", "--tenant-header", "X-Tenant",
                     "--trusted-proxy", "192.0.2.1") as console:
            headers = {"X-Forwarded-Email": "owner@acme.example", "X-Tenant": "acme"}
            self.assertEqual(Visitor(console).get("/administrators/accounts", headers=headers).status, 401)

    def test_it_comes_by_a_socket(self):
        path = SCRATCH / "http.sock"
        with Console(shared.platform, "--identity-header", "X-Forwarded-Email", "--tenant", "acme", listen=f"unix:{path}") as console:
            self.assertEqual(path.stat().st_mode & 0o777, 0o660)
            answers = {}
            for header in ("X-Forwarded-Email: owner@acme.example\r\n", ""):
                with socket.socket(socket.AF_UNIX) as peer:
                    peer.settimeout(30)
                    peer.connect(str(path))
                    peer.sendall(f"GET /administrators/accounts HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n{header}\r\n".encode())
                    answers[header] = b""
                    while part := peer.recv(65_536):
                        answers[header] += part
            self.assertIn(b"Olivia Owner", list(answers.values())[0])
            self.assertTrue(list(answers.values())[1].startswith(b"HTTP/1.1 401"))

    def test_an_address_has_many_spellings(self):
        with Console(shared.platform, "--identity-header", "X", "--tenant", "acme", "--trusted-proxy", "::FFFF:127.0.0.1") as console:
            self.assertEqual(Visitor(console).get("/administrators/accounts", headers={"X": "owner@acme.example"}).status, 200)

    def test_how_it_must_not_be_started(self):
        environment = {**os.environ, "ADMINEXPORT_CONSOLE_DATABASE_URL": "postgresql:///x"}
        short = SCRATCH / "short-key"
        short.write_bytes(b"short")
        short.chmod(0o600)
        open_key = SCRATCH / "open-key"
        open_key.write_bytes(os.urandom(32))
        open_key.chmod(0o644)
        for arguments, words in (
                ([], "Choose how users sign in"), (["--demo-sign-in", "--listen", "0.0.0.0:8080"], "requires a loopback address"),
                (["--demo-sign-in", "--listen", "unix:/tmp/x"], "requires a loopback address"),
                (["--demo-sign-in", "--identity-header", "X"], "but not both"),
                (["--identity-header", "X"], "--tenant SLUG or --tenant-header NAME"),
                (["--identity-header", "a b", "--tenant", "t"], "is not a valid header name"),
                (["--identity-header", "X", "--tenant", "t"], "--trusted-proxy ADDRESS"),
                (["--identity-header", "X", "--tenant", "t", "--trusted-proxy", "10.0.0.0/8"], "is not an IP address"),
                (["--demo-sign-in", "--socket-mode", "999"], "--socket-mode must be an octal number"),
                (["--demo-sign-in", "--key-file", str(open_key)], "chmod 600"),
                (["--demo-sign-in", "--key-file", str(short)], "head -c 32 /dev/urandom"),
                (["--demo-sign-in", "--listen", "nonsense"], "--listen must be HOST:PORT")):
            done = subprocess.run([str(PROGRAM), *arguments], env=environment, capture_output=True, text=True, timeout=30)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertIn(words, done.stderr)
