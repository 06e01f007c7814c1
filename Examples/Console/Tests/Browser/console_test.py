"""Tests of what a user does with the console, in Chromium. run.py runs them."""
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import zipfile

import openpyxl
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from console import SCRATCH, Browser, Console, Visitor, shared, until


COLUMNS = ["Name", "Email", "Phone", "Profile", "Main group", "Secondary groups", "Teams", "Creation date", "Last update", "Status"]
SECRETS = ["argon2id$", "TOTP-DEMO", "KEY-DEMO"]
def rows(path):
    """The rows of the sheet, as texts."""
    sheet = openpyxl.load_workbook(path, read_only=True)["Administrators"]
    return [[str(cell) if cell is not None else "" for cell in row] for row in sheet.iter_rows(values_only=True)]


def exports():
    """The number of exports, of all administrators."""
    return int(shared.platform.sql("SELECT count(*) FROM adminexport.job")[0][0])


def picture(browser, name):
    if shared.pictures:
        browser.picture(shared.pictures / f"{name}.png")


class BrowserTestCase(unittest.TestCase):
    """Each test has its own browser, and fails if this browser logged an error."""
    arguments = ()
    person = ("Olivia Owner", "Acme Corporation")
    options = {}
    expected_faults = r"$^"

    def setUp(self):
        self.downloads = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
        self.browser = Browser(shared.console, self.downloads, **self.options)
        self.addCleanup(self.browser.close)
        if self.person:
            self.browser.sign_in(*self.person)

    def tearDown(self):
        shared.worker.signal(signal.SIGCONT)
        faults = [fault for fault in self.browser.faults() if not re.search(self.expected_faults, fault)]
        self.assertEqual(faults, [], "the browser logged errors")

    def finished(self):
        self.browser.until(lambda: self.browser.text("#progress-heading") == "Export finished", "the export's end", 60)

    def arrived(self, count):
        """Checks that so many files have arrived, and that no other is on its way: the file of one more export comes after it."""
        browser = self.browser
        self.assertEqual(len(browser.files()), count)
        # With the other option, its file is a different one.
        job = browser.export(include_disabled=True)

        def is_here():
            digest = shared.platform.sql(f"SELECT encode(sha256, 'hex') FROM adminexport.job WHERE id = '{job}'")[0][0]
            return digest in [hashlib.sha256(file.read_bytes()).hexdigest() for file in browser.files()]
        browser.until(is_here, "the file of one more export", 60)
        browser.file(count + 1)
        self.assertEqual(len(browser.files()), count + 1, "another file was on its way")


class TheFeature(BrowserTestCase):
    """The requirements of the feature that concern the page."""

    def test_navigate_to_administrators_accounts_click_import_export_select_export(self):
        browser = self.browser
        browser.open("/")
        self.assertEqual(browser.text("nav .section"), "Administrators")
        with browser.next_page():
            browser.one("nav ul").find_element(By.LINK_TEXT, "Accounts").click()
        self.assertEqual(browser.text("h1"), "Accounts")
        self.assertEqual(browser.text("#menu-button"), "Import / Export")
        self.assertFalse(browser.shows("#menu"))
        picture(browser, "accounts")
        browser.click("#menu-button")
        items = [item.text.split("\n")[0] for item in browser.all("#menu [role=menuitem]")]
        self.assertEqual(items, ["Import", "Export"])
        self.assertIn("Not part of this service", browser.text("#menu-import"))
        browser.click("#menu-export")
        browser.appears("#export-dialog")

    def test_before_the_export_starts_a_confirmation_dialog_is_displayed(self):
        before = exports()
        self.browser.open_export()
        picture(self.browser, "dialog")
        self.assertEqual(self.browser.text("#export-heading"), "Export administrator accounts")
        box = self.browser.one("#export-dialog [name=includeDisabled]")
        self.assertFalse(box.is_selected())
        self.assertEqual(box.find_element(By.XPATH, "..").text, "Include disabled administrator accounts")
        self.browser.click("#export-cancel")
        self.assertFalse(self.browser.shows("#export-dialog"))
        # Nothing has started: an export with the other option, and so with another key, is the only one.
        self.browser.export(include_disabled=True)
        self.browser.file()
        self.assertEqual(exports(), before + 1)

    def test_unchecked_exports_only_enabled_administrator_accounts(self):
        self.browser.export()
        found = rows(self.browser.file())
        self.assertEqual([row[1] for row in found[1:]], shared.platform.visible("owner@acme.example"))
        self.assertEqual({row[9] for row in found[1:]}, {"Enabled"})

    def test_checked_exports_both_enabled_and_disabled_administrator_accounts(self):
        self.browser.export(include_disabled=True)
        found = rows(self.browser.file())
        self.assertEqual([row[1] for row in found[1:]], shared.platform.visible("owner@acme.example", all_accounts=True))
        self.assertEqual({row[9] for row in found[1:]}, {"Enabled", "Disabled"})
        # The option applies to one export.
        self.finished()
        self.browser.open_export()
        self.assertFalse(self.browser.one("#export-dialog [name=includeDisabled]").is_selected())

    def test_a_page_about_the_export_is_added_on_request(self):
        self.browser.export(include_about=True)
        book = openpyxl.load_workbook(self.browser.file(), read_only=True)
        self.assertEqual(book.sheetnames, ["Administrators", "About this export"])
        self.finished()
        # The option applies to one export.
        self.browser.open_export()
        box = self.browser.one("#export-dialog [name=includeAbout]")
        self.assertFalse(box.is_selected())
        self.assertEqual(box.find_element(By.XPATH, "..").text, "Add a page about this export")

    def test_once_start_is_clicked_an_asynchronous_backend_export_task_is_created(self):
        with shared.platform.held(shared.worker):
            job = self.browser.export()
            self.assertEqual(shared.platform.row(job)["state"], "queued")
            self.assertIn("Waiting", self.browser.text("#progress-list"))
        self.finished()

    def test_the_administrator_may_continue_using_the_application_while_the_export_is_generated(self):
        browser = self.browser
        with shared.platform.held(shared.worker):
            browser.export()
            browser.one("#search").send_keys("owner@")
            with browser.next_page():
                browser.click(".search button")
            self.assertEqual(browser.text("#count"), "Accounts: 1 of 1")
            browser.appears("#progress-dialog", "progress on the next page as well")
            browser.open("/administrators/exports")
            browser.appears("#progress-dialog", "progress on another page")
            browser.driver.refresh()
            browser.appears("#progress-dialog", "progress after a reload")
            self.assertEqual(browser.text("#exports tbody .state"), "Waiting")
        self.assertEqual(len(rows(browser.file())), len(shared.platform.visible("owner@acme.example")) + 1)

    def test_once_complete_the_generated_excel_file_is_automatically_downloaded_by_the_browser(self):
        self.browser.export()
        file = self.browser.file()
        self.assertRegex(file.name, r"^administrators-acme-\d{4}-\d\d-\d\d\.xlsx$")
        self.finished()
        picture(self.browser, "done")
        # The file arrives once, even if the page is opened again.
        self.browser.driver.refresh()
        self.arrived(1)

    def test_it_is_downloaded_also_when_it_ends_while_no_page_is_open(self):
        with shared.platform.held(shared.worker):
            job = self.browser.export()
            self.browser.driver.get("about:blank")
        shared.platform.finish([job])
        self.assertEqual(self.browser.files(), [])
        self.browser.open("/administrators/accounts")
        self.browser.file()

    def test_administrator_accounts_are_exported_as_a_microsoft_excel_workbook(self):
        self.browser.export()
        file = self.browser.file()
        with zipfile.ZipFile(file) as archive:
            self.assertIsNone(archive.testzip())
        check = os.environ.get("CHECK_XLSX")
        if not check:
            self.skipTest("the workbook is not held to ECMA-376: CHECK_XLSX names no program")
        done = subprocess.run([sys.executable, check, str(file)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_exported_file_preserves_the_column_order(self):
        self.browser.export()
        self.assertEqual(rows(self.browser.file())[0], COLUMNS)
        self.assertEqual([cell.text for cell in self.browser.all("table.accounts thead th")], COLUMNS)

    def test_passwords_and_other_credentials_are_never_included(self):
        self.browser.export(include_disabled=True)
        with zipfile.ZipFile(self.browser.file()) as archive:
            parts = b"".join(archive.read(name) for name in archive.namelist()).decode()
        page = self.browser.driver.page_source
        for secret in SECRETS:
            self.assertNotIn(secret, parts)
            self.assertNotIn(secret, page)


class Progress(BrowserTestCase):
    person = ("Olivia Owner", "Vast Corporation")

    def test_a_progress_dialog_indicates_that_the_export_is_in_progress(self):
        browser = self.browser
        browser.export()
        browser.until(lambda: re.search(r"In progress, [1-9]", browser.text("#progress-list .state")), "a percentage")
        with shared.platform.held(shared.worker):
            # Reads all three in one script, because the next event may change them.
            heading, text, share = browser.driver.execute_script(
                "return ['#progress-heading', '#progress-list .text', '#progress-list progress'].map("
                "(selector) => document.querySelector(selector)).map((shown) => shown.value ?? shown.innerText)")
            self.assertEqual(heading, "Export in progress")
            total = len(shared.platform.visible("owner@vast.example", "vast"))
            match = re.fullmatch(r"Accounts written: ([\d,]+) of ([\d,]+)\.", text)
            done, of = (int(number.replace(",", "")) for number in match.groups())
            self.assertEqual(of, total)
            self.assertTrue(0 < done < total)
            self.assertEqual(share, done * 100 // total)
            picture(browser, "progress")
            browser.size(360, 740)
            picture(browser, "narrow")
            browser.size(1280, 900)
            browser.emulate(prefers_color_scheme="dark")
            picture(browser, "dark")
        self.finished()
        self.assertEqual(len(rows(browser.file())), total + 1)

    def test_it_can_be_hidden_and_shown_again(self):
        browser = self.browser
        with shared.platform.held(shared.worker):
            browser.export()
            browser.appears("#progress-dialog")
            browser.click("#progress-hide")
            self.assertFalse(browser.shows("#progress-dialog"))
            self.assertTrue(browser.shows("#progress-show"))
            browser.driver.refresh()
            browser.appears("#progress-show", "the button after a reload")
            self.assertFalse(browser.shows("#progress-dialog"), "the dialog stays hidden")
            browser.click("#progress-show")
            self.assertTrue(browser.shows("#progress-dialog"), "shown again")
            self.assertEqual(browser.focused.get_attribute("id"), "progress-heading")
            browser.click("#progress-list [data-do=cancel]")
            browser.until(lambda: "Cancelled" in browser.text("#progress-list"), "cancelled")

    def test_a_running_export_is_cancelled_and_nothing_is_downloaded(self):
        browser = self.browser
        shared.platform.arm("mid-file")
        job = browser.export()
        until("the worker stands in the middle of the file", shared.worker.is_stopped)
        browser.appears("#progress-list [data-do=cancel]")
        browser.click("#progress-list [data-do=cancel]")
        browser.until(lambda: "Cancelling" in browser.text("#progress-list"), "cancelling")
        shared.worker.signal(signal.SIGCONT)
        browser.until(lambda: browser.text("#progress-heading") == "Export ended", "the end of the export")
        self.assertIn("Nothing was kept", browser.text("#progress-list"))
        self.assertEqual(shared.platform.row(job)["state"], "cancelled")
        browser.click("#progress-list [data-do=dismiss]")
        self.assertFalse(browser.shows("#progress-dialog"))
        self.arrived(0)

    def test_a_failure_is_told_in_words_that_a_person_understands(self):
        browser = self.browser
        shared.platform.sql("UPDATE directory.tenant SET time_zone = 'Nowhere/Land' WHERE slug = 'vast'")
        try:
            browser.export()
            browser.until(lambda: browser.text("#progress-heading") == "Export failed", "failed")
            self.assertIn("The time zone of your organisation is unknown. Ask the platform's operators", browser.text("#progress-list"))
            picture(browser, "error")
        finally:
            shared.platform.sql("UPDATE directory.tenant SET time_zone = 'Europe/Paris' WHERE slug = 'vast'")
        self.arrived(0)

    def test_two_tabs_show_it_and_one_file_comes(self):
        browser = self.browser
        first = browser.driver.current_window_handle
        browser.driver.switch_to.new_window("tab")
        browser.open("/administrators/exports")
        browser.driver.switch_to.window(first)
        with shared.platform.held(shared.worker):
            browser.export()
            browser.driver.switch_to.new_window("tab")
            browser.open("/administrators/accounts")
            browser.appears("#progress-dialog", "progress in a new tab")
        for handle in browser.driver.window_handles:
            browser.driver.switch_to.window(handle)
            browser.until(lambda: "Finished" in browser.text("#progress-list"), "the end in each tab", 60)
        browser.file()
        self.arrived(1)

    def test_the_tab_that_listened_is_closed_and_another_goes_on(self):
        browser = self.browser
        first = browser.driver.current_window_handle
        with shared.platform.held(shared.worker):
            browser.export()
            browser.driver.switch_to.new_window("tab")
            browser.open("/administrators/accounts")
            other = browser.driver.current_window_handle
            browser.driver.switch_to.window(first)
            browser.driver.close()
            browser.driver.switch_to.window(other)
        browser.file()
        self.arrived(1)

    def test_the_tab_that_listens_need_not_be_the_one_that_started(self):
        browser = self.browser
        first = browser.driver.current_window_handle
        browser.driver.switch_to.new_window("tab")
        browser.open("/administrators/accounts")
        second = browser.driver.current_window_handle
        with shared.platform.held(shared.worker):
            browser.export()
            browser.driver.switch_to.window(first)
            browser.appears("#progress-dialog", "the first tab shows the progress")
            # The first tab had the event stream.
            browser.driver.close()
            browser.driver.switch_to.window(second)
            browser.until(lambda: browser.driver.execute_async_script(
                "const done = arguments[0]; navigator.locks.query().then(({ pending }) => done(!pending.length))"), "the second tab listens")
        self.finished()
        browser.file()

    def test_the_tab_that_started_goes_to_another_page(self):
        browser = self.browser
        first = browser.driver.current_window_handle
        browser.driver.switch_to.new_window("tab")
        browser.open("/administrators/accounts")
        second = browser.driver.current_window_handle
        browser.driver.switch_to.window(first)
        with shared.platform.held(shared.worker):
            browser.export()
            browser.open("/administrators/exports")
            browser.until(lambda: "Waiting" in browser.text("#progress-list"), "progress on the next page")
        self.finished()
        browser.file()
        browser.driver.switch_to.window(second)
        self.arrived(1)

    def test_the_tab_that_listened_is_closed_after_the_end(self):
        browser = self.browser
        first = browser.driver.current_window_handle
        browser.driver.switch_to.new_window("tab")
        browser.open("/administrators/accounts")
        second = browser.driver.current_window_handle
        browser.export()
        self.finished()
        browser.file()
        browser.driver.switch_to.window(first)
        browser.driver.close()
        browser.driver.switch_to.window(second)
        # The next tab has nothing to fetch.
        self.arrived(1)

    def test_an_export_that_was_started_elsewhere_is_followed_and_not_downloaded(self):
        browser = self.browser
        with shared.platform.held(shared.worker):
            shared.platform.export(tenant="vast")
            browser.driver.switch_to.new_window("tab")
            browser.open("/administrators/accounts")
            browser.until(lambda: "Waiting" in browser.text("#progress-list"), "progress")
        self.finished()
        self.arrived(0)

    def test_a_page_that_is_left_before_the_answer_comes(self):
        browser = self.browser
        with shared.platform.held(shared.worker):
            browser.open_export()
            # The service answers late. Neither this page nor the next one, which does not need the service, waits for it.
            with shared.platform.held(shared.api):
                browser.click("#export-start")
                self.assertEqual(browser.one("#export-start").get_attribute("aria-disabled"), "true")
                browser.open("/administrators/accounts")
                self.assertEqual(browser.jobs(), [])
            browser.until(lambda: "Waiting" in browser.text("#progress-list"), "its progress")
        browser.file()

    def test_a_browser_that_keeps_nothing_still_gets_the_file(self):
        browser = self.browser
        browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": """
            for (const name of ['localStorage', 'sessionStorage'])
                Object.defineProperty(window, name, { get() { throw new DOMException('refused', 'SecurityError'); } });"""})
        browser.open("/administrators/accounts")
        browser.export()
        browser.file()

    def test_a_browser_without_locks_gets_it_once(self):
        browser = self.browser
        browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {
            "source": "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });"})
        browser.open("/administrators/accounts")
        self.assertTrue(browser.driver.execute_script("return navigator.locks === undefined"))
        browser.export()
        browser.file()
        self.arrived(1)

    def test_start_clicked_twice_is_one_export(self):
        browser = self.browser
        before = exports()
        browser.open_export()
        # Click the button, and send what a second click sends before the page has the first answer.
        browser.driver.execute_async_script(
            "const form = document.getElementById('export-form'); form.requestSubmit(); form.requestSubmit();"
            "const body = new URLSearchParams(new FormData(form));"
            "const send = () => fetch('/exports', {method: 'POST', headers: {Accept: 'application/json'}, body});"
            "Promise.all([send(), send(), send(), send(), send()]).then(() => arguments[0]())")
        browser.file()
        self.assertEqual(exports(), before + 1)


class Trouble(BrowserTestCase):
    expected_faults = r"Failed to load resource|ERR_|EventSource"

    def test_the_service_is_away_and_nothing_is_lost(self):
        browser = self.browser
        shared.api.end()
        try:
            browser.open("/administrators/accounts")
            self.assertEqual(browser.text("h1"), "Accounts", "the list does not need the service")
            browser.open_export()
            browser.click("#export-dialog [name=includeDisabled]")
            browser.click("#export-start")
            browser.appears("#export-problem", "a message about it")
            self.assertIn("Exports are not available at the moment", browser.text("#export-problem"))
            self.assertTrue(browser.one("#export-dialog [name=includeDisabled]").is_selected(), "the choice stays")
        finally:
            shared.api = shared.platform.serve()
        # Other options start another export, whatever the result of the first attempt.
        browser.click("#export-dialog [name=includeDisabled]")
        browser.click("#export-start")
        self.assertEqual(len(rows(browser.file())), len(shared.platform.visible("owner@acme.example")) + 1)

    def test_somebody_else_signs_in_while_an_export_is_watched(self):
        browser = self.browser
        first = browser.driver.current_window_handle
        with shared.platform.held(shared.worker):
            job = browser.export()
            browser.driver.switch_to.new_window("tab")
            browser.open("/administrators/accounts")
            with browser.next_page():
                browser.click("form[action='/sign-out'] button")
            browser.sign_in("Emma Europe", "Acme Corporation")
            own = browser.export()
        shared.platform.finish([job])
        self.assertEqual([row[1] for row in rows(browser.file())[1:]], shared.platform.visible("europe@acme.example"))
        self.assertEqual(browser.jobs(), [own], "another user's export is not shown")
        browser.driver.switch_to.window(first)
        browser.until(lambda: "Your session has ended" in browser.text("#progress-list"), "a message about it", 40)
        self.assertEqual(len(browser.files()), 1)
        browser.open("/administrators/accounts")
        with browser.next_page():
            browser.click("form[action='/sign-out'] button")
        browser.sign_in()
        browser.file(2)

    def test_the_session_ends_while_an_export_is_watched(self):
        browser = self.browser
        with shared.platform.held(shared.worker):
            job = browser.export()
            visitor = Visitor(shared.console)
            visitor.cookies = {cookie["name"]: cookie["value"] for cookie in browser.driver.get_cookies()}
            self.assertEqual(visitor.post("/sign-out", {"token": visitor.token()}).status, 303)
        browser.until(lambda: "Your session has ended" in browser.text("#progress-list"), "a message about it", 40)
        shared.platform.finish([job])
        self.assertEqual(browser.files(), [])
        # After another sign-in, the same user gets the file.
        browser.sign_in()
        browser.file()

    def test_the_service_is_started_anew_while_an_export_is_watched(self):
        browser = self.browser
        with shared.platform.held(shared.worker):
            browser.export()
            shared.api.end()
            browser.appears("#progress-list .trouble", "a message about it")
            shared.api = shared.platform.serve()
        browser.file()
        self.finished()
        self.assertFalse(browser.shows("#progress-list .trouble"))

    def test_the_console_is_started_anew_while_an_export_runs(self):
        # With a key file, sessions remain valid after a restart.
        key = SCRATCH / "key"
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
        first = Console(shared.platform, "--demo-sign-in", "--key-file", str(key))
        with Browser(first, self.downloads) as browser:
            browser.sign_in()
            with shared.platform.held(shared.worker):
                browser.export()
                first.close()
                browser.appears("#progress-list .trouble", "a message about it")
                self.assertIn("reconnecting", browser.text("#progress-list .trouble").lower())
                with Console(shared.platform, "--demo-sign-in", "--key-file", str(key), listen=f"127.0.0.1:{first.port}"):
                    shared.worker.signal(signal.SIGCONT)
                    browser.file()


class RecentExports(BrowserTestCase):
    def test_an_export_stays_in_the_list_with_download_delete_and_its_expiry(self):
        browser = self.browser
        job = browser.export()
        browser.file()
        browser.open("/administrators/exports")
        row = f"tr[data-job='{job}']"
        expires = shared.platform.sql(
            f"SELECT to_char(expires_at AT TIME ZONE 'Europe/Paris', 'FMMon FMDD, YYYY') FROM adminexport.job WHERE id = '{job}'")[0][0]
        self.assertIn(expires, browser.text(row))
        self.assertIn("Finished", browser.text(row))
        self.assertIn("Enabled only", browser.text(row))
        picture(browser, "exports")
        browser.click(f"{row} a[href$='/file']")
        browser.file(2)
        first, second = browser.files()[:2]
        self.assertEqual(first.read_bytes(), second.read_bytes())

        browser.click(f"{row} a.delete")
        self.assertTrue(browser.shows("#confirm-dialog"))
        self.assertEqual(browser.focused.get_attribute("id"), "confirm-keep", "the harmless button has the focus")
        browser.click("#confirm-keep")
        self.assertFalse(browser.shows("#confirm-dialog"))
        self.assertIn("delete", browser.focused.get_attribute("class"), "the focus returns")
        self.assertEqual(shared.platform.row(job)["state"], "succeeded")
        browser.click(f"{row} a.delete")
        with browser.next_page():
            browser.click("#confirm-delete")
        self.assertIn("Expired", browser.text(row))
        self.assertEqual(shared.platform.row(job)["state"], "expired")
        self.assertFalse(browser.shows(f"{row} a[href$='/file']"))
        self.assertTrue(browser.shows(f"{row} a[href$='/receipt']"), "the receipt outlives the file")

    def test_a_row_of_the_list_follows_its_export(self):
        browser = self.browser
        with shared.platform.held(shared.worker):
            job = browser.export()
            browser.open("/administrators/exports")
            self.assertEqual(browser.text(f"tr[data-job='{job}'] .state"), "Waiting")
            self.assertTrue(browser.shows(f"tr[data-job='{job}'] form[action$='/cancel']"))
            for part in ("file", "receipt"):
                self.assertFalse(browser.shows(f"tr[data-job='{job}'] a[href$='/{part}']"))
        browser.appears(f"tr[data-job='{job}'] a[href$='/file']", "its download")
        self.assertFalse(browser.shows(f"tr[data-job='{job}'] form[action$='/cancel']"))
        self.assertTrue(browser.shows(f"tr[data-job='{job}'] a[href$='/receipt']"))
        self.assertEqual(browser.text(f"tr[data-job='{job}'] .rows"), str(len(shared.platform.visible("owner@acme.example"))))

    def test_older_exports_are_on_pages_of_their_own(self):
        visitor = Visitor(shared.console).sign_in("europe@globex.example", "globex")
        ids = []
        for _ in range(21):
            ids.append(visitor.start())
            shared.platform.finish(ids[-1:])
        page = visitor.get("/administrators/exports").text
        self.assertEqual(re.findall(r'data-job="([^"]+)"', page), ids[:0:-1])
        older = visitor.get(re.search(r'rel="next" href="([^"]+)"', page)[1].replace("&amp;", "&")).text
        self.assertEqual(re.findall(r'data-job="([^"]+)"', older), ids[:1])
        self.assertEqual(visitor.get("/administrators/exports?cursor=nonsense").status, 303)


class Accounts(BrowserTestCase):
    def test_the_list_holds_what_the_export_holds(self):
        for name, administrator in (("Olivia Owner", "owner@acme.example"), ("Emma Europe", "europe@acme.example")):
            visitor = Visitor(shared.console).sign_in(administrator)
            listed = []
            path = "/administrators/accounts"
            while path:
                page = visitor.get(path).text
                listed += re.findall(r"<tr><th scope=\"row\">.*?</th><td>(.*?)</td>", page, re.S)
                following = re.search(r'rel="next" href="([^"]+)"', page)
                path = following and following[1].replace("&amp;", "&")
            self.assertEqual(listed, shared.platform.visible(administrator, all_accounts=True), name)

    def test_it_is_searched_and_turned_over(self):
        browser = self.browser
        self.assertEqual(browser.text("#count"), "Accounts: 25 of 300")
        first = browser.text("tbody tr:first-child")
        with browser.next_page():
            browser.click("[rel=next]")
        self.assertNotEqual(browser.text("tbody tr:first-child"), first, "the second page")
        with browser.next_page():
            browser.click("[rel=prev]")
        self.assertEqual(browser.text("tbody tr:first-child"), first, "the first page")
        with browser.next_page():
            browser.one("#search").send_keys("EUROPE@acme", Keys.ENTER)
        self.assertEqual(browser.text("#count"), "Accounts: 1 of 1")
        self.assertIn("Emma Europe", browser.text("tbody"))
        browser.one("#search").clear()
        with browser.next_page():
            browser.one("#search").send_keys("there is no such person", Keys.ENTER)
        self.assertIn("No account matches", browser.text("main"))
        browser.open("/administrators/accounts?status=disabled")
        self.assertEqual({cell.text for cell in browser.all("tbody .status")}, {"Disabled"})

    def test_a_position_that_is_none_leads_to_the_first_page(self):
        visitor = Visitor(shared.console).sign_in()
        for query in ("after=x", "after=%00", "before=';--", "after=99999999999999999999", "after=1&before=2", "status=nonsense"):
            self.assertIn(visitor.get(f"/administrators/accounts?{query}").status, (200, 303), query)


class WithoutPermission(BrowserTestCase):
    person = ("Hugo Helpdesk", "Acme Corporation")

    def test_there_is_no_export_action(self):
        browser = self.browser
        self.assertFalse(browser.all("#menu-button"))
        self.assertFalse(browser.all("#export-dialog"))
        self.assertFalse(browser.all("table.accounts"))
        self.assertIn("You do not have permission to view administrator accounts", browser.text("main"))
        browser.open("/administrators/exports")
        self.assertIn("You have not exported anything yet", browser.text("main"))

    def test_a_forged_request_is_refused(self):
        before = shared.platform.sql("SELECT count(*) FROM adminexport.job")
        visitor = Visitor(shared.console).sign_in("helpdesk@acme.example")
        self.assertEqual(visitor.get("/administrators/accounts/export").status, 403)
        answer = visitor.post("/exports", {"token": visitor.token("/administrators/exports")}, headers={"Accept": "application/json"})
        self.assertEqual(answer.status, 403)
        self.assertEqual(json.loads(answer.content)["kind"], "permission-denied")
        self.assertEqual(shared.platform.sql("SELECT count(*) FROM adminexport.job"), before)

    def test_somebody_who_may_no_more_gets_no_file(self):
        visitor = Visitor(shared.console).sign_in()
        job = visitor.start()
        shared.platform.finish([job])
        shared.platform.sql("UPDATE directory.administrator SET status = 'disabled' WHERE email = 'owner@acme.example'")
        try:
            self.assertEqual(visitor.get(f"/exports/{job}/file").status, 403)
        finally:
            shared.platform.sql("UPDATE directory.administrator SET status = 'enabled' WHERE email = 'owner@acme.example'")
        self.assertEqual(visitor.get(f"/exports/{job}/file").status, 200)


class Keyboard(BrowserTestCase):
    def tab_to(self, identifier, most=40):
        for _ in range(most):
            if self.browser.focused.get_attribute("id") == identifier:
                return
            self.browser.keys(Keys.TAB)
        self.fail(f"the tabulator does not lead to {identifier}")

    def test_an_export_with_the_keyboard_alone(self):
        browser = self.browser
        browser.keys(Keys.TAB)
        self.assertEqual(browser.focused.text, "Skip to the content")
        self.tab_to("menu-button")
        browser.keys(Keys.ENTER)
        self.assertEqual(browser.focused.get_attribute("id"), "menu-import")
        self.assertEqual(browser.one("#menu-button").get_attribute("aria-expanded"), "true")
        browser.keys(Keys.ARROW_DOWN)
        self.assertEqual(browser.focused.get_attribute("id"), "menu-export")
        browser.keys(Keys.ARROW_DOWN)
        self.assertEqual(browser.focused.get_attribute("id"), "menu-import", "from the last to the first")
        browser.keys(Keys.END, Keys.ENTER)
        browser.appears("#export-dialog")
        self.assertEqual(browser.focused.get_attribute("name"), "includeDisabled")
        browser.keys(Keys.SPACE)
        self.assertTrue(browser.focused.is_selected())
        self.tab_to("export-start")
        browser.keys(Keys.ENTER)
        browser.until(lambda: not browser.shows("#export-dialog"), "the dialog's end")
        self.assertEqual(browser.focused.get_attribute("id"), "menu-button", "the focus returns")
        browser.file()

    def test_the_focus_stays_in_the_dialog_and_escape_gives_it_back(self):
        browser = self.browser
        self.tab_to("menu-button")
        browser.keys(Keys.SPACE, Keys.END, Keys.ENTER)
        browser.appears("#export-dialog")
        inside = "return document.getElementById('export-dialog').contains(document.activeElement) || document.activeElement === document.body"
        seen = set()
        for _ in range(12):
            browser.keys(Keys.TAB)
            self.assertTrue(browser.driver.execute_script(inside), "the focus has left the dialog")
            seen.add(browser.focused.get_attribute("id") or browser.focused.get_attribute("name"))
        self.assertLessEqual({"includeDisabled", "export-cancel", "export-start"}, seen)
        browser.keys(Keys.ESCAPE)
        self.assertFalse(browser.shows("#export-dialog"))
        self.assertEqual(browser.focused.get_attribute("id"), "menu-button")

    def test_escape_closes_the_menu_and_the_progress_dialog(self):
        browser = self.browser
        self.tab_to("menu-button")
        browser.keys(Keys.ARROW_UP)
        self.assertEqual(browser.focused.get_attribute("id"), "menu-export")
        browser.keys(Keys.ESCAPE)
        self.assertFalse(browser.shows("#menu"))
        self.assertEqual(browser.focused.get_attribute("id"), "menu-button")
        with shared.platform.held(shared.worker):
            browser.export()
            self.tab_to("progress-show", 60)
            browser.keys(Keys.ENTER)
            self.assertTrue(browser.shows("#progress-dialog"))
            browser.keys(Keys.ESCAPE)
            self.assertFalse(browser.shows("#progress-dialog"))
            self.assertEqual(browser.focused.get_attribute("id"), "progress-show")

    def test_progress_is_said_and_not_too_often(self):
        browser = self.browser
        browser.driver.delete_all_cookies()
        browser.sign_in("Olivia Owner", "Vast Corporation")
        browser.driver.execute_script("""
            window.said = [];
            new MutationObserver(() => said.push(document.getElementById('announcer').textContent))
                .observe(document.getElementById('announcer'), {childList: true});""")
        self.assertEqual(browser.one("#announcer").get_attribute("aria-live"), "polite")
        browser.export()
        browser.file()
        self.finished()
        said = browser.driver.execute_script("return said")
        self.assertEqual(said[0], "The export was requested. You can continue to work.")
        self.assertRegex(said[-1], r"^Finished\. Accounts: [\d,]+\. File: administrators-vast-.*\.xlsx\.$")
        quarters = [line for line in said if line.startswith("Export: ")]
        self.assertLessEqual(set(quarters), {f"Export: {share}% done." for share in (25, 50, 75, 100)})
        self.assertEqual(len(said), len(set(said)), "no message is repeated")


class ForEveryone(BrowserTestCase):
    """Checks with axe-core, in both colour schemes and on a narrow screen, and checks that axe-core cannot do."""

    def axe(self, name):
        results = self.browser.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done)")
        violations = [f"{name}: {fault['id']} ({fault['help']}): {node['html'][:200]}"
                      for fault in results["violations"] for node in fault["nodes"]]
        self.assertEqual(violations, [])
        self.assertGreater(len(results["passes"]), 5)
        return 1

    def load(self):
        # Run the script as an extension does, because the page's policy forbids other scripts.
        self.browser.driver.execute_script(shared.axe.read_text())

    def test_axe_finds_no_violation(self):
        if not shared.axe:
            self.skipTest("pages are not held to axe-core: axe-playwright-python, which carries it, is not installed")
        browser = self.browser
        checked = files = 0
        for scheme in ("light", "dark"):
            for width in (1280, 360):
                browser.size(width, 800)
                browser.emulate(prefers_color_scheme=scheme)
                where = f"{scheme}, {width}"
                with shared.platform.held(shared.worker):
                    browser.open("/administrators/accounts")
                    self.load()
                    checked += self.axe(f"accounts, {where}")
                    browser.click("#menu-button")
                    checked += self.axe(f"menu, {where}")
                    browser.keys(Keys.ESCAPE)
                    browser.open_export()
                    checked += self.axe(f"export dialog, {where}")
                    browser.click("#export-start")
                    browser.appears("#progress-dialog")
                    checked += self.axe(f"progress, {where}")
                    browser.open("/administrators/exports")
                    browser.appears("#progress-dialog")
                    self.load()
                    checked += self.axe(f"exports while one runs, {where}")
                self.finished()
                # The next page would follow an export whose file has not arrived.
                files += 1
                browser.file(files)
                browser.open("/administrators/exports")
                self.load()
                checked += self.axe(f"exports, {where}")
                browser.click("a.delete:not([hidden])")
                checked += self.axe(f"confirmation, {where}")
                for path in ("/administrators/accounts/export", "/nothing-here"):
                    browser.open(path)
                    self.load()
                    checked += self.axe(f"{path}, {where}")
        browser.driver.delete_all_cookies()
        browser.open("/sign-in")
        self.load()
        checked += self.axe("sign-in")
        print(f"axe-core: {checked} looks at pages and dialogs, 0 violations", file=sys.stderr)

    def tearDown(self):
        self.expected_faults = r"404"
        super().tearDown()

    def test_reduced_motion_is_respected(self):
        browser = self.browser
        animation = "return getComputedStyle(document.getElementById('progress-dialog')).animationName"
        with shared.platform.held(shared.worker):
            browser.export()
            browser.appears("#progress-dialog")
            browser.emulate(prefers_reduced_motion="no-preference")
            self.assertEqual(browser.driver.execute_script(animation), "arrive")
            browser.emulate(prefers_reduced_motion="reduce")
            self.assertEqual(browser.driver.execute_script(animation), "none")
        self.finished()

    def test_a_narrow_screen_needs_no_scrolling_to_the_side_but_for_tables(self):
        browser = self.browser
        browser.export()
        browser.file()
        browser.size(320, 640)
        for language in ("en", "fr"):
            browser.open(f"/language?code={language}")
            for path in ("/administrators/accounts", "/administrators/exports", "/administrators/accounts/export"):
                browser.open(path)
                if path.endswith("exports"):
                    self.assertTrue(browser.all("#exports tbody tr"))
                self.assertLessEqual(browser.driver.execute_script("return document.documentElement.scrollWidth"), 320, path)
            browser.open("/administrators/accounts")
            browser.click("#menu-button")
            menu = browser.one("#menu").rect
            self.assertTrue(0 <= menu["x"] and menu["x"] + menu["width"] <= 320, menu)
            browser.click("#menu-export")
            browser.appears("#export-dialog")
            self.assertLessEqual(browser.one("#export-dialog").rect["width"], 320)
            browser.keys(Keys.ESCAPE)
        browser.driver.delete_all_cookies()
        browser.open("/language?code=fr&back=/sign-in")
        self.assertLessEqual(browser.driver.execute_script("return document.documentElement.scrollWidth"), 320)

    def test_what_has_the_focus_is_not_behind_the_progress(self):
        browser = self.browser
        browser.size(320, 640)
        with shared.platform.held(shared.worker):
            browser.export()
            browser.appears("#progress-dialog")
            for identifier in ("search", "status", "menu-button"):
                browser.driver.execute_script("document.getElementById(arguments[0]).focus()", identifier)
                covered = browser.driver.execute_script("""
                    const box = document.getElementById(arguments[0]).getBoundingClientRect();
                    const panel = document.getElementById('progress-dialog').getBoundingClientRect();
                    return box.top < 0 || box.bottom > panel.top;""", identifier)
                self.assertFalse(covered, identifier)
            browser.keys(Keys.ESCAPE)
            self.assertFalse(browser.shows("#progress-dialog"), "Escape hides the dialog from anywhere")
            browser.click("#progress-show")
            browser.size(320, 256)
            self.assertEqual(
                browser.driver.execute_script("return getComputedStyle(document.getElementById('progress-dialog')).position"), "static")
            browser.click("#progress-list [data-do=cancel]")
            browser.until(lambda: "Cancelled" in browser.text("#progress-list"))
            self.assertEqual(browser.focused.get_attribute("id"), "progress-heading", "the focus is not lost with the button")


class Languages(BrowserTestCase):
    options = {"language": "fr"}
    person = None

    def test_a_browser_that_asks_for_french_gets_french(self):
        browser = self.browser
        browser.open("/sign-in")
        self.assertEqual(browser.one("html").get_attribute("lang"), "fr")
        self.assertEqual(browser.text("h1"), "Connexion")
        browser.sign_in()
        self.assertEqual(browser.text("#menu-button"), "Importer / Exporter")
        self.assertRegex(browser.text("#count"), r"^Comptes\s: 25 sur 300$")
        browser.export()
        browser.file()
        browser.until(lambda: browser.text("#progress-heading") == "Export terminé")
        with browser.next_page():
            browser.click(".languages [hreflang=en]")
        self.assertEqual(browser.text("h1"), "Accounts")
        browser.open("/administrators/exports")
        self.assertEqual(browser.text("h1"), "Recent exports", "the choice stays")


class WithoutScripts(BrowserTestCase):
    options = {"javascript": False}

    def test_an_export_is_started_and_downloaded(self):
        browser = self.browser
        with browser.next_page():
            browser.click("#menu-button")
        self.assertEqual(browser.path, "/administrators/accounts/export", "the form on a separate page")
        with browser.next_page():
            browser.click("#export-start")
        self.assertEqual(browser.path, "/administrators/exports", "the list")
        job = shared.platform.sql("SELECT id FROM adminexport.job ORDER BY id DESC LIMIT 1")[0][0]

        def has_file():
            if browser.all(f"tr[data-job='{job}'] a[href$='/file']:not([hidden])"):
                return True
            with browser.next_page():
                browser.driver.find_element(By.LINK_TEXT, "Refresh").click()
            return False
        browser.until(has_file, "its file")
        browser.click(f"tr[data-job='{job}'] a[href$='/file']")
        self.assertEqual(len(rows(browser.file())), len(shared.platform.visible("owner@acme.example")) + 1)
        with browser.next_page():
            browser.click(f"tr[data-job='{job}'] a.delete")
        self.assertTrue(browser.path.endswith("/delete"), "the question on a separate page")
        with browser.next_page():
            browser.click("#confirm-delete")
        self.assertEqual(browser.path, "/administrators/exports", "the list")
        self.assertEqual(shared.platform.row(job)["state"], "expired")
