"""Runs the console, the service and browsers for the tests."""
import contextlib
import http.client
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = HERE.parents[1]
ROOT = PACKAGE.parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "Chaos"))
from system import BIN, SCRATCH, Cluster, System, until  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("CONSOLE_BIN_DIR", PACKAGE / ".build" / "debug")).resolve() / "adminexport-console"


class Console:
    """A console process."""

    def __init__(self, system, *arguments, socket=None, listen="127.0.0.1:0"):
        self.log_path = system.folder / f"console-{time.monotonic_ns()}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ADMINEXPORT_")}
        environment["ADMINEXPORT_CONSOLE_DATABASE_URL"] = system.url("adminexport_console")
        self.process = subprocess.Popen(
            [str(PROGRAM), *(arguments or ["--demo-sign-in"]), "--listen", listen, "--socket", str(socket or system.socket)],
            env=environment, stdout=subprocess.PIPE, stderr=open(self.log_path, "ab"), text=True)
        self.address = self.process.stdout.readline().strip()
        assert self.address, f"the console did not start:\n{self.log}"
        self.port = int(self.address.rsplit(":", 1)[1]) if self.address.startswith("http") else None

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def resident(self):
        """The resident memory, in bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024

    @property
    def peak(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024

    @property
    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the console did not stop")
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Visitor:
    """An HTTP client that can send requests that no browser sends."""

    def __init__(self, console):
        self.console = console
        self.cookies = {}

    def send(self, method, path, body=None, headers=None, host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.console.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", f"127.0.0.1:{self.console.port}" if host is None else host)
            if self.cookies:
                connection.putheader("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
            for name, value in headers.items() if isinstance(headers, dict) else headers or ():
                connection.putheader(name, value)
            if body is not None:
                body = body if isinstance(body, bytes) else urllib.parse.urlencode(body).encode()
                connection.putheader("Content-Type", "application/x-www-form-urlencoded")
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        for cookie in response.headers.get_all("Set-Cookie") or ():
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return Answer(response.status, response.headers, content)

    def get(self, path, **more):
        return self.send("GET", path, **more)

    def post(self, path, body, **more):
        return self.send("POST", path, body, **more)

    def token(self, path="/administrators/accounts"):
        """The token in the forms of a page."""
        return re.search(r'name="token" value="([^"]+)"', self.get(path).text)[1]

    def sign_in(self, administrator="owner@acme.example", tenant="acme"):
        answer = self.post("/sign-in", {"token": self.token("/sign-in"), "tenant": tenant, "administrator": administrator})
        assert answer.status == 303, answer.text
        return self

    def start(self, **form):
        answer = self.post("/exports", {"token": self.token(), **form}, headers={"Accept": "application/json"})
        assert answer.status == 201, answer.text
        return json.loads(answer.content)["id"]


class Answer:
    def __init__(self, status, headers, content):
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def text(self):
        return self.content.decode()


class Browser:
    """A Chromium, with functions for the elements of the console's pages."""

    def __init__(self, console, downloads, *arguments, language="en", size=(1280, 900), javascript=True):
        self.console = console
        self.downloads = pathlib.Path(downloads)
        self.downloads.mkdir(parents=True, exist_ok=True)
        options = webdriver.ChromeOptions()
        # While a dialog arrives with an animation, it is transparent, which counts as invisible, and its buttons move.
        for argument in ("--headless=new", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                         "--force-prefers-reduced-motion",
                         f"--window-size={size[0]},{size[1]}", f"--lang={language}", *arguments):
            options.add_argument(argument)
        if os.getuid() == 0:
            options.add_argument("--no-sandbox")
        preferences = {
            "download.default_directory": str(self.downloads), "download.prompt_for_download": False,
            "intl.accept_languages": language, "intl.selected_languages": language,
            # Chromium asks the user before a page downloads several files automatically. Allow this, as a user does once.
            "profile.default_content_setting_values.automatic_downloads": 1}
        if not javascript:
            preferences["profile.managed_default_content_settings.javascript"] = 2
        options.add_experimental_option("prefs", preferences)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        self.driver.set_page_load_timeout(60)

    def open(self, path):
        """Opens a page, and returns when it has loaded and its script has run. What the event stream brings comes later."""
        self.driver.get(self.console.address + path)

    @contextlib.contextmanager
    def next_page(self):
        """The block follows a link or sends a form. Returns when the next page has loaded and its script has run."""
        self.driver.execute_script("window.isLeft = true")
        yield
        self.until(lambda: self.driver.execute_script("return !window.isLeft && document.readyState === 'complete'"), "the next page")

    @property
    def path(self):
        return urllib.parse.urlparse(self.driver.current_url).path

    def sign_in(self, name="Olivia Owner", tenant="Acme Corporation"):
        self.open("/sign-in")
        for item in self.all(".people li"):
            if name in item.text and tenant in item.text:
                with self.next_page():
                    item.find_element(By.TAG_NAME, "button").click()
                assert self.path == "/administrators/accounts", f"signed in, but at {self.path}"
                return self
        raise AssertionError(f"there is no {name} of {tenant}")

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def click(self, selector):
        self.one(selector).click()

    def text(self, selector):
        return self.one(selector).text

    def shows(self, selector):
        """Whether the element is visible now. This is for what a page shows or hides at once, when it has loaded or handles a click."""
        return any(element.is_displayed() for element in self.all(selector))

    def appears(self, selector, what=""):
        """Waits for an element that an answer or the event stream brings."""
        self.until(lambda: self.shows(selector), what or selector)

    def until(self, condition, what="", seconds=30):
        return WebDriverWait(self.driver, seconds, 0.05).until(lambda _: self._quietly(condition), what)

    @staticmethod
    def _quietly(condition):
        # While a page loads, neither the old elements nor the new ones exist.
        from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, WebDriverException
        try:
            return condition()
        except (NoSuchElementException, StaleElementReferenceException):
            return False
        except WebDriverException as error:
            # chromedriver's other word for a stale element, if the page changes between its two requests to the browser.
            if "does not belong to the document" in str(error):
                return False
            raise

    @property
    def focused(self):
        return self.driver.switch_to.active_element

    def keys(self, *keys):
        """Types on the keyboard, into the focused element."""
        chain = webdriver.ActionChains(self.driver)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    def open_export(self):
        self.click("#menu-button")
        self.click("#menu-export")
        self.appears("#export-dialog")

    def export(self, include_disabled=False, include_about=False):
        """Starts an export as a user does; returns its id."""
        known = self.jobs()
        self.open_export()
        if include_disabled:
            self.click("#export-dialog [name=includeDisabled]")
        if include_about:
            self.click("#export-dialog [name=includeAbout]")
        self.click("#export-start")
        return self.until(lambda: [job for job in self.jobs() if job not in known], "the export in the progress dialog")[0]

    def jobs(self):
        return [item.get_attribute("data-job") for item in self.all("#progress-list li")]

    def files(self):
        return sorted(path for path in self.downloads.iterdir() if path.suffix == ".xlsx")

    def file(self, count=1):
        """Waits for a number of complete files; returns the last one."""
        self.until(
            lambda: len(self.files()) >= count and not list(self.downloads.glob("*.crdownload")), f"{count} files", 60)
        return max(self.files(), key=lambda path: path.stat().st_mtime_ns)

    def faults(self):
        """The errors that the browser logged: errors of scripts, violations of the content security policy."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def emulate(self, **features):
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]})

    def size(self, width, height):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.until(lambda: self.driver.execute_script("return [innerWidth, innerHeight]") == [width, height], "the window's size")

    def picture(self, path):
        self.driver.save_screenshot(str(path))

    def close(self):
        self.driver.quit()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Platform(System):
    """A service whose worker can be suspended, and the console's login."""

    def __init__(self, tenants=("acme", "globex"), administrators=300):
        super().__init__(Cluster(), tenants=tenants, administrators=administrators, LEASE="60s", LIMITS_QUEUED_PER_TENANT="16")
        self.cluster.sql((PACKAGE / "console-login.sql").read_text(), self.name)

    @contextlib.contextmanager
    def held(self, *processes):
        """Suspends workers, or the service, for the block; the workers' leases are longer than that."""
        try:
            for process in processes:
                process.signal(signal.SIGSTOP)
                until("the process is suspended", process.is_stopped)
            yield
        finally:
            for process in processes:
                process.signal(signal.SIGCONT)

    def visible(self, administrator, tenant="acme", all_accounts=False):
        """The e-mail addresses in an administrator's export, from SQL that is independent of the service's."""
        return [row[0] for row in self.sql(f"""
            WITH RECURSIVE me AS (
                SELECT a.id, a.tenant_id, p.scope, a.main_group_id FROM directory.administrator a
                JOIN directory.profile p ON p.id = a.profile_id JOIN directory.tenant t ON t.id = a.tenant_id
                WHERE t.slug = '{tenant}' AND a.email = '{administrator}'),
            below AS (
                SELECT g.id FROM directory.administrator_group g, me WHERE g.id = me.main_group_id OR g.id IN (
                    SELECT group_id FROM directory.administrator_secondary_group s WHERE s.administrator_id = me.id)
                UNION SELECT g.id FROM directory.administrator_group g JOIN below b ON g.parent_id = b.id)
            SELECT a.email FROM directory.administrator a, me
            WHERE a.tenant_id = me.tenant_id AND ({'true' if all_accounts else "a.status = 'enabled'"})
                AND (me.scope = 'tenant' OR a.main_group_id IN (SELECT id FROM below) OR a.id IN (
                    SELECT administrator_id FROM directory.administrator_secondary_group WHERE group_id IN (SELECT id FROM below)))
            ORDER BY a.id""")]


class Shared:
    """The processes that all tests share. run.py starts them once."""
    platform = None
    console = None
    api = None
    worker = None
    #: A folder for pictures, or nothing.
    pictures = None

    @property
    def axe(self):
        """The script of axe-core, or None. This reads the file in its package, because importing the package would load another browser."""
        package = importlib.util.find_spec("axe_playwright_python")
        files = [pathlib.Path(folder) / "axe.min.js" for folder in package.submodule_search_locations] if package else []
        return next((file for file in files if file.exists()), None)

    def start(self):
        self.platform = Platform()
        self.platform.__enter__()
        for number, name in enumerate(HOSTILE):
            quoted = name.replace("'", "''")
            self.platform.sql(f"UPDATE directory.administrator SET name = '{quoted}' WHERE id = {10 + number}")
        # A tenant whose export takes some seconds.
        self.platform.maintain("demo-data", "--tenant", "vast", "--administrators", "150000", "--seed", "3")
        self.api = self.platform.serve()
        self.worker = self.platform.work(stops=True)
        self.console = Console(self.platform)

    def stop(self):
        self.console.close()
        log = self.console.log
        self.platform.__exit__(None, None, None)
        assert "@" not in log, f"the console's log has an e-mail address:\n{log}"


#: Names that act as markup or code if they are not escaped.
HOSTILE = [
    "<script>document.title='owned'</script>", "\"><img src=x onerror=document.title='owned'>",
    # For some libraries, a quote with a combining mark is a different character, which they do not escape.
    "\"\u0301 onfocus=document.title='owned' autofocus x=\"", "<\u0338b>", "{{t.page.product}}",
    "</textarea></title><svg onload=document.title='owned'>", "Two\r\nSet-Cookie: owned=1",
]

shared = Shared()
