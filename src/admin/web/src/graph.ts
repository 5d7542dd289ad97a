// SPDX-License-Identifier: Apache-2.0
// Who calls whom through this proxy: callers, routers, services, and what these are bound to. The busiest are drawn; the table below
// says the same for those who don't look.

import dagre from "@dagrejs/dagre";
import { el, percent, rate, setText, svg } from "./dom";
import { judged, View } from "./overview";
import { Series, Store, totalRate, totalSuccess } from "./store";

const DRAWN = 40; // pairs of service and client
const CALLERS = 20; // of a router, that are drawn
const CALLS = 100; // rows

export interface Call { from: string; to: string; rate: number; success: number | null; encrypted: boolean | null }
export interface Vertex { id: string; label: string; kind: string }

function encrypted(store: Store, series: Series): boolean {
	return store.metric(series, "tls/handshakes") > 0;
}

// "web" of "spiffe://example.org/ns/shop/sa/web".
export function nameOf(who: string): string {
	return who.replace(/^.*\/(?=[^/]+$)/, "");
}

// Who calls a router, by the identity that it has shown; those without one by how they come. What isn't told apart are "callers".
function calling(store: Store, router: string, secure: boolean): Omit<Call, "to">[] {
	const by = new Map<string, Series[]>(), servers = store.of(router, "server");
	for (const s of store.of(router, "caller")) {
		const who = s.name.slice(s.name.indexOf(" ") + 1);
		by.set(who, [...(by.get(who) ?? []), s]);
	}
	const told = [...by].map(([from, list]) => ({ from, rate: totalRate(list), success: totalSuccess(list), encrypted: from !== "plaintext" }));
	if (!told.length) return [{ from: "callers", rate: totalRate(servers), success: totalSuccess(servers), encrypted: secure }];
	return told.sort((a, b) => b.rate - a.rate).slice(0, CALLERS);
}

function gather(store: Store): { vertices: Map<string, Vertex>; edges: Call[] } {
	const vertices = new Map<string, Vertex>(), edges: Call[] = [];
	const vertex = (id: string, label: string, kind: string): string => {
		if (!vertices.has(id)) vertices.set(id, { id, label, kind });
		return id;
	};
	const pairs = [...store.of(null, "pair")].sort((a, b) => b.rate - a.rate).slice(0, DRAWN);
	for (const router of store.routers) {
		const servers = store.of(router, "server");
		if (!servers.length || !pairs.some((p) => p.router === router)) continue;
		const to = vertex(`r ${router}`, router, "router"), secure = servers.some((s) => encrypted(store, s));
		edges.push(...calling(store, router, secure).map((c) => ({ ...c, from: vertex(`w ${c.from}`, nameOf(c.from), "caller"), to })));
	}
	for (const pair of pairs) {
		const [client, service] = pair.name.split(" ") as [string, string];
		const bound = store.series.get(`rt/${pair.router}/client/${client}`);
		const from = vertex(`s ${pair.router} ${service}`, service.replace(/^svc\//, ""), "service");
		const to = vertex(`c ${client}`, bound ? bound.short : client, "client");
		const known = edges.find((e) => e.from === `r ${pair.router}` && e.to === from);
		if (!known) {
			const whole = store.series.get(`rt/${pair.router}/service/${service}`);
			edges.push({ from: vertex(`r ${pair.router}`, pair.router, "router"), to: from, rate: whole?.rate ?? 0, success: whole?.success ?? null, encrypted: null });
		}
		edges.push({ from, to, rate: pair.rate, success: pair.success, encrypted: bound ? encrypted(store, bound) : false });
	}
	return { vertices, edges };
}

export function mood(edge: Call): string {
	return edge.success === null ? "idle" : edge.success >= 0.999 ? "" : edge.success >= 0.95 ? "warn" : "bad";
}

function label(edge: Call): string {
	return `${rate(edge.rate)}/s${edge.success === null || edge.success === 1 ? "" : `, ${percent(edge.success)}`}`;
}

export function drawGraph(vertices: Map<string, Vertex>, edges: Call[]): SVGSVGElement {
	const graph = new dagre.graphlib.Graph({ multigraph: true });
	graph.setGraph({ rankdir: "LR", nodesep: 18, ranksep: 120, marginx: 8, marginy: 8 });
	graph.setDefaultEdgeLabel(() => ({}));
	for (const v of vertices.values()) graph.setNode(v.id, { width: Math.min(230, 34 + v.label.length * 7.4), height: 38 });
	edges.forEach((e, i) => graph.setEdge(e.from, e.to, { width: 60, height: 16, labelpos: "c" }, String(i)));
	dagre.layout(graph);
	const size = graph.graph(), picture = svg("svg", { viewBox: `0 0 ${size.width} ${size.height}`, width: size.width ?? 0, height: size.height ?? 0,
		class: "graph", role: "img", "aria-label": "Graph of calls; the table below has the same edges" });
	const leaving = new Map<string, number>(), coming = new Map<string, number>();
	for (const e of edges) {
		leaving.set(e.from, (leaving.get(e.from) ?? 0) + 1);
		coming.set(e.to, (coming.get(e.to) ?? 0) + 1);
	}
	for (const e of edges) {
		const from = graph.node(e.from), to = graph.node(e.to);
		const x1 = from.x + from.width / 2, x2 = to.x - to.width / 2, middle = (x1 + x2) / 2, width = 1.2 + Math.min(5, Math.log2(1 + e.rate) * 0.6);
		picture.append(svg("path", { class: `edge ${mood(e)}`, "stroke-width": width, d: `M${x1},${from.y}C${middle},${from.y} ${middle},${to.y} ${x2},${to.y}` }));
		// Where fewer edges meet there is room for what it says.
		const atEnd = leaving.get(e.from)! > coming.get(e.to)!, single = leaving.get(e.from) === 1 && coming.get(e.to) === 1;
		const text = label(e) + (e.encrypted ? " \u{1F512}\uFE0E" : "");
		picture.append(svg("text", { x: single ? middle : atEnd ? x2 - 8 : x1 + 8, y: (single || !atEnd ? from.y : to.y) - 6,
			class: `edge-label ${mood(e)} ${single ? "" : atEnd ? "end" : "start"}` }, text));
	}
	for (const v of vertices.values()) {
		const at = graph.node(v.id), most = Math.floor((at.width - 20) / 7.2);
		picture.append(svg("g", { class: `vertex ${v.kind}`, transform: `translate(${at.x - at.width / 2},${at.y - at.height / 2})` },
			svg("title", {}, `${v.kind} ${v.label}`), svg("rect", { width: at.width, height: at.height, rx: v.kind === "router" ? 19 : 8 }),
			svg("text", { x: at.width / 2, y: 24 }, v.label.length > most ? `${v.label.slice(0, most - 1)}…` : v.label)));
	}
	return picture;
}

// The rows of callers and what they call, the busiest first.
function calls(store: Store): HTMLElement[] {
	return [...store.of(null, "caller")].sort((a, b) => b.rate - a.rate).slice(0, CALLS).map((s) => {
		const at = s.name.indexOf(" "), who = s.name.slice(at + 1), client = store.series.get(`rt/${s.router}/client/${s.name.slice(0, at)}`);
		return el("tr", {}, el("th", { scope: "row" }, who), el("td", {}, s.router), el("td", {}, client?.short ?? s.name.slice(0, at)),
			el("td", { class: "number" }, rate(s.rate)), el("td", { class: `number ${judged(s.success)}` }, percent(s.success)),
			el("td", { class: "number" }, who === "plaintext" ? "none" : who === "tls" ? "TLS" : "mutual TLS"));
	});
}

export function graphTable(title: string, heads: string[], numbers: number, body: HTMLElement): HTMLElement {
	return el("section", { class: "list" }, el("h2", {}, title), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
		el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((t, i) => el("th", { scope: "col", class: i >= numbers ? "number" : "" }, t)))), body)));
}

export function graphPage(): View {
	const picture = el("div", { class: "card scroll picture", tabindex: "0", role: "region", "aria-label": "Graph" });
	const body = el("tbody"), callers = el("tbody"), note = el("p", { class: "soft lead" });
	const called = graphTable("Who calls which client", ["caller", "router", "client", "req/s", "success", "encryption"], 3, callers);
	const node = el("div", {}, el("h1", {}, "Who calls whom"), note, picture, called,
		graphTable("Edges of the graph", ["from", "to", "req/s", "success", "encryption"], 2, body));
	return {
		node,
		update(store) {
			const { vertices, edges } = gather(store), pairs = store.of(null, "pair").length, rows = calls(store);
			setText(note, pairs === 0 ? "No calls yet."
				: `Callers, routers, services and what they are bound to.${pairs > DRAWN ? ` The busiest ${DRAWN} of ${pairs} are drawn.` : ""}`);
			picture.hidden = edges.length === 0;
			if (edges.length) picture.replaceChildren(drawGraph(vertices, edges));
			called.hidden = rows.length === 0;
			callers.replaceChildren(...rows);
			body.replaceChildren(...edges.map((e) => el("tr", {}, el("th", { scope: "row" }, vertices.get(e.from)!.label), el("td", {}, vertices.get(e.to)!.label),
				el("td", { class: "number" }, rate(e.rate)), el("td", { class: `number ${mood(e)}` }, percent(e.success)),
				el("td", { class: "number" }, e.encrypted === null ? "inside" : e.encrypted ? "TLS" : "none"))));
		},
		end() {},
	};
}
