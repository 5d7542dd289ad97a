// SPDX-License-Identifier: Apache-2.0
// The editor of a dtab: an entry a row, each with its line of the file, to be changed, left out or added; or all as text.

import { Dentry, Dtab } from "./api";
import { count, el, setText } from "./dom";
import { dentryText } from "./tree";

const SHOWN = 50; // rows until somebody asks for more

interface Entry {
	text: string;
	known: Known | null; // the one of the router that it is; null: it is new
	out: boolean;
	row?: HTMLElement;
}

interface Known {
	place: number;
	text: string;
	line?: number;
}

function plain(text: string): string {
	return text.trim().replace(/\s+/g, " ");
}

function mark(entry: Entry): "" | "new" | "gone" | "changed" {
	return entry.out ? "gone" : !entry.known ? "new" : plain(entry.text) === entry.known.text ? "" : "changed";
}

// Entries of a text; what follows # is no entry.
function split(text: string): string[] {
	return text.replace(/#[^\n]*/g, "").split(";").map(plain).filter(Boolean);
}

export class Entries {
	readonly node: HTMLElement;
	private list = el("ol", { class: "entries" });
	private note = el("p", { class: "soft" });
	private filter = el("input", { type: "search", class: "filter", placeholder: "Filter", "aria-label": "Filter entries" });
	private more = el("button", { type: "button", class: "more" });
	private add = el("button", { type: "button" }, "Add an entry");
	private reset = el("button", { type: "button" }, "Undo all");
	private toggle = el("button", { type: "button", "aria-pressed": "false" }, "As text");
	private text = el("textarea", { rows: "12", spellcheck: "false", "aria-label": "The dtab as text" });
	private all: Entry[] = [];
	private file = "";
	private limit = SHOWN;
	private base: Known[] = [];

	constructor(private changed: () => void) {
		this.filter.addEventListener("input", () => this.draw());
		this.more.addEventListener("click", () => { this.limit *= 4; this.draw(); });
		this.add.addEventListener("click", () => {
			this.filter.value = "";
			this.all.push({ text: "/svc => ", known: null, out: false });
			this.limit = Math.max(this.limit, this.all.length);
			this.draw();
			this.focus(this.all[this.all.length - 1]!);
			this.told();
		});
		this.reset.addEventListener("click", () => { this.restore(); this.add.focus(); this.changed(); });
		this.toggle.addEventListener("click", () => this.asText(this.text.hidden));
		this.text.addEventListener("input", () => { this.take(split(this.text.value)); this.told(); });
		this.text.hidden = true;
		this.node = el("section", { class: "list", "aria-label": "Entries of the dtab" },
			el("div", { class: "list-head" }, el("h2", {}, "Entries"), this.note, this.filter, this.toggle, this.reset, this.add),
			this.list, this.more, this.text);
	}

	load(dtab: Dtab): void {
		this.file = dtab.file.replace(/^.*\//, "");
		this.base = dtab.entries.map((d, place) => ({ place, text: dentryText(d), line: d.line }));
		this.restore();
	}

	private restore(): void {
		this.all = this.base.map((known) => ({ text: known.text, known, out: false }));
		this.limit = SHOWN;
		this.filter.value = "";
		if (!this.text.hidden) this.text.value = this.shown();
		this.draw();
	}

	// The dtab that it has become; null: it is the router's.
	get edited(): string | null {
		return this.all.some((e) => mark(e) !== "") ? this.all.filter((e) => !e.out).map((e) => plain(e.text)).filter(Boolean).join(";") : null;
	}

	// The row of an entry that a step of a tree names.
	pick(dentry: Dentry): void {
		const text = dentryText(dentry);
		const at = this.all.findIndex((e) => plain(e.text) === text && (!dentry.line || e.known?.line === dentry.line));
		if (at < 0) return;
		this.asText(false);
		this.filter.value = "";
		this.limit = Math.max(this.limit, at + 1);
		this.draw();
		this.focus(this.all[at]!);
	}

	private focus(entry: Entry): void {
		const input = entry.row?.querySelector("input");
		input?.scrollIntoView({ block: "center" });
		input?.focus();
		input?.select();
	}

	private shown(): string {
		return this.all.filter((e) => !e.out).map((e) => plain(e.text)).join(" ;\n");
	}

	private asText(on: boolean): void {
		this.text.hidden = !on;
		this.list.hidden = this.filter.hidden = this.add.hidden = on;
		this.toggle.setAttribute("aria-pressed", String(on));
		if (on) this.text.value = this.shown();
		this.draw();
	}

	// Entries that the router has are known again as long as they are in its order; those that are missing stand where they stood.
	private take(texts: string[]): void {
		let next = 0;
		const taken: Entry[] = texts.map((text) => {
			const known = this.base.find((k) => k.place >= next && k.text === text) ?? null;
			if (known) next = known.place + 1;
			return { text, known, out: false };
		});
		const found = new Set(taken.map((e) => e.known));
		for (const known of this.base) {
			if (found.has(known)) continue;
			const before = taken.findIndex((e) => e.known?.place === known.place - 1);
			taken.splice(before + 1, 0, { text: known.text, known, out: true });
		}
		this.all = taken;
	}

	private told(): void {
		this.count();
		this.changed();
	}

	private count(): void {
		const changes = this.all.filter((e) => mark(e) !== "").length;
		setText(this.note, changes ? `${count(changes)} changed` : `${count(this.all.length)} in ${this.file || "the configuration"}`);
		this.reset.hidden = changes === 0;
	}

	private rowOf(entry: Entry): HTMLElement {
		const badge = el("span", { class: "mark" }), input = el("input", { value: entry.text, spellcheck: "false", autocomplete: "off" });
		const out = el("button", { type: "button", class: "quiet" });
		const row = el("li", {}, el("span", { class: "line" }, entry.known?.line ? `line ${entry.known.line}` : ""), input, badge, out);
		const show = (): void => {
			const how = mark(entry);
			row.className = how;
			badge.className = `mark ${how}`;
			setText(badge, how === "gone" ? "left out" : how);
			input.disabled = entry.out;
			setText(out, entry.out ? "Put back" : !entry.known ? "Remove" : "Leave out");
			out.setAttribute("aria-label", `${out.textContent} ${plain(entry.text)}`);
			input.setAttribute("aria-label", `Entry${entry.known?.line ? ` of line ${entry.known.line}` : ""}${how ? `, ${badge.textContent}` : ""}`);
		};
		input.addEventListener("input", () => { entry.text = input.value; show(); this.told(); });
		out.addEventListener("click", () => {
			if (!entry.known) {
				this.all = this.all.filter((e) => e !== entry);
				this.draw();
				this.add.focus();
			} else {
				entry.out = !entry.out;
			}
			show();
			this.told();
		});
		show();
		return row;
	}

	private draw(): void {
		const wanted = this.filter.value.toLowerCase(), found = this.all.filter((e) => !wanted || e.text.toLowerCase().includes(wanted));
		for (const e of this.all) e.row = undefined;
		this.list.replaceChildren(...found.slice(0, this.limit).map((e) => { e.row = this.rowOf(e); return e.row; }));
		this.filter.hidden = !this.text.hidden || this.all.length < 12;
		this.more.hidden = !this.text.hidden || found.length <= this.limit;
		setText(this.more, `Show more of ${count(found.length)}`);
		this.count();
	}
}
