// SPDX-License-Identifier: Apache-2.0
// Which page is shown: by the path, without loading anew; and polling for all of them.

import { setText } from "./dom";

export interface Page<Told extends unknown[]> {
	node: HTMLElement;
	update(...told: Told): void;
	end(): void;
}

export type Pages<Told extends unknown[]> = Record<string, { title: string; make: () => Page<Told> }>;

export class Shell<Told extends unknown[]> {
	private main = document.getElementById("main")!;
	private live = document.getElementById("live")!;
	private page: Page<Told> | null = null;
	private told: Told | null = null;

	constructor(private pages: Pages<Told>) {
		document.addEventListener("click", (event) => {
			const link = (event.target as Element).closest("a");
			if (!link || event.ctrlKey || event.metaKey || event.shiftKey || link.origin !== location.origin || !(link.pathname in pages) || link.hash) return;
			event.preventDefault();
			history.pushState(null, "", link.href);
			this.show(true);
		});
		window.addEventListener("popstate", () => this.show(false));
		this.show(false);
	}

	private show(focus: boolean): void {
		const page = this.pages[location.pathname] ?? this.pages["/"]!;
		this.page?.end();
		this.page = page.make();
		this.main.replaceChildren(this.page.node);
		document.title = `weft: ${page.title}`;
		document.querySelectorAll("nav a").forEach((a) => {
			if (a.getAttribute("href") === location.pathname) {
				a.setAttribute("aria-current", "page");
				a.scrollIntoView({ inline: "center", block: "nearest" }); // on a phone not all are in sight
			} else a.removeAttribute("aria-current");
		});
		if (this.told) this.page.update(...this.told);
		if (focus) this.main.focus();
	}

	update(...told: Told): void {
		this.told = told;
		this.page?.update(...told);
	}

	// The next poll waits longer where the answer took long: a page that looks must not be a load. `ask` says how long to wait at the least.
	async poll(ask: () => Promise<number>): Promise<void> {
		const began = performance.now();
		let period = 2000;
		try {
			period = await ask();
			setText(this.live, "live");
			this.live.className = "live on";
		} catch {
			setText(this.live, "no answer");
			this.live.className = "live off";
		}
		setTimeout(() => void this.poll(ask), Math.max(period, (performance.now() - began) * 4));
	}
}
