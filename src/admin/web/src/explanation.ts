// SPDX-License-Identifier: Apache-2.0
// What /explain.json tells of a request or a name, beside its tree: how it was named, which rules hold, where it goes.

import { Destination, Explanation, Rule } from "./api";
import { count, el } from "./dom";

function share(to: Destination): string {
	return to.share < 1 ? `${+(to.share * 100).toPrecision(3)}% ` : "";
}

function end(to: Destination): string {
	switch (to.kind) {
	case "leaf":
		return to.client ?? "";
	case "status":
		return `answered ${to.status} by weft`;
	case "error":
		return to.why ?? "an error";
	default:
		return `bound to nothing (${to.kind})`;
	}
}

// One line for each destination: "90% /#/io.l5d.fs/web, 2 endpoints".
export function goals(told: Explanation): string[] {
	if (!told.destinations) return [told.verdict ? `answered ${told.verdict.status} by weft: ${told.verdict.why}` : "nowhere"];
	return told.destinations.map((to) => {
		const endpoints = to.endpoints?.length ?? 0;
		return share(to) + end(to) + (to.kind !== "leaf" ? "" : endpoints ? `, ${count(endpoints)} endpoint${endpoints === 1 ? "" : "s"}` : ", no endpoint: 502");
	});
}

// For the tree: "takes 90%" at the leaf of a client that requests go to.
export function takes(told: Explanation): (id: string) => string | null {
	const shares = new Map<string, number>();
	for (const to of told.destinations ?? []) if (to.client) shares.set(to.client, (shares.get(to.client) ?? 0) + to.share);
	return (id) => {
		const part = shares.get(id);
		return part === undefined ? null : part >= 0.9999 ? "takes all" : `takes ${+(part * 100).toPrecision(3)}%`;
	};
}

function rules(list: Rule[] | undefined): HTMLElement[] {
	return (list ?? []).map((r) => el("li", {}, r.sets.join(", "), ...(r.line ? [el("span", { class: "line" }, ` line ${r.line}`)] : [])));
}

export function naming(told: Explanation): HTMLElement[] {
	return (told.identify?.tried ?? []).map((t) => el("p", {}, t.name ? "Named " : "Not named ", ...(t.name ? [el("span", { class: "mono" }, t.name), " "] : []),
		`by ${t.identifier}${t.header ? ` ${t.header}` : ""}`, ...(t.line ? [el("span", { class: "line" }, ` line ${t.line}`)] : []), t.name || !t.why ? "" : `: ${t.why}`));
}

export function destinations(told: Explanation): HTMLElement[] {
	const service = rules(told.service?.rules);
	return [...(service.length ? [el("p", {}, "Calls to the service: "), el("ul", {}, ...service)] : []),
		...(told.destinations ?? []).flatMap((to) => [
			el("p", {}, `${share(to)}`, el("span", { class: "mono" }, end(to)), to.balancer ? ` by ${to.balancer}` : "",
				to.chosen ? ": chosen" : to.why && to.kind !== "error" ? `: not chosen, ${to.why}` : ""),
			el("ul", {}, ...rules(to.rules), ...(to.endpoints ?? []).slice(0, 50).map((e) => el("li", {}, el("span", { class: "mono" }, e.address), " ",
				el("span", { class: `state ${e.state}` }, e.state), e.chosen ? " chosen" : e.why ? ` not chosen: ${e.why}` : "")),
			...((to.endpoints?.length ?? 0) > 50 ? [el("li", {}, `and ${count(to.endpoints!.length - 50)} more`)] : []))])];
}
