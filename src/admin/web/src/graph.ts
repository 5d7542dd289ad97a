// SPDX-License-Identifier: Apache-2.0
// Who calls whom through this proxy: callers, routers, services, and what these are bound to. The busiest are drawn; the table below
// says the same for those who don't look.

import dagre from "@dagrejs/dagre";
import { el, percent, rate, setText, svg } from "./dom";
import { View } from "./overview";
import { Series, Store, totalRate, totalSuccess } from "./store";

const DRAWN = 40; // pairs of service and client
const CALLERS = 20; // of a router

interface Edge { from: string; to: string; rate: number; success: number | null; encrypted: boolean | null }
interface Vertex { id: string; label: string; kind: string }

function encrypted(store: Store, series: Series): boolean {
	return store.metric(series, "tls/handshakes") > 0;
}

// "web" of "spiffe://example.org/ns/shop/sa/web".
function nameOf(who: string): string {
	return who.replace(/^.*\/(?=[^/]+$)/, "");
}

// Who calls a router, by the identity that it has shown; those without one by how they come. What isn't told apart are "callers".
function calling(store: Store, router: string, secure: boolean): Omit<Edge, "to">[] {
	const by = new Map<string, Series[]>(), servers = store.of(router, "server");
	for (const s of store.of(router, "caller")) {
		const who = s.name.slice(s.name.indexOf(" ") + 1);
		by.set(who, [...(by.get(who) ?? []), s]);
	}
	const told = [...by].map(([from, list]) => ({ from, rate: totalRate(list), success: totalSuccess(list), encrypted: from !== "plaintext" }));
	if (!told.length) return [{ from: "callers", rate: totalRate(servers), success: totalSuccess(servers), encrypted: secure }];
	return told.sort((a, b) => b.rate - a.rate).slice(0, CALLERS);
}

function gather(store: Store): { vertices: Map<string, Vertex>; edges: Edge[] } {
	const vertices = new Map<string, Vertex>(), edges: Edge[] = [];
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

function mood(edge: Edge): string {
	return edge.success === null ? "idle" : edge.success >= 0.999 ? "" : edge.success >= 0.95 ? "warn" : "bad";
}

function label(edge: Edge): string {
	return `${rate(edge.rate)}/s`;
}

function draw(vertices: Map<string, Vertex>, edges: Edge[]): SVGSVGElement {
	const graph = new dagre.graphlib.Graph({ multigraph: true });
	graph.setGraph({ rankdir: "LR", nodesep: 18, ranksep: 110, marginx: 8, marginy: 8 });
	graph.setDefaultEdgeLabel(() => ({}));
	for (const v of vertices.values()) graph.setNode(v.id, { width: Math.min(230, 34 + v.label.length * 7.4), height: 38 });
	edges.forEach((e, i) => graph.setEdge(e.from, e.to, { width: 60, height: 16, labelpos: "c" }, String(i)));
	dagre.layout(graph);
	const size = graph.graph(), picture = svg("svg", { viewBox: `0 0 ${size.width} ${size.height}`, width: size.width ?? 0, height: size.height ?? 0,
		class: "graph", role: "img", "aria-label": "Graph of calls; the table below has the same edges" });
	edges.forEach((e, i) => {
		const line = graph.edge({ v: e.from, w: e.to, name: String(i) }), points = line.points;
		const first = points[0]!, end = points[points.length - 1]!, middle = (first.x + end.x) / 2;
		const width = 1.2 + Math.min(5, Math.log2(1 + e.rate) * 0.6);
		picture.append(svg("path", { class: `edge ${mood(e)}`, "stroke-width": width,
			d: `M${first.x},${first.y}C${middle},${first.y} ${middle},${end.y} ${end.x},${end.y}` }));
		const text = label(e) + (e.encrypted ? " \u{1F512}\uFE0E" : "");
		if (text) picture.append(svg("text", { x: middle, y: (first.y + end.y) / 2 - 6, class: `edge-label ${mood(e)}` }, text));
	});
	for (const v of vertices.values()) {
		const at = graph.node(v.id), most = Math.floor((at.width - 20) / 7.2);
		picture.append(svg("g", { class: `vertex ${v.kind}`, transform: `translate(${at.x - at.width / 2},${at.y - at.height / 2})` },
			svg("title", {}, `${v.kind} ${v.label}`), svg("rect", { width: at.width, height: at.height, rx: v.kind === "router" ? 19 : 8 }),
			svg("text", { x: at.width / 2, y: 24 }, v.label.length > most ? `${v.label.slice(0, most - 1)}…` : v.label)));
	}
	return picture;
}

export function graphPage(): View {
	const picture = el("div", { class: "card scroll picture", tabindex: "0", role: "region", "aria-label": "Graph" });
	const body = el("tbody"), note = el("p", { class: "soft" });
	const node = el("div", {}, el("h1", {}, "Who calls whom"), note, picture, el("section", { class: "list" }, el("h2", {}, "Edges"),
		el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Edges" }, el("table", {}, el("thead", {}, el("tr", {},
			...["from", "to", "req/s", "success", "encryption"].map((t, i) => el("th", { scope: "col", class: i > 1 ? "number" : "" }, t)))), body))));
	return {
		node,
		update(store) {
			const { vertices, edges } = gather(store), pairs = store.of(null, "pair").length;
			setText(note, pairs === 0 ? "No calls yet."
				: `Callers, routers, services and what they are bound to.${pairs > DRAWN ? ` The busiest ${DRAWN} of ${pairs} are drawn.` : ""}`);
			picture.hidden = edges.length === 0;
			if (edges.length) picture.replaceChildren(draw(vertices, edges));
			body.replaceChildren(...edges.map((e) => el("tr", {}, el("th", { scope: "row" }, vertices.get(e.from)!.label), el("td", {}, vertices.get(e.to)!.label),
				el("td", { class: "number" }, rate(e.rate)), el("td", { class: `number ${mood(e)}` }, percent(e.success)),
				el("td", { class: "number" }, e.encrypted === null ? "inside" : e.encrypted ? "TLS" : "none"))));
		},
		end() {},
	};
}
