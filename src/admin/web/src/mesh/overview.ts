// SPDX-License-Identifier: Apache-2.0
// The whole mesh: what it does together, over time, then each service and each proxy.

import { count, duration, el, millis, percent, rate, setText } from "../dom";
import { judged, Tile } from "../overview";
import { Page } from "../shell";
import { history, Mesh, Numbers, Proxy, ratio, Service, serviceName } from "./api";
import { Figures } from "./figures";
import { Column, Kind, Table } from "./table";

const told = (value: number | null | undefined, form: (value: number) => string): string => value === null || value === undefined ? "–" : form(value);

function numberColumns<Row>(of: (row: Row) => Numbers): Column<Row>[] {
	const time = (head: string, name: "p50_ms" | "p95_ms" | "p99_ms"): Column<Row> =>
		({ head, text: (r) => millis(of(r)[name] ?? null), order: (r) => of(r)[name] ?? -1 });
	return [
		{ head: "req/s", text: (r) => told(of(r).rate_per_s, rate), order: (r) => of(r).rate_per_s ?? -1 },
		{ head: "success", text: (r) => percent(ratio(of(r))), mood: (r) => judged(ratio(of(r))), order: (r) => 1 - (ratio(of(r)) ?? 2) },
		time("p50", "p50_ms"), time("p95", "p95_ms"), time("p99", "p99_ms"),
	];
}

const services: Kind<Service> = {
	title: "Services", name: "service", key: (s) => `${s.router} ${s.name}`, label: serviceName,
	about: (s) => `/${s.name} of the router ${s.router}, which ${told(s.proxies, count)} ${s.proxies === 1 ? "proxy knows" : "proxies know"}; ${count(s.requests ?? 0)} requests in all, ${count(s.failures ?? 0)} failed`,
	numbers: (s) => s,
	count: (rows) => new Set(rows.map((s) => s.name)).size, // of several routers' once
	state: { head: "router", style: "soft", node: (s) => document.createTextNode(s.router) },
	columns: [...numberColumns<Service>((s) => s),
		{ head: "retries/s", text: (s) => rate(s.retries_per_s), order: (s) => s.retries_per_s },
		{ head: "endpoints", text: (s) => s.endpoints === null ? "–" : `${s.endpoints_up ?? 0}/${s.endpoints}`, mood: (s) => s.endpoints !== null && (s.endpoints_up ?? 0) < s.endpoints ? "bad" : "" }],
	figures: ["rate", "success", "latency"],
};

function stateOf(proxy: Proxy): Node {
	if (proxy.reached) return el("span", { class: "state" }, `up ${duration(proxy.uptime_ms ?? 0)}`);
	return el("span", {}, el("span", { class: "state out" }, `unreachable for ${duration(proxy.for_ms)}`), ` ${proxy.why ?? ""}`);
}

function proxies(router: () => string): Kind<Proxy> {
	const of = (p: Proxy): Numbers => router() ? p.routers[router()] ?? {} : p.all;
	const errors = (head: string, name: "client_errors_per_s" | "server_errors_per_s"): Column<Proxy> =>
		({ head, text: (p) => told(of(p)[name], rate), order: (p) => of(p)[name] ?? -1 });
	return {
		title: "Proxies", name: "proxy", key: (p) => p.name, label: (p) => p.name, numbers: of,
		about: (p) => `${p.name}: ${count(of(p).requests ?? 0)} requests in all, ${count(of(p).failures ?? 0)} failed, ${count(of(p).pending ?? 0)} pending`,
		count: (rows) => rows.length,
		state: { head: "state", style: "why", node: stateOf },
		columns: [...numberColumns(of), errors("4xx/s", "client_errors_per_s"), errors("5xx/s", "server_errors_per_s")],
		figures: ["rate", "success", "errors", "latency"],
	};
}

// What is in the way of numbers, and what to do.
function trouble(mesh: Mesh): string {
	const reached = mesh.proxies.filter((p) => p.reached).length;
	if (mesh.readings === 0) return "The proxies are being read for the first time.";
	if (mesh.kubernetes?.why)
		return `${mesh.kubernetes.server} doesn't say which proxies there are: ${mesh.kubernetes.why}. What is shown may be old; \`weft check\` says more.`;
	if (reached === 0)
		return `${mesh.proxies.length === 1 ? "The proxy can't" : `None of the ${mesh.proxies.length} proxies can`} be read. The reasons are below: look whether they run, ` +
			`and whether their admin servers listen where this machine can reach them.`;
	if (mesh.totals.all.requests === undefined || mesh.totals.all.requests === 0) return "No requests yet. Send one through a proxy, and it shows up here.";
	return "";
}

class Choice {
	readonly node = el("fieldset", { class: "levels" }, el("legend", { class: "hidden" }, "Router"));
	private labels = "";

	constructor(private changed: () => void) {}

	get chosen(): string {
		return new URLSearchParams(location.search).get("router") ?? "";
	}

	update(mesh: Mesh): void {
		const labels = ["", ...Object.keys(mesh.totals.routers).sort()];
		this.node.hidden = labels.length < 3 && !this.chosen;
		if (labels.join("\n") === this.labels) return;
		this.labels = labels.join("\n");
		this.node.querySelectorAll("label").forEach((label) => label.remove());
		this.node.append(...labels.map((label) => {
			const input = el("input", { type: "radio", name: "router", value: label });
			input.checked = label === this.chosen;
			input.addEventListener("change", () => {
				window.history.replaceState(null, "", label ? `?router=${encodeURIComponent(label)}` : location.pathname);
				this.changed();
			});
			return el("label", {}, input, el("span", {}, label || "all routers"));
		}));
	}
}

export function overview(): Page<[Mesh]> {
	const tiles = { services: new Tile("Services"), proxies: new Tile("Proxies"), success: new Tile("Success"), rate: new Tile("Requests a second"),
		client: new Tile("4xx a second"), server: new Tile("5xx a second") };
	const notice = el("p", { class: "notice", hidden: "" }), figures = new Figures(["rate", "success", "errors", "latency"]);
	let last: Mesh | null = null, asking = 0;
	const draw = (): void => { if (last) update(last); };
	const choice = new Choice(draw), known = new Table(services, () => void past()), reading = new Table(proxies(() => choice.chosen), () => void past());
	const numbers = el("div", {}, el("div", { class: "tiles totals" }, ...Object.values(tiles).map((t) => t.node)), figures.node);
	const node = el("div", { class: "mesh" }, el("div", { class: "list-head" }, el("h1", {}, "Mesh"), choice.node), notice, numbers, known.node, reading.node);

	const total = (mesh: Mesh): Mesh["totals"]["all"] => choice.chosen ? mesh.totals.routers[choice.chosen] ?? { services: 0, proxies: 0 } : mesh.totals.all;

	// Histories are this process's; only those that are in sight are asked for, and of several answers the newest question's counts.
	const past = async (): Promise<void> => {
		const question = ++asking, mesh = last!, sum = total(mesh);
		const tables = [known, reading], open = [...(sum.id === undefined ? [] : [sum.id]), ...tables.flatMap((t) => t.ids(true))];
		const [all, rates] = await Promise.all([history(open), history(tables.flatMap((t) => t.ids(false)), "rate")]);
		if (question !== asking) return;
		figures.update(sum, all.times_ms, all.rows[String(sum.id)] ?? {});
		tables.forEach((t) => {
			t.draw(all, true);
			t.draw(rates, false);
		});
	};

	const update = (mesh: Mesh): void => {
		last = mesh;
		choice.update(mesh);
		const sum = total(mesh), text = trouble(mesh), success = ratio(sum), away = mesh.proxies.filter((p) => !p.reached).length;
		notice.hidden = !text;
		setText(notice, text);
		numbers.hidden = mesh.readings === 0;
		tiles.services.set(count(sum.services), mesh.services_left_out ? `${count(mesh.services_left_out)} left out` : "monitored");
		tiles.proxies.set(`${count(mesh.proxies.length - away)}`, away ? `${count(away)} of ${count(mesh.proxies.length)} unreachable` : "monitored", away ? "bad" : "");
		tiles.success.set(percent(success), `${count(sum.success ?? 0)} in all`, judged(success));
		tiles.rate.set(told(sum.rate_per_s, rate), `${count(sum.requests ?? 0)} in all`);
		tiles.client.set(told(sum.client_errors_per_s, rate));
		tiles.server.set(told(sum.server_errors_per_s, rate), "", sum.server_errors_per_s ? "bad" : "");
		known.update(mesh.services.filter((s) => !choice.chosen || s.router === choice.chosen),
			mesh.services.some((s) => s.name === "overflow") ? "further ones are counted together, as overflow" : "");
		reading.update(mesh.proxies);
		if (mesh.readings > 0) past().catch(() => {});
	};
	const scrolled = (): void => draw();
	document.addEventListener("scrollend", scrolled);
	return {
		node, update,
		end() {
			document.removeEventListener("scrollend", scrolled);
			figures.end();
			known.end();
			reading.end();
		},
	};
}
