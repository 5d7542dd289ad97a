// SPDX-License-Identifier: Apache-2.0
// The first page: totals, then each router with its services and clients. Rows are kept and only their text changes; no more than
// PAGE rows of a table are made until somebody asks, and of many only those in sight change, so that thousands of services cost no more
// than these.

import { Client, Endpoint } from "./api";
import { Charts, Spark } from "./charts";
import { arrange, count, duration, el, millis, percent, rate, setText } from "./dom";
import { Page } from "./shell";
import { QUANTILES, Series, Store, totalRate, totalSuccess } from "./store";

const PAGE = 40;

export type View = Page<[Store, Client[]]>;

export function judged(ratio: number | null): string {
	return ratio === null ? "" : ratio >= 0.999 ? "fine" : ratio >= 0.95 ? "warn" : "bad";
}

export class Tile {
	readonly node: HTMLElement;
	private value = el("strong");

	constructor(label: string, private note = el("small")) {
		this.node = el("div", { class: "tile" }, el("span", {}, label), this.value, this.note);
	}

	set(value: string, note = "", mood = ""): void {
		setText(this.value, value);
		setText(this.note, note);
		this.node.className = `tile ${mood}`;
	}
}

// ---- endpoints ----

export function why(endpoint: Endpoint, allowed: number | undefined): string {
	const since = endpoint.taken_out_ms_ago === undefined ? "" : duration(endpoint.taken_out_ms_ago);
	const again = endpoint.again_in_ms ? `tried again in ${duration(endpoint.again_in_ms)}` : "tried again with the next request";
	switch (endpoint.state) {
	case "out":
		return `${allowed ?? "Too many"} failures in a row; out for ${since}; ${again}` +
			((endpoint.times_out ?? 1) > 1 ? `; probes that failed: ${(endpoint.times_out ?? 1) - 1}` : "");
	case "probing":
		return `Out for ${since}; one request is trying it now`;
	case "failing":
		return "Its health checks fail; it comes back when they pass";
	case "leaving":
		return "Discovery has taken it away; it stays while it is healthy";
	default:
		return endpoint.failures ? `${endpoint.failures} of ${allowed ?? "any"} failures in a row`
			: since ? `No failures now; was taken out ${since} ago` : "No failures in a row";
	}
}

function endpointTable(client: Client): HTMLElement {
	const rows = client.endpoints.slice(0, 100).map((e) => el("tr", {},
		el("th", { scope: "row", class: "mono" }, e.address), el("td", {}, el("span", { class: `state ${e.state}` }, e.state)),
		el("td", { class: "why" }, why(e, client.failures_allowed))));
	return el("table", { class: "inner" }, el("thead", {}, el("tr", {},
		...["Endpoint", "State", "Why"].map((t) => el("th", { scope: "col" }, t)))), el("tbody", {}, ...rows));
}

// ---- a row, and what it opens to ----

class Detail {
	readonly row: HTMLTableRowElement;
	private charts: Charts | null = null;
	private endpoints = el("div", { class: "scroll" });
	private places = { rate: el("div"), success: el("div"), latency: el("div") };

	constructor(private series: Series, columns: number) {
		const figure = (title: string, place: HTMLElement, key?: HTMLElement): HTMLElement =>
			el("figure", {}, el("figcaption", {}, title, ...(key ? [key] : [])), place);
		const key = el("span", { class: "key" }, ...QUANTILES.map((q, i) => el("span", { class: `q${i + 1}` }, q === "p9990" ? "p99.9" : q)));
		for (const place of Object.values(this.places)) place.setAttribute("role", "img");
		this.row = el("tr", { class: "detail" }, el("td", { colspan: String(columns) },
			el("p", { class: "mono full" }, `/${series.name}`),
			el("div", { class: "figures" }, figure("Requests a second", this.places.rate), figure("Success", this.places.success),
				figure("Latency, ms", this.places.latency, key)), this.endpoints));
	}

	update(store: Store, clients: Client[]): void {
		if (!this.charts) this.charts = new Charts(store, this.series, this.places);
		else this.charts.update();
		this.say();
		const client = clients.find((c) => c.router === this.series.router && c.client === `/${this.series.name}`);
		if (this.series.kind === "client") this.endpoints.replaceChildren(...(client ? [endpointTable(client)] : []));
	}

	// For who doesn't see the lines.
	private say(): void {
		const s = this.series, recent = s.rates.list(s.times, 60);
		this.places.rate.setAttribute("aria-label", `Requests a second: now ${rate(s.rate)}, from ${rate(Math.min(...recent))} to ${rate(Math.max(...recent))} lately`);
		this.places.success.setAttribute("aria-label", `Success: ${percent(s.success)}`);
		this.places.latency.setAttribute("aria-label", `Latency: ${QUANTILES.map((q) => `${q} ${millis(s.latency(q))}`).join(", ")}`);
	}

	end(): void {
		this.charts?.end();
		this.row.remove();
	}
}

class Row {
	readonly row = el("tr");
	private spark = new Spark();
	private cells = Array.from({ length: 7 }, () => el("td", { class: "number" }));
	detail: Detail | null = null;

	constructor(readonly series: Series) {
		const button = el("button", { type: "button", class: "name", "aria-expanded": "false" }, series.short);
		button.title = `/${series.name}`;
		button.addEventListener("click", () => {
			if (this.detail) this.close();
			else {
				this.detail = new Detail(series, 9);
				this.row.after(this.detail.row);
				if (this.last) this.detail.update(...this.last);
			}
			button.setAttribute("aria-expanded", String(this.detail !== null));
		});
		this.row.append(el("th", { scope: "row" }, button), el("td", { class: "spark-cell" }, this.spark.node), ...this.cells);
	}

	private last: [Store, Client[]] | null = null;

	update(store: Store, clients: Client[]): void {
		const s = this.series;
		const isClient = s.kind === "client";
		const available = store.metric(s, "loadbalancer/available"), size = store.metric(s, "loadbalancer/size");
		this.last = [store, clients];
		this.spark.draw(s.rates.list(s.times, 60));
		[rate(s.rate), percent(s.success), millis(s.latency("p50")), millis(s.latency("p95")), millis(s.latency("p99")),
			count(store.metric(s, "pending")),
			isClient ? `${available}/${size}` : count(store.metric(s, "retries/total"))].forEach((text, i) => setText(this.cells[i]!, text));
		this.cells[1]!.className = `number ${judged(s.success)}`;
		this.cells[6]!.className = `number ${isClient && available < size ? "bad" : ""}`;
		this.detail?.update(store, clients);
	}

	close(): void {
		this.detail?.end();
		this.detail = null;
	}
}

// ---- a table of services or clients ----

// All are measured before any is changed, so that the page is laid out once.
function inSight(rows: Row[]): Row[] {
	if (rows.length <= PAGE) return rows;
	return rows.filter((row) => {
		const box = row.row.getBoundingClientRect();
		return row.detail || (box.bottom > -200 && box.top < innerHeight + 200);
	});
}

const COLUMNS = (last: string): string[] => ["", "req/s", "success", "p50", "p95", "p99", "pending", last];

class Table {
	readonly node: HTMLElement;
	private body = el("tbody");
	private rows = new Map<string, Row>();
	private filter = el("input", { type: "search", placeholder: "Filter", class: "filter" });
	private more = el("button", { type: "button", class: "more" });
	private heading = el("h3");
	private note = el("span", { class: "soft" }, "further ones are counted together, as overflow");
	private limit = PAGE;
	private sort = 0;
	private order = "";

	constructor(private router: string, private kind: "service" | "client", redraw: () => void) {
		const title = kind === "service" ? "Services" : "Clients";
		this.filter.setAttribute("aria-label", `Filter ${title.toLowerCase()} of ${router}`);
		this.filter.addEventListener("input", redraw);
		this.more.addEventListener("click", () => {
			this.limit *= 4;
			redraw();
		});
		const sorted = ["name", "", "req/s", "success", "p50", "p95", "p99"];
		const heads = [kind === "service" ? "service" : "client", ...COLUMNS(kind === "service" ? "retries" : "endpoints")].map((text, i) => {
			const head = el("th", { scope: "col", class: i > 1 ? "number" : "" });
			if (!text) head.append(el("span", { class: "hidden" }, "Requests over time"));
			else if (sorted[i]) {
				const button = el("button", { type: "button", class: "sort" }, text);
				button.addEventListener("click", () => {
					this.sort = i;
					heads.forEach((h) => h.removeAttribute("aria-sort"));
					head.setAttribute("aria-sort", i === 0 ? "ascending" : "descending");
					redraw();
				});
				head.append(button);
			} else head.append(text);
			return head;
		});
		heads[0]!.setAttribute("aria-sort", "ascending");
		this.node = el("section", { class: "list" }, el("div", { class: "list-head" }, this.heading, this.note, this.filter),
			el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title} of ${router}` },
				el("table", {}, el("thead", {}, el("tr", {}, ...heads)), this.body)), this.more);
	}

	private value(s: Series): number {
		return [0, 0, s.rate, 1 - (s.success ?? 1), s.latency("p50") ?? 0, s.latency("p95") ?? 0, s.latency("p99") ?? 0][this.sort] ?? 0;
	}

	update(store: Store, clients: Client[]): void {
		const all = store.of(this.router, this.kind), wanted = this.filter.value.toLowerCase();
		const found = all.filter((s) => !wanted || s.name.toLowerCase().includes(wanted));
		found.sort((a, b) => (this.sort ? this.value(b) - this.value(a) : 0) || (a.short < b.short ? -1 : a.short > b.short ? 1 : 0));
		const shown = found.slice(0, this.limit), order = shown.map((s) => s.scope).join("\n");
		setText(this.heading, `${this.kind === "service" ? "Services" : "Clients"} ${count(all.length)}`);
		this.note.hidden = !all.some((s) => s.name === "overflow");
		this.filter.hidden = all.length < 8 && !wanted;
		this.more.hidden = found.length <= this.limit;
		setText(this.more, `Show more of ${count(found.length)}`);
		this.node.hidden = all.length === 0;
		const rows = shown.map((s) => {
			const known = this.rows.get(s.scope);
			if (known && known.series === s) return known;
			known?.close();
			const made = new Row(s);
			made.update(store, clients);
			this.rows.set(s.scope, made);
			return made;
		});
		if (order !== this.order) {
			const kept = new Set(shown.map((s) => s.scope));
			for (const [scope, row] of this.rows) if (!kept.has(scope)) {
				row.close();
				this.rows.delete(scope);
			}
			arrange(this.body, rows.flatMap((r) => r.detail ? [r.row, r.detail.row] : [r.row]));
			this.order = order;
		}
		inSight(rows).forEach((row) => row.update(store, clients));
	}

	end(): void {
		for (const row of this.rows.values()) row.close();
	}
}

// ---- a router ----

class Router {
	readonly node: HTMLElement;
	private tiles = { rate: new Tile("Requests a second"), success: new Tile("Success"), fail: new Tile("Failures a second"),
		pending: new Tile("Pending"), retries: new Tile("Retries") };
	private budget = el("meter", { min: "0", max: "1" });
	private budgetText = el("strong");
	private tables: Table[];

	constructor(private label: string, redraw: () => void) {
		this.tables = [new Table(label, "service", redraw), new Table(label, "client", redraw)];
		this.budget.setAttribute("aria-label", `Retry budget of ${label}`);
		this.node = el("section", { class: "router", "aria-label": `Router ${label}` }, el("h2", {}, label),
			el("div", { class: "tiles" }, ...Object.values(this.tiles).map((t) => t.node),
				el("div", { class: "tile" }, el("span", {}, "Retry budget"), this.budgetText, this.budget)),
			...this.tables.map((t) => t.node));
	}

	update(store: Store, clients: Client[]): void {
		const servers = store.of(this.label, "server"), services = store.of(this.label, "service"), success = totalSuccess(servers);
		const clientSeries = store.of(this.label, "client");
		const retries = store.sum(services, "retries/total") + store.sum(clientSeries, "retries/requeues");
		const budget = store.sum(services, "retries/budget"), exhausted = store.sum(services, "retries/budget_exhausted");
		this.tiles.rate.set(rate(totalRate(servers)), `${count(store.sum(servers, "requests"))} in all`);
		this.tiles.success.set(percent(success), `${count(store.sum(servers, "success"))} in all`, judged(success));
		this.tiles.fail.set(success === null ? "0" : rate(totalRate(servers) * (1 - success)), `${count(store.sum(servers, "failures"))} in all`);
		this.tiles.pending.set(count(store.sum(servers, "pending")));
		this.tiles.retries.set(count(retries), "and requeues, in all");
		setText(this.budgetText, count(budget));
		this.budget.value = budget + exhausted > 0 ? budget / (budget + exhausted) : 1;
		this.tables.forEach((t) => t.update(store, clients));
	}

	end(): void {
		this.tables.forEach((t) => t.end());
	}
}

export function overview(): View {
	const totals = { rate: new Tile("Requests a second"), success: new Tile("Success"), pending: new Tile("In progress"),
		incoming: new Tile("Connections in"), outgoing: new Tile("Connections out"), out: new Tile("Endpoints out") };
	const empty = el("p", { class: "empty" }, "No requests yet. Send one through a router and it shows up here.");
	const routers = new Map<string, Router>();
	const node = el("div", {}, el("h1", { class: "hidden" }, "Overview"),
		el("div", { class: "tiles totals" }, ...Object.values(totals).map((t) => t.node)), empty);
	let last: [Store, Client[]] | null = null;

	const update = (store: Store, clients: Client[]): void => {
		last = [store, clients];
		const servers = store.of(null, "server"), success = totalSuccess(servers);
		const out = clients.flatMap((c) => c.endpoints).filter((e) => e.state === "out" || e.state === "probing" || e.state === "failing").length;
		totals.rate.set(rate(totalRate(servers)));
		totals.success.set(percent(success), "", judged(success));
		totals.pending.set(count(store.sum(servers, "pending")));
		totals.incoming.set(count(store.sum(servers, "connections")));
		totals.outgoing.set(count(store.sum(store.of(null, "client"), "connections")));
		totals.out.set(count(out), `of ${count(clients.reduce((n, c) => n + c.endpoints.length, 0))}`, out ? "bad" : "");
		const only = new URLSearchParams(location.search).get("router");
		const labels = store.routers.filter((label) => !only || label === only);
		empty.hidden = labels.length > 0;
		for (const label of labels) {
			let router = routers.get(label);
			if (!router) {
				router = new Router(label, () => { if (last) update(...last); });
				routers.set(label, router);
				node.append(router.node);
			}
			router.update(store, clients);
		}
		for (const [label, router] of routers) if (!labels.includes(label)) {
			router.end();
			router.node.remove();
			routers.delete(label);
		}
	};
	return { node, update, end: () => routers.forEach((r) => r.end()) };
}
