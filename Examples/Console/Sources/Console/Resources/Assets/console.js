// What the pages do beyond what they do without scripts: the menu, the dialogs, the export's progress, and its download.
//
// Of all tabs of a visitor one listens to the service and tells the others: a browser has few connections to a host, and a file is
// to be downloaded once. Texts come from the server, in the visitor's language; nothing here makes HTML of a text.

const byID = (id) => document.getElementById(id);
const visitor = document.body.dataset.visitor;

function send(path, body) {
    return fetch(path, { method: "POST", headers: { Accept: "application/json" }, body });
}

function newKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// ---- What is remembered beyond a page: the exports that were started here, whose files are to be downloaded.

const pending = {
    key: `adminexport-pending-${visitor}`,
    all() {
        try {
            const ids = JSON.parse(localStorage.getItem(this.key));
            return Array.isArray(ids) ? ids.filter((id) => typeof id === "string").slice(-20) : [];
        } catch {
            return [];
        }
    },
    save(ids) {
        try {
            if (ids.length) localStorage.setItem(this.key, JSON.stringify(ids));
            else localStorage.removeItem(this.key);
        } catch {
            // A browser that keeps nothing still downloads what ends on this page.
        }
    },
    add(id) { this.save([...this.all(), id]); },
    /** Whether it was there. */
    take(id) {
        const ids = this.all();
        this.save(ids.filter((other) => other !== id));
        return ids.includes(id);
    },
};

const hidden = {
    key: "adminexport-progress-hidden",
    get value() { try { return sessionStorage.getItem(this.key) === "yes"; } catch { return false; } },
    set value(isHidden) { try { sessionStorage.setItem(this.key, isHidden ? "yes" : "no"); } catch { /* as above */ } },
};

// ---- The progress dialog

class ProgressDialog {
    constructor(exports) {
        this.exports = exports;
        this.dialog = byID("progress-dialog");
        this.list = byID("progress-list");
        this.showButton = byID("progress-show");
        this.items = new Map();
        this.announced = new Map();
        byID("progress-hide").addEventListener("click", () => this.hide());
        this.showButton.addEventListener("click", () => this.show(true));
        this.dialog.addEventListener("keydown", (event) => {
            if (event.key === "Escape") this.hide();
        });
        this.list.addEventListener("click", (event) => this.act(event.target.closest("[data-do]")));
    }

    show(takesFocus = false) {
        hidden.value = false;
        this.dialog.setAttribute("open", "");
        if (takesFocus) byID("progress-heading").focus();
    }

    hide() {
        const hadFocus = this.dialog.contains(document.activeElement);
        hidden.value = true;
        this.dialog.removeAttribute("open");
        if (hadFocus) (this.showButton.hidden ? byID("menu-button") ?? byID("content") : this.showButton).focus();
    }

    item(id) {
        let item = this.items.get(id);
        if (!item) {
            item = byID("progress-item").content.firstElementChild.cloneNode(true);
            item.dataset.job = id;
            this.items.set(id, item);
            this.list.append(item);
            if (!hidden.value) this.dialog.setAttribute("open", "");
        }
        return item;
    }

    update(view) {
        const item = this.item(view.id);
        item.view = view;
        item.querySelector(".state").textContent = view.percentText && !view.isFinal ? `${view.title}, ${view.percentText}` : view.title;
        item.querySelector(".text").textContent = view.text;
        item.querySelector(".trouble").hidden = true;
        const bar = item.querySelector("progress");
        bar.hidden = view.isFinal && !view.hasFile;
        if (view.percent === undefined || view.percent === null) bar.removeAttribute("value");
        else bar.value = view.percent;
        this.button(item, "cancel").hidden = !view.canCancel;
        this.button(item, "download").hidden = !view.hasFile;
        this.button(item, "download").href = `/exports/${view.id}/file`;
        this.button(item, "dismiss").hidden = !view.isFinal;
        if (view.state === "failed") this.show();
        this.announce(view);
        this.summary();
    }

    trouble(id, text) {
        const note = this.item(id).querySelector(".trouble");
        note.textContent = text;
        note.hidden = false;
    }

    gone(id) {
        if (!this.items.has(id)) return;
        this.trouble(id, this.dialog.dataset.gone);
        this.button(this.item(id), "cancel").hidden = true;
        this.button(this.item(id), "dismiss").hidden = false;
        this.item(id).querySelector("progress").hidden = true;
    }

    button(item, name) { return item.querySelector(`[data-do="${name}"]`); }

    async act(button) {
        if (!button) return;
        const item = button.closest("li");
        const id = item.dataset.job;
        if (button.dataset.do === "dismiss") {
            const hadFocus = item.contains(document.activeElement);
            item.remove();
            this.items.delete(id);
            this.summary();
            if (!this.items.size) this.dialog.removeAttribute("open");
            if (hadFocus) (this.items.size ? byID("progress-heading") : byID("menu-button") ?? byID("content")).focus();
        } else if (button.dataset.do === "cancel") {
            button.disabled = true;
            const answer = await this.exports.cancel(id);
            button.disabled = false;
            if (answer.text !== undefined && answer.id === undefined) this.trouble(id, answer.text);
        }
    }

    /** The heading, and the share in the page's head, where it is seen while the dialog is hidden. */
    summary() {
        const views = [...this.items.values()].map((item) => item.view).filter(Boolean);
        const running = views.filter((view) => !view.isFinal);
        const shown = running[0] ?? views.at(-1);
        if (shown) byID("progress-heading").textContent = shown.heading;
        this.showButton.hidden = !views.length;
        byID("progress-share").textContent = shown ? shown.percentText || shown.title : "";
    }

    announce(view) {
        if (!view.announcement || this.announced.get(view.id) === view.announcement) return;
        this.announced.set(view.id, view.announcement);
        byID("announcer").textContent = view.announcement;
    }
}

// ---- The exports: one tab listens, all are told

class Exports {
    /** Tries to listen again, until it is given up. */
    static mostTries = 60;

    constructor() {
        this.dialog = new ProgressDialog(this);
        this.followed = new Set([...document.body.dataset.active.split(" ").filter(Boolean), ...pending.all()]);
        this.views = new Map();
        this.isListening = false;
        this.tries = 0;
        this.channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(`adminexport-${visitor}`) : null;
        if (this.channel) this.channel.onmessage = (event) => this.hear(event.data);
        this.channel?.postMessage({ hello: true });
        const listen = () => { this.isListening = true; this.listen(); };
        if (navigator.locks && this.channel) {
            // Held as long as this page lives; then it is another tab's.
            navigator.locks.request(`adminexport-${visitor}`, () => { listen(); return new Promise(() => {}); });
        } else {
            listen();
        }
    }

    /** A message of another tab. */
    hear(message) {
        if (message.view) this.receive(message.view, false);
        if (message.gone) this.dialog.gone(message.gone);
        if (message.follow && this.isListening) this.follow(message.follow);
        if (message.hello && this.isListening) {
            for (const view of this.views.values()) if (!view.isFinal) this.channel.postMessage({ view });
        }
    }

    /** An export that was started on this page. */
    began(view) {
        pending.add(view.id);
        hidden.value = false;
        this.receive(view, true);
        if (this.isListening) this.follow(view.id);
        else this.channel?.postMessage({ follow: view.id });
    }

    async cancel(id) {
        try {
            const response = await send(`/exports/${id}/cancel`, new URLSearchParams({ token: byID("token").value }));
            const answer = await response.json();
            if (response.ok) this.receive(answer, true);
            return answer;
        } catch {
            return { text: this.dialog.dialog.dataset.offline };
        }
    }

    follow(id) {
        if (this.followed.has(id)) return;
        this.followed.add(id);
        this.listen();
    }

    /** Listens to what becomes of the exports that are followed. */
    listen() {
        clearTimeout(this.timer);
        this.source?.close();
        this.source = null;
        const ids = [...this.followed].slice(-20);
        if (!this.isListening || !ids.length) return;
        const source = new EventSource(`/exports/events?${ids.map((id) => `job=${encodeURIComponent(id)}`).join("&")}`);
        this.source = source;
        source.addEventListener("open", () => { this.tries = 0; });
        source.addEventListener("job", (event) => this.receive(JSON.parse(event.data), true));
        source.addEventListener("gone", (event) => {
            const { id } = JSON.parse(event.data);
            pending.take(id);
            this.followed.delete(id);
            this.dialog.gone(id);
            this.channel?.postMessage({ gone: id });
        });
        source.addEventListener("trouble", (event) => {
            const { id, text } = JSON.parse(event.data);
            if (this.views.has(id)) this.dialog.trouble(id, text);
        });
        source.addEventListener("end", () => { source.close(); });
        source.addEventListener("error", () => {
            for (const id of ids) if (this.views.has(id)) this.dialog.trouble(id, this.dialog.dialog.dataset.offline);
            // A connection that broke is made again by the browser; one that was refused is not.
            if (source.readyState !== EventSource.CLOSED || this.source !== source) return;
            this.tries += 1;
            if (this.tries < Exports.mostTries) this.timer = setTimeout(() => this.listen(), Math.min(30_000, 1_000 * this.tries));
        });
    }

    receive(view, isFirstHand) {
        const known = this.views.get(view.id);
        // Two ways lead here, and one may be late.
        if (known && (known.isFinal || known.revision > view.revision)) return;
        this.views.set(view.id, view);
        this.dialog.update(view);
        if (isFirstHand) this.channel?.postMessage({ view });
        if (view.isFinal) {
            this.followed.delete(view.id);
            if (this.isListening || !this.channel) {
                if (pending.take(view.id) && view.hasFile) this.download(view.id);
            }
        }
        showInList(view);
    }

    download(id) {
        const link = document.createElement("a");
        link.href = `/exports/${id}/file`;
        link.download = "";
        document.body.append(link);
        link.click();
        link.remove();
    }
}

/** The list of exports: what runs is told, what has ended is shown as the server has it. */
function showInList(view) {
    const row = document.querySelector(`tr[data-job="${CSS.escape(view.id)}"]`);
    if (!row || ["succeeded", "failed", "cancelled", "expired"].includes(row.dataset.state)) return;
    row.dataset.state = view.state;
    row.querySelector(".state").textContent = view.title;
    const text = row.querySelector(".text");
    if (text) text.textContent = view.text;
    if (view.isFinal) setTimeout(() => { if (!document.querySelector("dialog:modal")) location.reload(); }, 1_000);
}

// ---- The menu (ARIA Authoring Practices, menu button)

function setUpMenu(openExport) {
    const button = byID("menu-button");
    const menu = byID("menu");
    const items = [...menu.querySelectorAll('[role="menuitem"]')];
    button.setAttribute("role", "button");
    button.setAttribute("aria-haspopup", "menu");
    button.setAttribute("aria-controls", "menu");
    button.setAttribute("aria-expanded", "false");

    const open = (index) => {
        menu.hidden = false;
        button.setAttribute("aria-expanded", "true");
        items.at(index).focus();
    };
    const close = (givesFocusBack = true) => {
        if (menu.hidden) return;
        menu.hidden = true;
        button.setAttribute("aria-expanded", "false");
        if (givesFocusBack) button.focus();
    };
    button.addEventListener("click", (event) => {
        event.preventDefault();
        if (menu.hidden) open(0); else close();
    });
    button.addEventListener("keydown", (event) => {
        if (event.key === " ") { event.preventDefault(); button.click(); }
        if (event.key === "ArrowDown") { event.preventDefault(); open(0); }
        if (event.key === "ArrowUp") { event.preventDefault(); open(-1); }
    });
    menu.addEventListener("keydown", (event) => {
        const index = items.indexOf(document.activeElement);
        const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 }[event.key];
        if (next !== undefined) {
            event.preventDefault();
            items.at(next % items.length).focus();
        } else if (event.key === "Escape") {
            close();
        } else if (event.key === "Tab") {
            close(false);
        }
    });
    document.addEventListener("click", (event) => {
        if (!menu.contains(event.target) && !button.contains(event.target)) close(false);
    });
    byID("menu-export").addEventListener("click", () => {
        // The dialog gives the focus back to what had it before: the button, not an item that is hidden by then.
        close();
        openExport();
    });
}

// ---- The export dialog

function setUpExport(exports) {
    const form = byID("export-form");
    const dialog = byID("export-dialog");
    const start = byID("export-start");
    const problem = byID("export-problem");
    form.setAttribute("autocomplete", "off");

    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        if (start.disabled) return;
        start.disabled = true;
        problem.hidden = true;
        try {
            const response = await send("/exports", new URLSearchParams(new FormData(form)));
            const answer = await response.json();
            if (!response.ok) throw answer.text;
            // The next one is another export. Until here a second try would have been this one.
            form.elements.idempotencyKey.value = newKey();
            form.elements.includeDisabled.checked = false;
            dialog?.close();
            exports.dialog.show();
            byID("announcer").textContent = exports.dialog.dialog.dataset.started;
            exports.began(answer);
            if (!dialog) location.assign("/administrators/exports");
        } catch (error) {
            problem.textContent = typeof error === "string" ? error : exports.dialog.dialog.dataset.offline;
            problem.hidden = false;
        } finally {
            start.disabled = false;
        }
    });
    if (!dialog) return;
    byID("export-cancel").addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
    setUpMenu(() => {
        problem.hidden = true;
        form.elements.includeDisabled.checked = false;
        dialog.showModal();
        form.elements.includeDisabled.focus();
    });
}

// ---- Deleting asks first

function setUpDeletes() {
    const dialog = byID("confirm-dialog");
    let form = null;
    document.addEventListener("submit", (event) => {
        if (!event.target.matches("form.delete")) return;
        event.preventDefault();
        form = event.target;
        dialog.returnValue = "keep";
        dialog.showModal();
    });
    dialog.addEventListener("close", () => {
        if (dialog.returnValue === "delete") form?.submit();
        form = null;
    });
}

if (visitor) {
    const exports = new Exports();
    if (byID("export-form")) setUpExport(exports);
    if (byID("confirm-dialog")) setUpDeletes();
}
