// SPDX-License-Identifier: Apache-2.0
// The dtabs, and a playground: how a path is delegated, as a tree.

import { Config, delegate, Delegation, get } from "./api";
import { el } from "./dom";
import { View } from "./overview";

function leaf(node: Delegation): HTMLElement[] {
	const addr = node.bound?.addr;
	if (!addr) return [];
	return addr.type === "bound"
		? [el("span", { class: "addresses mono" }, (addr.addrs ?? []).slice(0, 20).map((a) => `${a.ip}:${a.port}`).join("  ") || "no endpoints")]
		: [el("span", { class: "addresses" }, addr.type)];
}

export function branch(node: Delegation, weight = ""): HTMLElement {
	const children: HTMLElement[] = [
		...(node.delegate ? [branch(node.delegate)] : []), ...(node.tree ? [branch(node.tree)] : []),
		...(node.alt ?? []).map((n) => branch(n)), ...(node.union ?? []).map((u) => branch(u.tree, `${u.weight} × `))];
	const rule = node.dentry ? [el("span", { class: "rule mono" }, `${node.dentry.prefix} => ${node.dentry.dst}${node.dentry.line ? `  line ${node.dentry.line}` : ""}`)] : [];
	return el("li", {}, el("div", { class: `step ${node.type}` }, el("span", { class: "mono" }, weight + (node.path ?? node.bound?.id ?? "")),
		el("span", { class: `kind ${node.type}` }, node.name ?? node.type), ...rule, ...leaf(node),
		...(node.message ? [el("span", { class: "addresses" }, node.message)] : [])), ...(children.length ? [el("ul", {}, ...children)] : []));
}

export function delegatorPage(): View {
	const router = el("select", { id: "namespace" }), path = el("input", { id: "path", value: "/svc/", spellcheck: "false", autocomplete: "off" });
	const dtab = el("textarea", { id: "dtab", rows: "9", spellcheck: "false" }), answer = el("div", { class: "card tree", "aria-live": "polite" });
	const form = el("form", { class: "card form" },
		el("label", {}, "Router", router), el("label", {}, "Path", path), el("label", { class: "wide" }, "Dtab; later entries come first", dtab),
		el("button", { type: "submit", class: "primary" }, "Delegate"));
	let config: Config | null = null;
	const label = (r: Config["routers"][number]): string => r.label ?? r.protocol;
	const show = (): void => {
		const found = config?.routers.find((r) => label(r) === router.value);
		dtab.value = (found?.dtab ?? "").split(";").map((s) => s.trim().replace(/\s+/g, " ")).filter(Boolean).join(" ;\n");
	};
	router.addEventListener("change", show);
	form.addEventListener("submit", (event) => {
		event.preventDefault();
		delegate(router.value, path.value, dtab.value)
			.then((tree) => answer.replaceChildren(el("ul", { class: "root" }, branch(tree))))
			.catch((error: Error) => answer.replaceChildren(el("p", { class: "bad" }, error.message)));
	});
	get<Config>("/config.json").then((read) => {
		config = read;
		router.replaceChildren(...read.routers.map((r) => el("option", { value: label(r) }, label(r))));
		show();
	}).catch((error: Error) => answer.replaceChildren(el("p", { class: "bad" }, error.message)));
	answer.append(el("p", { class: "soft" }, "Type a path such as /svc/hello. Each step names the entry that made it; endpoints are at the leaves. ",
		"Change the dtab to see what would happen: nothing here touches traffic."));
	return { node: el("div", {}, el("h1", {}, "Dtab playground"), form, answer), update() {}, end() {} };
}
