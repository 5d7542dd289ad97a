// SPDX-License-Identifier: Apache-2.0
// Making elements, and writing numbers for people. Text is always set as text: names come from traffic.

type Child = Node | string;

export function el<K extends keyof HTMLElementTagNameMap>(
	tag: K, attributes: Record<string, string> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
	const made = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
	made.append(...children);
	return made;
}

export function svg<K extends keyof SVGElementTagNameMap>(
	tag: K, attributes: Record<string, string | number> = {}, ...children: Child[]): SVGElementTagNameMap[K] {
	const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
	made.append(...children);
	return made;
}

// Makes `nodes` the children of `parent`, in this order. What stays where it is isn't touched, and what has the focus keeps it.
export function arrange(parent: Element, nodes: Element[]): void {
	const kept = new Set<Node>(nodes), active = document.activeElement;
	for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
	let next = parent.firstElementChild;
	for (const node of nodes) {
		if (node === next) next = next.nextElementSibling;
		else parent.insertBefore(node, next);
	}
	if (active instanceof HTMLElement && active !== document.activeElement && parent.contains(active)) active.focus({ preventScroll: true });
}

export function setText(node: Element, text: string): void {
	if (node.textContent !== text) node.textContent = text;
}

export function count(value: number): string {
	return Math.round(value).toLocaleString("en");
}

export function rate(value: number): string {
	if (value === 0) return "0";
	if (value >= 1000) return `${(value / 1000).toFixed(value >= 10000 ? 0 : 1)}k`;
	return value >= 10 ? value.toFixed(0) : value.toFixed(1);
}

// Never 100 % when something failed.
export function percent(ratio: number | null): string {
	if (ratio === null) return "–";
	if (ratio === 1) return "100%";
	return `${Math.min(99.99, ratio * 100).toFixed(ratio > 0.99 ? 2 : 1)}%`;
}

export function millis(value: number | null): string {
	if (value === null) return "–";
	if (value >= 10000) return `${(value / 1000).toFixed(1)} s`;
	return value >= 100 ? `${value.toFixed(0)} ms` : `${value.toPrecision(2)} ms`;
}

export function duration(ms: number): string {
	const seconds = Math.round(ms / 1000);
	if (seconds < 60) return `${seconds} s`;
	if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
	const hours = Math.floor(seconds / 3600);
	return hours < 48 ? `${hours} h ${Math.floor(seconds / 60) % 60} min` : `${Math.floor(hours / 24)} days`;
}

export function bytes(value: number): string {
	if (value >= 2 ** 30) return `${(value / 2 ** 30).toFixed(1)} GiB`;
	return value < 1 << 20 ? `${(value / 1024).toFixed(0)} KiB` : `${(value / (1 << 20)).toFixed(1)} MiB`;
}
