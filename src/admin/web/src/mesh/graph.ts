// SPDX-License-Identifier: Apache-2.0
// Who calls whom through all proxies: callers, routers, services, and what these are bound to. The busiest are drawn; the table says the
// same for those who don't look.

import { el, percent, rate, setText } from "../dom";
import { Call, drawGraph, graphTable, mood, nameOf, Vertex } from "../graph";
import { Page } from "../shell";
import { Edge, Mesh, Numbers, ratio, Route } from "./api";

const DRAWN = 40; // routes
const CALLERS = 20; // of a router

type Told = Call & { secured: string };

const busy = (a: Numbers, b: Numbers): number => (b.rate_per_s ?? 0) - (a.rate_per_s ?? 0);

// "no", "tls", "mutual", or the part of connections with TLS: as `weft edges` says it.
function words(secured: string): string {
	return ({ no: "none", tls: "TLS", mutual: "mutual TLS", "": "not known" } as Record<string, string>)[secured] ?? `TLS, ${secured}`;
}

function joined(edges: Edge[]): Omit<Told, "from" | "to"> {
	const rates = edges.reduce((sum, e) => sum + (e.rate_per_s ?? 0), 0), known = edges.filter((e) => ratio(e) !== null && (e.rate_per_s ?? 0) > 0);
	const judged = known.reduce((sum, e) => sum + e.rate_per_s!, 0), good = known.reduce((sum, e) => sum + e.rate_per_s! * ratio(e)!, 0);
	const secured = [...new Set(edges.map((e) => e.secured).filter((s) => s))];
	return { rate: rates, success: judged ? good / judged : null, encrypted: secured.length > 0 && !secured.includes("no"),
		secured: secured.length > 1 ? secured.map(words).join(", ") : words(secured[0] ?? "") };
}

// Whom a route leads to: "shop/cart" in Kubernetes, else the client without the transformers in front.
function target(of: Route): string {
	if (of.name !== undefined && of.namespace) return `${of.namespace}/${of.service}`;
	const at = of.client.search(/[#$]\//);
	return (at >= 0 ? of.client.slice(at) : of.client).replace(/^#\/io\.l5d\.fs\//, "");
}

function gather(mesh: Mesh): { vertices: Map<string, Vertex>; calls: Told[] } {
	const vertices = new Map<string, Vertex>(), calls: Told[] = [];
	const vertex = (id: string, label: string, kind: string): string => {
		if (!vertices.has(id)) vertices.set(id, { id, label, kind });
		return id;
	};
	const routes = [...mesh.routes].sort(busy).slice(0, DRAWN);
	for (const router of new Set(routes.map((r) => r.router))) {
		const to = vertex(`r ${router}`, router, "router"), by = new Map<string, Edge[]>();
		const mine = mesh.edges.filter((e) => e.router === router && !e.from.startsWith("rt/"));
		const named = mine.filter((e) => e.from !== "callers");
		for (const e of (named.length ? named : mine).sort(busy)) {
			const who = e.caller ?? e.from;
			by.set(who, [...(by.get(who) ?? []), e]);
		}
		for (const [who, edges] of [...by].slice(0, CALLERS)) calls.push({ from: vertex(`w ${who}`, nameOf(who), "caller"), to, ...joined(edges) });
	}
	for (const route of routes) {
		const name = route.name ?? route.service, from = vertex(`s ${route.router} ${name}`, name.replace(/^svc\//, ""), "service");
		const to = vertex(`c ${target(route)}`, target(route), "client"), router = vertex(`r ${route.router}`, route.router, "router");
		if (!calls.some((c) => c.from === router && c.to === from)) {
			const whole = mesh.services.find((s) => s.router === route.router && s.name === name);
			calls.push({ from: router, to: from, rate: whole?.rate_per_s ?? 0, success: whole ? ratio(whole) : null, encrypted: null, secured: "inside" });
		}
		const secured = joined(mesh.edges.filter((e) => e.router === route.router && e.from.startsWith("rt/") &&
			(e.to === route.client || (!!route.namespace && e.namespace === route.namespace && e.service === route.service))));
		calls.push({ from, to, rate: route.rate_per_s ?? 0, success: ratio(route), encrypted: secured.encrypted, secured: secured.secured });
	}
	return { vertices, calls };
}

export function graphPage(): Page<[Mesh]> {
	const picture = el("div", { class: "card scroll picture", tabindex: "0", role: "region", "aria-label": "Graph" }), body = el("tbody");
	const note = el("p", { class: "soft lead" }), table = graphTable("Edges of the graph", ["from", "to", "req/s", "success", "encryption"], 2, body);
	const node = el("div", {}, el("h1", {}, "Who calls whom"), note, picture, table);
	return {
		node,
		update(mesh) {
			const { vertices, calls } = gather(mesh), reached = mesh.proxies.filter((p) => p.reached).length;
			setText(note, calls.length === 0 ? (reached ? "No calls yet." : "No proxy can be read: the first page says why.")
				: `Callers, routers, services and what they are bound to, through ${reached} ${reached === 1 ? "proxy" : "proxies"}.` +
					(mesh.routes.length > DRAWN ? ` The busiest ${DRAWN} routes are drawn.` : ""));
			picture.hidden = table.hidden = calls.length === 0;
			if (calls.length) picture.replaceChildren(drawGraph(vertices, calls));
			body.replaceChildren(...calls.map((c) => el("tr", {}, el("th", { scope: "row" }, vertices.get(c.from)!.label), el("td", {}, vertices.get(c.to)!.label),
				el("td", { class: "number" }, rate(c.rate)), el("td", { class: `number ${mood(c)}` }, percent(c.success)), el("td", { class: "number" }, c.secured))));
		},
		end() {},
	};
}
