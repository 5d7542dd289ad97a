// SPDX-License-Identifier: Apache-2.0
// What the proxy logs: each part's level, to be changed while it runs.

import { get } from "./api";
import { el, setText } from "./dom";
import { View } from "./overview";

const LEVELS = ["DEBUG", "INFO", "WARN", "ERROR"] as const;
const ABOUT: Record<string, string> = {
	admin: "this page's server: each question it gets",
	cli: "start, reload, drain, end",
	client: "names looked up by DNS",
	control: "the signer of identities",
	discover: "where endpoints are: files, DNS, Kubernetes",
	export: "collectors of traces and metrics",
	io: "accepting connections, memory of the loops",
	observe: "access logs, metrics",
	proxy: "requests that failed, endpoints taken out and back, names bound anew, connections that can't be made",
	tls: "handshakes that fail, certificates loaded anew",
};

interface Logger {
	logger: string;
	level: string;
}

async function set(logger: string, level: string): Promise<Logger[]> {
	const response = await fetch("/logging.json", { method: "POST", body: new URLSearchParams({ logger, level }) });
	if (!response.ok) throw new Error((await response.text()).trim());
	return await response.json() as Logger[];
}

export function loggingPage(): View {
	const body = el("tbody"), told = el("p", { class: "soft told", role: "status" }), rows = new Map<string, Map<string, HTMLInputElement>>();

	const choices = (logger: string, say: string): HTMLElement => {
		const inputs = new Map<string, HTMLInputElement>(), group = el("fieldset", { class: "levels" }, el("legend", { class: "hidden" }, say));
		for (const level of LEVELS) {
			const input = el("input", { type: "radio", name: `level-${logger}`, value: level });
			input.addEventListener("change", () => {
				set(logger, level).then((all) => {
					show(all);
					setText(told, `${logger === "root" ? "All parts" : logger} now ${logger === "root" ? "log" : "logs"} ${level} and above.`);
				}).catch((error: Error) => {
					setText(told, error.message);
					load();
				});
			});
			inputs.set(level, input);
			group.append(el("label", { class: level.toLowerCase() }, input, el("span", {}, level)));
		}
		rows.set(logger, inputs);
		return group;
	};
	const row = (logger: string, about: string): HTMLElement => el("tr", {}, el("th", { scope: "row" }, logger === "root" ? "all parts" : logger),
		el("td", {}, choices(logger, logger === "root" ? "Level of all parts" : `Level of ${logger}`)), el("td", { class: "why" }, about));
	const show = (all: Logger[]): void => {
		if (rows.size !== all.length + 1) {
			rows.clear();
			body.replaceChildren(row("root", "sets them all at once"), ...all.map((l) => row(l.logger, ABOUT[l.logger] ?? "")));
		}
		const same = new Set(all.map((l) => l.level)).size === 1 ? all[0]!.level : null;
		for (const l of [...all, { logger: "root", level: same }])
			for (const [level, input] of rows.get(l.logger) ?? []) input.checked = level === l.level;
	};
	const load = (): void => {
		get<Logger[]>("/logging.json").then(show).catch(() => setText(told, "Levels can't be seen here: admin.security has switched them off (controlEnabled)."));
	};
	load();
	return {
		node: el("div", {}, el("h1", {}, "Logging"), el("p", { class: "soft lead" }, "The proxy logs to its standard error, at most 20 lines a second of a kind. ",
			"A change holds until the process ends; access logs are configured by router."), told,
		el("section", { class: "list" }, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Levels" }, el("table", {}, el("thead", {}, el("tr", {},
			...["part", "lowest level", "what it tells"].map((t) => el("th", { scope: "col" }, t)))), body)))),
		update() {}, end() {},
	};
}
