// SPDX-License-Identifier: Apache-2.0
// What the numbers mean, and where to read on.

import { el } from "../dom";
import { Page } from "../shell";
import { Mesh } from "./api";

export function helpPage(): Page<[Mesh]> {
	const version = el("p", { class: "soft" });
	const link = (path: string, text: string): HTMLElement => el("li", {}, el("a", { href: path, class: "mono" }, path), ` ${text}`);
	return {
		node: el("div", {}, el("h1", {}, "Help"), el("div", { class: "card prose" },
			el("p", {}, "All proxies are read again and again. Rates, success and latency are of the time between the last two readings; charts go back 120 readings. ",
				"Nothing here changes a proxy or resets a counter, and nothing is kept once this process ends."),
			el("p", {}, "A request that passes two proxies, or two routers of one, is counted by each of them: choose one router for the requests as such."),
			el("p", {}, "A proxy's own page, at the admin port that it is read from, says more: endpoints and why they are out, the newest requests, where a name goes."),
			el("ul", {}, link("/mesh.json", "what is shown here"), el("li", {}, el("span", { class: "mono" }, "/history.json?ids=1,2"), " rows over time, by their ids in /mesh.json")),
			version)),
		update(mesh) {
			version.textContent = `weft ${mesh.version}, ${mesh.readings} readings, one each ${mesh.period_s} s`;
		},
		end() {},
	};
}
