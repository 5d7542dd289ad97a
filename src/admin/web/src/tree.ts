// SPDX-License-Identifier: Apache-2.0
// A delegation as a tree: each step with the entry that made it, endpoints at the leaves. Two of them can be compared.

import { Delegation, Dentry } from "./api";
import { count, el } from "./dom";

const ADDRESSES = 12;

export type Mark = "" | "new" | "gone" | "changed";

// How a tree is shown: marks against another tree, the clients that requests go to, and what a click on an entry does.
export interface Showing {
	mark?: (node: Delegation) => Mark;
	taken?: (id: string) => string | null;
	pick?: (dentry: Dentry) => void;
}

export function dentryText(dentry: Dentry): string {
	return `${dentry.prefix} => ${dentry.dst}`;
}

// ---- comparing ----

function children(node: Delegation): { weight: string; node: Delegation }[] {
	return [...(node.delegate ? [{ weight: "", node: node.delegate }] : []), ...(node.tree ? [{ weight: "", node: node.tree }] : []),
		...(node.alt ?? []).map((n) => ({ weight: "", node: n })),
		...(node.union ?? []).map((u) => ({ weight: `${u.weight} × `, node: u.tree }))];
}

function addresses(node: Delegation): string[] {
	return (node.bound?.addr?.addrs ?? []).map((a) => a.ip.includes(":") ? `[${a.ip}]:${a.port}` : `${a.ip}:${a.port}`);
}

function signature(node: Delegation, weight: string): string {
	return [node.type, node.dentry ? dentryText(node.dentry) : "", weight, node.message ?? "", node.bound?.addr?.type ?? "",
		...addresses(node).sort()].join("|");
}

// A step is the same one as another's if the same names lead to it; which entry led there may differ.
function walk(node: Delegation, visit: (node: Delegation, way: string, signature: string) => void, way = "", weight = ""): void {
	const name = node.path ?? node.bound?.id ?? "", here = way.endsWith(`\n${name}`) ? way : `${way}\n${name}`;
	visit(node, here, signature(node, weight));
	for (const child of children(node)) walk(child.node, visit, here, child.weight);
}

function index(tree: Delegation): Map<string, Set<string>> {
	const found = new Map<string, Set<string>>();
	walk(tree, (_, way, told) => { found.set(way, (found.get(way) ?? new Set()).add(told)); });
	return found;
}

// What of `tree` isn't in `other`: absent steps are told as `absent`, those that are made otherwise as changed.
export function marks(tree: Delegation, other: Delegation, absent: Mark): Map<Delegation, Mark> {
	const theirs = index(other), made = new Map<Delegation, Mark>();
	walk(tree, (node, way, told) => {
		const same = theirs.get(way);
		made.set(node, !same ? absent : same.has(told) ? "" : "changed");
	});
	return made;
}

// ---- drawing ----

function leaf(node: Delegation): HTMLElement[] {
	const addr = node.bound?.addr;
	if (!addr) return [];
	if (addr.type !== "bound") return [el("span", { class: "addresses" }, addr.type)];
	const all = addresses(node), more = all.length - ADDRESSES;
	return [el("span", { class: "addresses mono" }, all.slice(0, ADDRESSES).join("  ") || "no endpoints", more > 0 ? `  and ${count(more)} more` : "")];
}

function rule(dentry: Dentry, showing: Showing): HTMLElement {
	const where = dentry.line ? el("span", { class: "line" }, `line ${dentry.line}`) : "";
	if (!showing.pick) return el("span", { class: "rule mono" }, dentryText(dentry), " ", where);
	const button = el("button", { type: "button", class: "rule mono", title: "Change this entry" }, dentryText(dentry), " ", where);
	button.addEventListener("click", () => showing.pick!(dentry));
	return button;
}

export function branch(node: Delegation, showing: Showing = {}, weight = ""): HTMLElement {
	const mark = showing.mark?.(node) ?? "", below = children(node);
	const taken = node.type === "leaf" && node.bound?.id ? showing.taken?.(node.bound.id) ?? null : null;
	return el("li", {}, el("div", { class: `step ${node.type} ${mark}` }, el("span", { class: "mono" }, weight + (node.path ?? node.bound?.id ?? "")),
		el("span", { class: `kind ${node.type}` }, node.name ?? node.type),
		...(mark ? [el("span", { class: `mark ${mark}` }, mark)] : []), ...(taken ? [el("span", { class: "mark taken" }, taken)] : []),
		...(node.dentry ? [rule(node.dentry, showing)] : []), ...leaf(node),
		...(node.message ? [el("span", { class: "addresses" }, node.message)] : [])),
	...(below.length ? [el("ul", {}, ...below.map((c) => branch(c.node, showing, c.weight)))] : []));
}
