// SPDX-License-Identifier: Apache-2.0
// The newest requests, the process, and help.

import { get, Process, Told } from "./api";
import { Spark } from "./charts";
import { arrange, bytes, count, duration, el, millis, rate, setText } from "./dom";
import { View } from "./overview";
import { showStory } from "./story";

function mood(told: Told): string {
	return told.status >= 500 || told.status === 0 ? "bad" : told.status >= 400 ? "warn" : "fine";
}

export function story(told: Told): string {
	const ms = (us: number): string => millis(us / 1000);
	const parts = [told.endpoint ? `${told.endpoint} was asked` : "No endpoint was asked"];
	if (told.attempts > 1) parts.push(`in ${told.attempts} attempts, the last took ${ms(told.upstream_us)}`);
	else if (told.endpoint) parts.push(`and took ${ms(told.upstream_us)} of ${ms(told.duration_us)}`);
	return parts.join(" ") + (told.flags.length ? `; ${told.flags.join(", ")}` : "");
}

function rowOf(r: Told): HTMLElement {
	return el("tr", {}, el("td", { class: "mono" }, new Date(r.at_ms).toISOString().slice(11, 23)), el("td", {}, r.router ?? ""),
		el("th", { scope: "row" }, (r.service ?? "–").replace(/^\/svc\//, "")),
		el("td", { class: "number" }, el("span", { class: `badge ${mood(r)}` }, String(r.status || "none"))),
		el("td", { class: "number" }, millis(r.duration_us / 1000)), el("td", { class: "number" }, String(r.attempts)),
		el("td", { class: "why" }, story(r)), el("td", { class: "mono" }, el("a", { href: `/recent?id=${r.trace}`, title: "its story" }, r.trace)));
}

export function recentPage(): View {
	const body = el("tbody"), failed = el("input", { type: "checkbox", id: "failed" }), filter = el("input", { type: "search", class: "filter", placeholder: "Filter", "aria-label": "Filter requests" });
	const pause = el("button", { type: "button", "aria-pressed": "false" }, "Pause");
	const none = el("p", { class: "empty" });
	let requests: Told[] = [], paused = false, rows = new Map<string, HTMLElement>();
	pause.addEventListener("click", () => {
		paused = !paused;
		pause.setAttribute("aria-pressed", String(paused));
		setText(pause, paused ? "Go on" : "Pause");
	});
	const draw = (): void => {
		const wanted = filter.value.toLowerCase();
		const shown = requests.filter((r) => (!failed.checked || mood(r) !== "fine") &&
			(!wanted || `${r.service} ${r.client} ${r.endpoint} ${r.status} ${r.trace}`.toLowerCase().includes(wanted)));
		const before = rows;
		rows = new Map(shown.map((r) => {
			const key = `${r.trace} ${r.at_ms} ${r.worker} ${r.duration_us}`; // what has ended doesn't change
			return [key, before.get(key) ?? rowOf(r)];
		}));
		arrange(body, [...rows.values()]);
		setText(none, requests.length ? "None of the newest requests is like that." : "No requests yet.");
		none.hidden = shown.length > 0;
	};
	filter.addEventListener("input", draw);
	failed.addEventListener("change", draw);
	const told = el("div"), id = new URLSearchParams(location.search).get("id");
	if (id) showStory(told, id);
	const node = el("div", {}, el("h1", {}, "Recent requests"), told, el("div", { class: "list-head" }, filter,
		el("label", { class: "check" }, failed, "only 4xx, 5xx and none"), pause),
	el("section", { class: "list" }, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Recent requests" }, el("table", {}, el("thead", {}, el("tr", {},
		...["time, UTC", "router", "service", "status", "took", "attempts", "story", "trace"].map((t, i) => el("th", { scope: "col", class: i > 2 && i < 6 ? "number" : "" }, t)))), body)), none));
	return {
		node,
		update() {
			if (!paused && !body.matches(":hover, :focus-within")) get<Told[]>("/requests.json").then((read) => { requests = read; draw(); }).catch(() => {});
		},
		end() {},
	};
}

export function processPage(): View {
	const facts = el("dl", { class: "facts card" }), workers = el("div", { class: "tiles" });
	const rows: { spark: Spark; value: HTMLElement; rates: number[]; last: number }[] = [];
	let before = 0;
	return {
		node: el("div", {}, el("h1", {}, "Process"), facts, el("h2", {}, "Workers, requests a second"), workers),
		update(store) {
			get<Process>("/process.json").then((read) => {
				const m = (name: string): number => store.value("jvm", name), now = performance.now();
				const told: [string, string][] = [["Version", read.version], ["Uptime", duration(m("uptime"))], ["Threads", count(m("thread/count"))],
					["Memory", `${bytes(m("mem/current/used"))} of ${bytes(m("heap/max"))}`],
					["Open files", `${count(m("fd_count"))} of ${count(m("fd_limit"))}`],
					["Connections in", count(store.sum(store.of(null, "server"), "connections"))],
					["Connections out", count(store.sum(store.of(null, "client"), "connections"))],
					["Reloads", `${count(store.value("configuration", "reloads"))}, ${count(store.value("configuration", "failures"))} refused`]];
				if (store.has("process")) told.push(["Restarts", count(store.value("process", "restarts"))]);
				facts.replaceChildren(...told.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
				read.workers.forEach((w, i) => {
					if (!rows[i]) {
						rows[i] = { spark: new Spark(), value: el("strong", {}, "–"), rates: [], last: w.requests };
						workers.append(el("div", { class: "tile" }, el("span", {}, `Worker ${i}`), rows[i].value, rows[i].spark.node));
					} else {
						const row = rows[i];
						row.rates.push((w.requests - row.last) * 1000 / (now - before));
						if (row.rates.length > 60) row.rates.shift();
						row.last = w.requests;
						setText(row.value, rate(row.rates[row.rates.length - 1]!));
						row.spark.draw(row.rates);
					}
				});
				before = now;
			}).catch(() => {});
		},
		end() {},
	};
}

export function helpPage(): View {
	const link = (path: string, text: string): HTMLElement => el("li", {}, el("a", { href: path, class: "mono" }, path), ` ${text}`);
	return {
		node: el("div", {}, el("h1", {}, "Help"), el("div", { class: "card prose" },
			el("p", {}, "Rates are taken over the last ten seconds, latencies over the last full minute. Nothing here resets a counter."),
			el("p", {}, "A service is a name that callers use. A client is what such a name is bound to, with the endpoints behind it. ",
				"An endpoint that fails too often in a row is taken out, and tried again after a while with a single request."),
			el("ul", {}, link("/admin", "all pages"), link("/admin/metrics.json?pretty=1", "all metrics"), link("/config.json", "the configuration that runs"),
				link("/endpoints.json", "endpoints and their health"), link("/requests.json", "the newest requests"), link("/bound-names.json", "names that are bound now")))),
		update() {}, end() {},
	};
}
