// The functions of the pages that need scripts: the menu, the dialogs, the progress of exports, and automatic downloads.
//
// One tab of a user receives the event stream and informs the others, because a browser opens few connections to a host. The texts come
// from the server, in the user's language. This script never converts a text to HTML.

const byID = (id) => document.getElementById(id);
const visitor = document.body.dataset.visitor;
// Tabs in another language have a separate event stream.
const group = `${visitor}-${document.documentElement.lang}`;

function send(path, fields) {
    return fetch(path, { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(fields) });
}

function newKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Runs the body while no other tab runs one of this name. Without locks (plain HTTP), runs it at once. */
function alone(name, body) {
    return navigator.locks ? navigator.locks.request(`adminexport-${name}`, body) : body();
}

// ---- Storage. Each value has its own entry, so that tabs do not overwrite each other's values.

class Memory {
    /** Values that the browser refused to store. Other tabs do not see them. */
    own = new Map();

    constructor(storage, kind) {
        this.storage = storage;
        this.prefix = `adminexport-${kind}-${visitor}-`;
    }

    set(name, value) {
        try {
            this.storage().setItem(this.prefix + name, value);
            this.own.delete(name);
        } catch {
            this.own.set(name, value);
        }
    }

    get(name) {
        try { return this.storage().getItem(this.prefix + name) ?? this.own.get(name) ?? null; } catch { return this.own.get(name) ?? null; }
    }

    /** Removes the value; returns whether there was one. */
    take(name) {
        const value = this.get(name);
        this.own.delete(name);
        try { this.storage().removeItem(this.prefix + name); } catch { /* As above. */ }
        return value !== null;
    }

    names() {
        const names = new Set(this.own.keys());
        try {
            for (const key of Object.keys(this.storage())) if (key.startsWith(this.prefix)) names.add(key.slice(this.prefix.length));
        } catch { /* As above. */ }
        return [...names];
    }
}

/** Exports that were started in this browser and whose files it downloads automatically. */
const pending = new Memory(() => localStorage, "pending");
/** Requests to start an export that have no answer yet: the key of the form, with the time and the options. */
const starting = new Memory(() => localStorage, "starting");
/** Values of this tab: the announced texts, and whether the progress dialog is hidden. */
const tab = new Memory(() => sessionStorage, "tab");

// ---- The progress dialog

class ProgressDialog {
    constructor(exports) {
        this.exports = exports;
        this.dialog = byID("progress-dialog");
        this.words = this.dialog.dataset;
        this.list = byID("progress-list");
        this.showButton = byID("progress-show");
        this.items = new Map();
        byID("progress-hide").addEventListener("click", () => this.hide());
        this.showButton.addEventListener("click", () => this.show(true));
        document.addEventListener("keydown", (event) => {
            if (event.key !== "Escape" || event.defaultPrevented || !this.dialog.open || document.querySelector("dialog:modal")) return;
            this.hide();
        });
        this.list.addEventListener("click", (event) => this.act(event.target.closest("[data-do]")));
    }

    show(takesFocus = false) {
        tab.take("hidden");
        this.dialog.setAttribute("open", "");
        if (takesFocus) byID("progress-heading").focus();
    }

    hide() {
        const hadFocus = this.dialog.contains(document.activeElement);
        tab.set("hidden", "yes");
        this.dialog.removeAttribute("open");
        if (hadFocus) this.outside().focus();
    }

    /** The element that receives the focus when the dialog is hidden. */
    outside() {
        return this.showButton.hidden ? byID("menu-button") ?? byID("content") : this.showButton;
    }

    item(id) {
        let item = this.items.get(id);
        if (!item) {
            item = byID("progress-item").content.firstElementChild.cloneNode(true);
            item.dataset.job = id;
            this.items.set(id, item);
            this.list.append(item);
            if (!tab.get("hidden")) this.dialog.setAttribute("open", "");
        }
        return item;
    }

    update(view) {
        const item = this.item(view.id);
        const focused = item.contains(document.activeElement) ? document.activeElement : null;
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
        this.say(`view-${view.id}`, view.announcement);
        this.summary();
        // The element with the focus may be hidden now.
        if (focused && !focused.checkVisibility()) byID("progress-heading").focus();
    }

    /** Shows a problem of an export. */
    trouble(id, text) {
        const note = this.items.get(id)?.querySelector(".trouble");
        if (!note) return;
        note.textContent = text;
        note.hidden = false;
        this.say(`trouble-${id}`, text);
    }

    /** Hides the problems of running exports. */
    calm() {
        for (const [id, item] of this.items) {
            if (!item.view?.isFinal) item.querySelector(".trouble").hidden = true;
            tab.take(`trouble-${id}`);
        }
    }

    gone(id) {
        if (!this.items.has(id)) return;
        const { gone: text, goneTitle: title } = this.words;
        this.update({ id, state: "gone", title, heading: title, text, isFinal: true, percentText: "", announcement: text });
    }

    button(item, name) { return item.querySelector(`[data-do="${name}"]`); }

    async act(button) {
        if (!button || button.getAttribute("aria-disabled") === "true") return;
        const item = button.closest("li");
        const id = item.dataset.job;
        if (button.dataset.do === "dismiss") {
            item.remove();
            this.items.delete(id);
            this.summary();
            if (!this.items.size) this.dialog.removeAttribute("open");
            (this.items.size ? byID("progress-heading") : this.outside()).focus();
        } else if (button.dataset.do === "cancel") {
            // Do not disable the button, because a disabled button loses the focus.
            button.setAttribute("aria-disabled", "true");
            const problem = await this.exports.cancel(id);
            button.removeAttribute("aria-disabled");
            if (problem) this.trouble(id, problem);
        }
    }

    /** Updates the heading, and the percentage in the page's header, which is visible while the dialog is hidden. */
    summary() {
        const views = [...this.items.values()].map((item) => item.view).filter(Boolean);
        const shown = views.find((view) => !view.isFinal) ?? views.at(-1);
        if (shown) byID("progress-heading").textContent = shown.heading;
        this.showButton.hidden = !views.length;
        byID("progress-share").textContent = shown ? shown.percentText || shown.title : "";
    }

    /** Announces a text to screen readers, once in this tab. */
    say(about, text) {
        if (!text || tab.get(about) === text) return;
        tab.set(about, text);
        byID("announcer").textContent = text;
    }
}

// ---- The exports: one tab receives events and informs all others

class Exports {
    /** The maximum number of exports in a stream. */
    static maxFollowed = 20;
    /** The maximum number of attempts to reconnect. Later attempts start when the page becomes visible or the browser is online again. */
    static maxTries = 60;
    /** The age after which a request to start without an answer is not sent again, in milliseconds. */
    static startIsOld = 5 * 60_000;

    constructor() {
        this.dialog = new ProgressDialog(this);
        this.followed = new Set([...document.body.dataset.active.split(" ").filter(Boolean), ...pending.names()]);
        this.views = new Map();
        this.isListening = false;
        this.isOver = false;
        this.tries = 0;
        this.channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(`adminexport-${group}`) : null;
        if (this.channel) this.channel.onmessage = (event) => this.hear(event.data);
        this.tell({ hello: [...this.followed] });
        // This page holds the lock until it closes. Without locks, each tab opens a stream.
        alone(`listener-${group}`, () => {
            this.isListening = true;
            this.listen();
            return new Promise(() => {});
        });
        for (const event of ["online", "visibilitychange"]) {
            (event === "online" ? window : document).addEventListener(event, () => {
                if (document.hidden || !this.isListening || this.source?.readyState === EventSource.OPEN) return;
                this.tries = 0;
                this.listen();
            });
        }
        this.askAgain();
    }

    tell(message) { this.channel?.postMessage(message); }

    /** The server refuses requests with this field if another user has signed in. */
    static asVisitor = `visitor=${encodeURIComponent(visitor)}`;

    /** Receives a message from another tab. */
    hear(message) {
        if (message.view) this.receive(message.view);
        if (message.gone) this.gone(message.gone);
        if (message.trouble) this.dialog.trouble(message.trouble.id, message.trouble.text);
        if (message.hello) {
            this.follow(message.hello);
            // An export may have ended while the other page was loading.
            for (const view of this.views.values()) {
                if (message.hello.includes(view.id) || (this.isListening && !view.isFinal)) this.tell({ view });
            }
        }
    }

    /** Starts an export. If the same form is sent again, the service returns the same export.
     *
     * @returns the text of a refusal, or null.
     */
    async start(form, isSecondTry = false) {
        const key = form.elements.idempotencyKey.value;
        // If the user leaves the page before the answer arrives, the next page sends the request again.
        starting.set(key, JSON.stringify({ at: Date.now(), options: options(form) }));
        const response = await send("/exports", new FormData(form));
        const answer = await response.json();
        starting.take(key);
        if (response.ok && answer.isFinal && !answer.hasFile && !isSecondTry) {
            // The key belongs to an earlier export, which has ended without a file.
            form.elements.idempotencyKey.value = newKey();
            return this.start(form, true);
        }
        if (!response.ok) return answer.text;
        this.began(answer);
        return null;
    }

    began(view) {
        pending.set(view.id, String(Date.now()));
        tab.take("hidden");
        this.dialog.say(`started-${view.id}`, this.dialog.words.started);
        this.follow([view.id]);
        this.tell({ hello: [view.id] });
        this.receive(view, true);
    }

    /** Sends requests again whose page closed before the answer arrived. */
    async askAgain() {
        for (const key of starting.names()) {
            let start = null;
            try { start = JSON.parse(starting.get(key)); } catch { /* The entry is not valid JSON. */ }
            if (!starting.take(key) || !start || !(Date.now() - start.at < Exports.startIsOld)) continue;
            try {
                const chosen = Object.fromEntries((start.options || []).map((name) => [name, "on"]));
                const fields = { token: byID("token").value, idempotencyKey: key, ...chosen };
                const response = await send("/exports", fields);
                if (response.ok) this.began(await response.json());
            } catch {
                starting.set(key, JSON.stringify(start));
            }
        }
    }

    /** @returns the text of a refusal, or null. */
    async cancel(id) {
        try {
            const response = await send(`/exports/${id}/cancel`, { token: byID("token").value });
            const answer = await response.json();
            if (!response.ok) return answer.text;
            this.receive(answer, true);
            return null;
        } catch {
            return this.dialog.words.offline;
        }
    }

    follow(ids) {
        const others = ids.filter((id) => !this.followed.has(id) && !this.views.get(id)?.isFinal);
        for (const id of others) this.followed.add(id);
        if (others.length) this.listen();
    }

    /** Opens the event stream for the exports that this page follows. */
    listen() {
        clearTimeout(this.timer);
        this.source?.close();
        this.source = null;
        if (!this.isListening || this.isOver) return;
        // The page may have waited long for the lock.
        for (const id of pending.names()) {
            const view = this.views.get(id);
            if (!view?.isFinal) this.followed.add(id);
            // The tab that had the stream before has reported the end and has closed.
            else alone(`download-${visitor}`, () => this.download(view));
        }
        const ids = [...this.followed].slice(0, Exports.maxFollowed);
        if (!ids.length) return;
        const source = new EventSource(`/exports/events?${ids.map((id) => `job=${encodeURIComponent(id)}`).join("&")}&${Exports.asVisitor}`);
        this.source = source;
        source.addEventListener("open", () => {
            this.tries = 0;
            this.dialog.calm();
        });
        source.addEventListener("job", (event) => this.receive(JSON.parse(event.data), true));
        source.addEventListener("gone", (event) => {
            const { id } = JSON.parse(event.data);
            pending.take(id);
            this.gone(id);
            this.tell({ gone: id });
        });
        source.addEventListener("trouble", (event) => this.trouble(JSON.parse(event.data)));
        // These exports are in a final state; there may be others.
        source.addEventListener("end", () => this.listen());
        source.addEventListener("signed-out", () => this.signedOut());
        source.addEventListener("error", () => this.retry(source));
    }

    async retry(source) {
        if (this.source !== source) return;
        for (const id of this.followed) this.trouble({ id, text: this.dialog.words.offline });
        // The browser reconnects after a lost connection, but not after a refusal.
        if (source.readyState !== EventSource.CLOSED) return;
        const isSignedOut = await this.isSignedOut();
        if (this.source !== source) return;
        if (isSignedOut) return this.signedOut();
        this.tries += 1;
        if (this.tries < Exports.maxTries) {
            this.timer = setTimeout(() => this.listen(), Math.min(30_000, 1_000 * this.tries));
        } else {
            for (const id of this.followed) this.trouble({ id, text: this.dialog.words.givenUp });
        }
    }

    /** Whether the user has signed out, or another user has signed in. */
    async isSignedOut() {
        try {
            const response = await fetch("/session", { headers: { Accept: "application/json" } });
            return response.status === 401 || (response.ok && (await response.json()).visitor !== visitor);
        } catch {
            return false;
        }
    }

    /** Stops all requests of this page. The pending downloads remain stored for the user's next sign-in. */
    signedOut() {
        this.isOver = true;
        this.source?.close();
        this.source = null;
        for (const id of this.followed) this.trouble({ id, text: this.dialog.words.signedOut });
        this.followed.clear();
    }

    trouble({ id, text }) {
        this.dialog.trouble(id, text);
        this.tell({ trouble: { id, text } });
    }

    gone(id) {
        this.followed.delete(id);
        this.dialog.gone(id);
    }

    receive(view, isFirstHand = false) {
        const known = this.views.get(view.id);
        // Views arrive from the stream and from other tabs; ignore the older one.
        if (known && (known.isFinal || known.revision > view.revision)) return;
        this.views.set(view.id, view);
        if (view.isFinal) this.followed.delete(view.id);
        else this.followed.add(view.id);
        this.dialog.update(view);
        showInList(view);
        if (isFirstHand) this.tell({ view });
        if (view.isFinal && isFirstHand) alone(`download-${visitor}`, () => this.download(view));
    }

    /** Downloads the file, if it is pending and no other tab has downloaded it. */
    async download(view) {
        if (!view.hasFile) return pending.take(view.id);
        if (this.isOver || pending.get(view.id) === null) return;
        const file = `/exports/${view.id}/file?${Exports.asVisitor}`;
        try {
            const response = await fetch(file, { method: "HEAD" });
            if (!response.ok) {
                if ([403, 404, 410].includes(response.status)) pending.take(view.id);
                const { signedOut, notDownloaded } = this.dialog.words;
                return this.dialog.trouble(view.id, response.status === 401 ? signedOut : notDownloaded);
            }
        } catch {
            return this.dialog.trouble(view.id, this.dialog.words.notDownloaded);
        }
        if (!pending.take(view.id)) return;
        const link = document.createElement("a");
        link.href = file;
        link.download = "";
        document.body.append(link);
        link.click();
        link.remove();
    }
}

/** Updates the row of an export in the list of exports. */
function showInList(view) {
    const row = document.querySelector(`tr[data-job="${CSS.escape(view.id)}"]`);
    if (!row) return;
    const focused = row.contains(document.activeElement) ? document.activeElement : null;
    row.querySelector(".state").textContent = view.title;
    row.querySelector(".text").textContent = view.hasFile ? "" : view.text;
    for (const name of ["rows", "size", "expires"]) row.querySelector(`.${name}`).textContent = view[name];
    for (const part of row.querySelectorAll("[data-if]")) part.hidden = !view[part.dataset.if];
    if (focused && !focused.checkVisibility()) (row.querySelector("a:not([hidden])") ?? byID("content")).focus();
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
            event.preventDefault();
            close();
        } else if (event.key === "Tab") {
            close(false);
        }
    });
    document.addEventListener("click", (event) => {
        if (!menu.contains(event.target) && !button.contains(event.target)) close(false);
    });
    byID("menu-export").addEventListener("click", () => {
        // The dialog returns the focus to the element that had it before. This must be the button, because the menu item will be hidden.
        close();
        openExport();
    });
}

// ---- The export dialog

/** The checkboxes of an export form. */
function checkboxes(form) {
    return [...form.querySelectorAll("input[type=checkbox]")];
}

/** The names of the fields with the value "on". */
function options(form) {
    return [...form.elements].filter((field) => field.value === "on" && (field.type === "hidden" || field.checked)).map((field) => field.name);
}

function setUpExport(exports) {
    const form = byID("export-form");
    const dialog = byID("export-dialog");
    const start = byID("export-start");
    const problem = byID("export-problem");
    const { idempotencyKey } = form.elements;
    const boxes = checkboxes(form);
    // Other options need another key.
    for (const box of boxes) box.addEventListener("change", () => { idempotencyKey.value = newKey(); });

    let isSending = false;
    let isLeaving = false;
    window.addEventListener("beforeunload", () => { isLeaving = true; });
    window.addEventListener("pageshow", () => { isLeaving = false; });
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        if (isSending) return;
        isSending = true;
        // The click on a download also fired beforeunload.
        isLeaving = false;
        start.setAttribute("aria-disabled", "true");
        problem.hidden = true;
        let text = null;
        try {
            text = await exports.start(form);
        } catch {
            // The request may have arrived. Show this to the user, who can try again. If the user leaves the page, the next page sends it.
            if (!isLeaving) starting.take(idempotencyKey.value);
            text = exports.dialog.words.offlineStart;
        }
        isSending = false;
        start.removeAttribute("aria-disabled");
        if (text) {
            problem.textContent = text;
            problem.hidden = false;
        } else if (dialog) {
            idempotencyKey.value = newKey();
            dialog.close();
            exports.dialog.show();
        } else {
            location.assign("/administrators/exports");
        }
    });
    if (!dialog) return;
    byID("export-cancel").addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
    setUpMenu(() => {
        problem.hidden = true;
        for (const box of boxes.filter((box) => box.checked !== box.defaultChecked)) {
            box.checked = box.defaultChecked;
            idempotencyKey.value = newKey();
        }
        dialog.showModal();
        boxes[0].focus();
    });
}

// ---- The confirmation before a deletion

function setUpDeletes() {
    const dialog = byID("confirm-dialog");
    document.addEventListener("click", (event) => {
        const link = event.target.closest("a.delete");
        if (!link) return;
        event.preventDefault();
        dialog.querySelector("form").action = link.getAttribute("href");
        byID("confirm-which").textContent = link.dataset.which;
        dialog.showModal();
        byID("confirm-keep").focus();
    });
    byID("confirm-keep").addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
}

if (visitor) {
    const exports = new Exports();
    if (byID("export-form")) setUpExport(exports);
    if (byID("confirm-dialog")) setUpDeletes();
}
