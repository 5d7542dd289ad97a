// SPDX-License-Identifier: Apache-2.0
// A list of services or proxies: rows are kept and only their text changes, no more than PAGE are made until somebody asks, and of many only
// those in sight change. A row opens to its charts.

import { Spark } from "../charts";
import { arrange, count, el, setText } from "../dom";
import { History, Numbers } from "./api";
import { FigureName, Figures } from "./figures";

const PAGE = 40;

export interface Column<Row> {
	head: string;
	text(row: Row): string;
	mood?(row: Row): string;
	order?(row: Row): number; // larger ones first
}

export interface Kind<Row> {
	title: string;
	name: string; // the head of the names
	key(row: Row): string;
	label(row: Row): string;
	about(row: Row): string; // whole, for who opens it
	numbers(row: Row): Numbers;
	state?: { head: string; style: string; node(row: Row): Node };
	count(rows: Row[]): number;
	columns: Column<Row>[];
	figures: FigureName[];
}

class Line<Row> {
	readonly node = el("tr");
	detail: HTMLTableRowElement | null = null;
	figures: Figures | null = null;
	private spark = new Spark();
	private state = el("td");
	private cells: HTMLTableCellElement[];
	private about = el("p", { class: "mono full" });
	private button: HTMLButtonElement;

	constructor(private kind: Kind<Row>, public row: Row, opened: () => void) {
		this.cells = kind.columns.map(() => el("td", { class: "number" }));
		this.button = el("button", { type: "button", class: "name", "aria-expanded": "false" }, kind.label(row));
		this.button.addEventListener("click", () => {
			if (this.detail) this.close();
			else this.open();
			opened();
		});
		this.node.append(el("th", { scope: "row" }, this.button), ...(kind.state ? [this.state] : []), el("td", { class: "spark-cell" }, this.spark.node), ...this.cells);
		this.update(row);
	}

	get id(): number | undefined {
		return this.kind.numbers(this.row).id;
	}

	private open(): void {
		this.figures = new Figures(this.kind.figures);
		this.detail = el("tr", { class: "detail" }, el("td", { colspan: String(this.node.children.length) }, this.about, this.figures.node));
		this.node.after(this.detail);
		this.button.setAttribute("aria-expanded", "true");
	}

	close(): void {
		this.figures?.end();
		this.detail?.remove();
		this.figures = this.detail = null;
		this.button.setAttribute("aria-expanded", "false");
	}

	update(row: Row): void {
		this.row = row;
		setText(this.button, this.kind.label(row));
		setText(this.about, this.kind.about(row));
		if (this.kind.state) {
			this.state.className = this.kind.state.style;
			this.state.replaceChildren(this.kind.state.node(row));
		}
		this.kind.columns.forEach((column, i) => {
			setText(this.cells[i]!, column.text(row));
			this.cells[i]!.className = `number ${column.mood?.(row) ?? ""}`;
		});
	}

	// From when it was first heard of.
	draw(rates: (number | null)[]): void {
		const first = rates.findIndex((v) => v !== null);
		this.spark.draw(first < 0 ? [] : rates.slice(Math.max(first, rates.length - 48)).map((v) => v ?? 0));
	}
}

export class Table<Row> {
	readonly node: HTMLElement;
	private body = el("tbody");
	private lines = new Map<string, Line<Row>>();
	private shown: Line<Row>[] = [];
	private filter = el("input", { type: "search", placeholder: "Filter", class: "filter" });
	private more = el("button", { type: "button", class: "more" });
	private heading = el("h2");
	private note = el("span", { class: "soft" });
	private limit = PAGE;
	private sort: Column<Row> | null = null;
	private rows: Row[] = [];
	private order = "";

	// `opened`: somebody wants to see more than is known.
	constructor(private kind: Kind<Row>, private opened: () => void) {
		this.filter.setAttribute("aria-label", `Filter ${kind.title.toLowerCase()}`);
		this.filter.addEventListener("input", () => this.redraw());
		this.more.addEventListener("click", () => {
			this.limit *= 4;
			this.redraw();
		});
		const heads: HTMLElement[] = [];
		const head = (text: string, number: boolean, column: Column<Row> | null): HTMLElement => {
			const made = el("th", { scope: "col", class: number ? "number" : "" }), button = el("button", { type: "button", class: "sort" }, text);
			button.addEventListener("click", () => {
				this.sort = column;
				heads.forEach((h) => h.removeAttribute("aria-sort"));
				made.setAttribute("aria-sort", column ? "descending" : "ascending");
				this.redraw();
			});
			made.append(button);
			heads.push(made);
			return made;
		};
		const first = head(kind.name, false, null);
		first.setAttribute("aria-sort", "ascending");
		this.node = el("section", { class: "list" }, el("div", { class: "list-head" }, this.heading, this.note, this.filter),
			el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": kind.title },
				el("table", {}, el("thead", {}, el("tr", {}, first, ...(kind.state ? [el("th", { scope: "col" }, kind.state.head)] : []),
					el("th", { scope: "col" }, el("span", { class: "hidden" }, "Requests over time")),
					...kind.columns.map((c) => c.order ? head(c.head, true, c) : el("th", { scope: "col", class: "number" }, c.head)))), this.body)), this.more);
	}

	update(rows: Row[], note = ""): void {
		this.rows = rows;
		setText(this.note, note);
		this.redraw();
	}

	private redraw(): void {
		const wanted = this.filter.value.toLowerCase(), { kind, sort } = this;
		const found = this.rows.filter((r) => !wanted || kind.label(r).toLowerCase().includes(wanted) || kind.about(r).toLowerCase().includes(wanted));
		const named = found.map((row) => ({ row, label: kind.label(row), rank: sort?.order?.(row) ?? 0 }));
		named.sort((a, b) => b.rank - a.rank || (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));
		const page = named.slice(0, this.limit).map((n) => n.row), order = page.map(kind.key).join("\n");
		setText(this.heading, `${kind.title} ${count(kind.count(this.rows))}`);
		this.node.hidden = this.rows.length === 0;
		this.filter.hidden = this.rows.length < 8 && !wanted;
		this.more.hidden = found.length <= this.limit;
		setText(this.more, `Show more of ${count(found.length)}`);
		this.shown = page.map((row) => this.lineOf(row));
		if (order !== this.order) {
			const kept = new Set(page.map(kind.key));
			for (const [key, line] of this.lines) if (!kept.has(key)) {
				line.close();
				this.lines.delete(key);
			}
			arrange(this.body, this.shown.flatMap((l) => l.detail ? [l.node, l.detail] : [l.node]));
			this.order = order;
		}
		this.inSight().forEach((line) => line.update(line.row));
	}

	private lineOf(row: Row): Line<Row> {
		const key = this.kind.key(row), known = this.lines.get(key);
		if (known) {
			known.row = row;
			return known;
		}
		const made = new Line(this.kind, row, this.opened);
		this.lines.set(key, made);
		return made;
	}

	private inSight(): Line<Row>[] {
		return this.shown.filter((line) => {
			const box = line.node.getBoundingClientRect();
			return line.detail || (box.bottom > -200 && box.top < innerHeight + 200);
		});
	}

	// The rows whose past is to be drawn: all of it of those that are open, else the rate.
	ids(open: boolean): number[] {
		return this.inSight().filter((line) => !open || line.detail).flatMap((line) => line.id === undefined ? [] : [line.id]);
	}

	draw(history: History, open: boolean): void {
		for (const line of this.shown) {
			const past = history.rows[String(line.id)];
			if (!past) continue;
			if (open) line.figures?.update(this.kind.numbers(line.row), history.times_ms, past);
			else line.draw(past.rate_per_s ?? []);
		}
	}

	end(): void {
		for (const line of this.lines.values()) line.close();
	}
}
