// SPDX-License-Identifier: Apache-2.0
// The playground: where a name or a request goes, step by step; and where it would go if the router had another dtab, side by side with what
// is so now. Both are asked of the proxy, which uses the functions that it routes by.

import { Dtab, explain, Explanation, get, Question } from "./api";
import { el, setText } from "./dom";
import { Entries } from "./entries";
import { destinations, goals, naming, takes } from "./explanation";
import { View } from "./overview";
import { branch, Mark, marks } from "./tree";

const WAIT_MS = 300; // from the last key to the question

// "GET http://web/x" and lines of fields, as a head on the wire. A host in the target is the field's.
function head(text: string): string {
	const lines = text.trim().split("\n").map((l) => l.trim());
	let [method = "GET", target = "/"] = /^[A-Z]+ /.test(lines[0] ?? "") ? lines[0]!.split(/\s+/) : ["GET", (lines[0] ?? "").split(/\s+/)[0]];
	const fields = lines.slice(1).filter(Boolean), url = /^[a-z]+:\/\/([^/?]+)(.*)$/i.exec(target);
	if (url) {
		target = url[2]!.startsWith("/") ? url[2]! : `/${url[2]}`;
		if (!fields.some((f) => /^host:/i.test(f))) fields.push(`Host: ${url[1]}`);
	}
	return [`${method} ${target || "/"} HTTP/1.1`, ...fields, "", ""].join("\r\n");
}

class Side {
	readonly node: HTMLElement;
	private goal = el("ul", { class: "goals" });
	private body = el("div");

	constructor(title: string, private absent: Mark) {
		this.node = el("section", { class: "card tree side", "aria-label": title }, el("h2", {}, title), this.goal, this.body);
	}

	show(told: Explanation, other: Explanation | null, entries: Entries): void {
		const compared = told.delegation && other?.delegation ? marks(told.delegation, other.delegation, this.absent) : null;
		this.goal.replaceChildren(...goals(told).map((line) => el("li", {}, line)));
		this.body.replaceChildren(...naming(told), ...(told.delegation ? [el("ul", { class: "root" }, branch(told.delegation, {
			mark: (node) => compared?.get(node) ?? "", taken: takes(told), pick: (dentry) => entries.pick(dentry) }))] : []),
		el("details", {}, el("summary", {}, "How it is called"), ...destinations(told)));
	}

	fail(message: string): void {
		this.goal.replaceChildren();
		this.body.replaceChildren(el("p", { class: "bad" }, message));
	}
}

export function delegatorPage(): View {
	const address = new URLSearchParams(location.search);
	const router = el("select", { id: "namespace" }), path = el("input", { id: "path", spellcheck: "false", autocomplete: "off" });
	const request = el("textarea", { id: "request", rows: "3", spellcheck: "false" }), kinds = el("select", { id: "kind" },
		el("option", { value: "name" }, "a name"), el("option", { value: "request" }, "a request"));
	const pathLabel = el("label", {}, "Path", path), requestLabel = el("label", {}, "Request: its first line, then its fields", request);
	const verdict = el("p", { class: "verdict", role: "status" }), now = new Side("Now", "gone"), then = new Side("With the change", "new");
	const sides = el("div", { class: "sides" }, now.node, then.node);
	let dtabs: Dtab[] = [], asked = 0, timer = 0;

	path.value = address.get("path") ?? "/svc/";
	request.value = "GET http://web/";

	const question = (): Question => kinds.value === "request" ? { namespace: router.value, request: head(request.value) }
		: { namespace: router.value, path: path.value.trim() };
	const ask = (): void => {
		const mine = ++asked, edited = entries.edited, what = question();
		if (what.path !== undefined) history.replaceState(null, "", `/delegator?${new URLSearchParams({ router: router.value, path: what.path })}`);
		Promise.allSettled([explain(what), ...(edited === null ? [] : [explain({ ...what, dtab: edited })])]).then(([before, after]) => {
			if (mine !== asked) return; // somebody has typed on
			const was = before!.status === "fulfilled" ? before!.value : null, is = after?.status === "fulfilled" ? after.value : null;
			then.node.hidden = !after;
			sides.classList.toggle("two", Boolean(after));
			if (was) now.show(was, is, entries);
			else now.fail((before as PromiseRejectedResult).reason.message);
			if (is) then.show(is, was, entries);
			else if (after) then.fail((after as PromiseRejectedResult).reason.message);
			const from = was ? goals(was).join(" and ") : "", to = is ? goals(is).join(" and ") : "";
			setText(verdict, !was || (after && !is) ? "" : !is ? `Goes to ${from}.`
				: from === to ? "With the change it goes to the same place." : `With the change it goes to ${to} instead of ${from}.`);
			// Without a change the card below says it, to those who see it.
			verdict.className = is ? `verdict ${from !== to ? "changed" : ""}` : "hidden";
		});
	};
	const soon = (): void => {
		clearTimeout(timer);
		timer = window.setTimeout(ask, WAIT_MS);
	};
	const entries = new Entries(soon);
	const load = (): void => {
		const found = dtabs.find((d) => d.router === router.value);
		if (found) entries.load(found);
		ask();
	};
	const kind = (): void => {
		pathLabel.hidden = kinds.value !== "name";
		requestLabel.hidden = kinds.value === "name";
	};

	const form = el("form", { class: "card form" }, el("label", {}, "Router", router), el("label", {}, "Where goes", kinds), pathLabel, requestLabel,
		el("button", { type: "submit", class: "primary" }, "Delegate"));
	form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); ask(); });
	router.addEventListener("change", load);
	kinds.addEventListener("change", () => { kind(); ask(); });
	for (const input of [path, request]) input.addEventListener("input", soon);
	kind();
	then.node.hidden = true;
	get<Dtab[]>("/dtabs.json").then((read) => {
		dtabs = read;
		router.replaceChildren(...read.map((d) => el("option", { value: d.router }, d.router)));
		if (read.some((d) => d.router === address.get("router"))) router.value = address.get("router")!;
		load();
	}).catch((error: Error) => now.fail(error.message));
	return {
		node: el("div", {}, el("h1", {}, "Dtab playground"),
			el("p", { class: "soft lead" }, "Where a name or a request goes, as this proxy sees it. Change an entry below, or click one in the tree, to see what would happen. ",
				"Nothing here touches traffic."),
			form, verdict, sides, entries.node),
		update() {}, end() { clearTimeout(timer); asked++; },
	};
}
