/* SPDX-License-Identifier: Apache-2.0 */
/* weft top: the golden metrics as a table that lives: sorted by any column, window after window. Over a pipe: plain snapshots. */
#include "cli/cli.h"
#include "cli/see/see.h"
#include "io/terminal.h"

enum { LINES_AROUND = 3 }; /* the title, the table's head, the keys */

/* With see first: what see_run shows is this. */
struct top {
	struct see see;
	struct terminal_keys *keys; /* NULL: no terminal */
	struct timer look;          /* at the terminal's size */
	unsigned columns, rows;
	unsigned first; /* row of the table */
	bool paused;
};

static const int64_t look_time = 200 * CLOCK_MS;
static const char keys_line[] = "q quit  < > sort by  r reverse  1 services  2 routes  3 methods  4 edges  w wide  p pause  arrows scroll";
static const char *const titles[VIEWS] = {
	[VIEW_STAT] = "services",
	[VIEW_ROUTES] = "routes",
	[VIEW_METHODS] = "methods",
	[VIEW_EDGES] = "edges",
	[VIEW_SERVICES] = "services",
	[VIEW_NAMESPACES] = "namespaces",
	[VIEW_WORKLOADS] = "workloads",
	[VIEW_PODS] = "pods",
	[VIEW_NAMESPACE_EDGES] = "edges of namespaces",
	[VIEW_WORKLOAD_EDGES] = "edges of workloads",
	[VIEW_POD_EDGES] = "edges of pods",
};

static unsigned page_rows(const struct top *top)
{
	unsigned around = LINES_AROUND + top->see.unreachable;

	return top->rows > around ? top->rows - around : 1;
}

static const struct column *sort_column(const struct see *see)
{
	const struct column *column = see->sort ? column_find(see->view, see->access.kubernetes, slice_of(column_name(see->sort))) : NULL;

	return column ? column : column_find(see->view, see->access.kubernetes, SLICE("rate"));
}

/* A line as wide as the screen at most; what stood there before goes. */
static void add_line(const struct top *top, struct text *out, struct slice line, bool last)
{
	struct slice rest = line;
	size_t characters = 0;

	/* Escapes take no room; only the table has them, and it is cut already. */
	while (rest.length && rest.at[0] != '\033' && characters < top->columns) {
		characters += ((unsigned char)rest.at[0] & 0xc0) != 0x80;
		rest = slice_from(rest, 1);
	}
	if (rest.length && rest.at[0] != '\033')
		line.length -= rest.length;
	text_append(out, line);
	text_append(out, last ? SLICE("\033[K\033[J") : SLICE("\033[K\n"));
}

static void add_lines(const struct top *top, struct text *out, const struct text *lines)
{
	struct slice rest = text_slice(lines), line;

	while (rest.length && slice_split(&rest, '\n', &line))
		add_line(top, out, line, false);
}

static void add_title(const struct top *top, struct text *out)
{
	const struct see *see = &top->see;
	struct text line = { 0 };

	text_format(&line, "weft top  %s of %u %s  %u rows  window %g s%s", titles[see->view], see->targets->count,
		see->targets->count == 1 ? "proxy" : "proxies", see->golden.count, (double)see->window_ns / CLOCK_SECOND,
		top->paused ? "  paused" : "");
	add_line(top, out, text_slice(&line), false);
	text_free(&line);
}

static void draw(struct top *top)
{
	struct see *see = &top->see;
	const struct column *by = sort_column(see);
	struct text out = { 0 }, part = { 0 };

	if (!see->readable)
		return;
	columns_sort(&see->golden, by, see->reversed);
	if (top->first >= see->golden.count)
		top->first = see->golden.count ? see->golden.count - 1 : 0;
	text_append(&out, SLICE("\033[H"));
	add_title(top, &out);
	see_append_unreachable(see, "unreachable: ", &part);
	add_lines(top, &out, &part);
	text_clear(&part);
	columns_table(&see->golden,
		&(struct columns_look){ .view = see->view,
			.wide = see->form == SEE_WIDE,
			.colour = see_colour(),
			.width = top->columns,
			.first = top->first,
			.most = page_rows(top),
			.by = by },
		&part);
	add_lines(top, &out, &part);
	add_line(top, &out, slice_of(keys_line), true);
	if (!terminal_print(text_slice(&out)))
		see_stop(see);
	text_free(&part);
	text_free(&out);
}

/* ---- keys ---- */

static void choose_view(struct top *top, enum view view)
{
	if (!see_view(&top->see, view, &view))
		return;
	top->see.view = view;
	top->first = 0;
	see_compute(&top->see);
}

static void scroll(struct top *top, int by)
{
	if (by < 0 && top->first < (unsigned)-by)
		top->first = 0;
	else
		top->first += (unsigned)by;
}

static void press(struct top *top, char key)
{
	struct see *see = &top->see;

	if (key >= '1' && key <= '4')
		choose_view(top, (enum view)(key - '1'));
	else if (key == '<' || key == '>')
		see->sort = column_beside(see->view, see->access.kubernetes, see->form == SEE_WIDE, sort_column(see), key == '>');
	else if (key == 'r')
		see->reversed = !see->reversed;
	else if (key == 'w')
		see->form = see->form == SEE_WIDE ? SEE_TABLE : SEE_WIDE;
	else if (key == 'p')
		top->paused = !top->paused;
	else if (key == 'q')
		see_stop(see);
}

/* ESC [ A to D, and what Page Up and Page Down send. */
static void press_arrow(struct top *top, struct slice key)
{
	switch (key.at[2]) {
	case 'A':
		scroll(top, -1);
		break;
	case 'B':
		scroll(top, 1);
		break;
	case 'C':
		press(top, '>');
		break;
	case 'D':
		press(top, '<');
		break;
	case '5':
		scroll(top, -(int)page_rows(top));
		break;
	case '6':
		scroll(top, (int)page_rows(top));
		break;
	default:
		break;
	}
}

static void pressed(void *owner, struct slice bytes)
{
	struct top *top = owner;

	if (bytes.length >= 3 && bytes.at[0] == '\033' && (bytes.at[1] == '[' || bytes.at[1] == 'O'))
		press_arrow(top, bytes);
	else if (bytes.at[0] != '\033')
		for (size_t i = 0; i < bytes.length; i++)
			press(top, bytes.at[i]);
	draw(top);
}

/* ---- life ---- */

static void on_look(void *owner)
{
	struct top *top = owner;
	unsigned columns, rows;

	terminal_size(&columns, &rows);
	if (columns != top->columns || rows != top->rows) {
		top->columns = columns;
		top->rows = rows;
		draw(top);
	}
	timer_set(top->see.loop, &top->look, clock_after(loop_now(top->see.loop), look_time));
}

static void started(struct see *see)
{
	struct top *top = (struct top *)see;

	if (!terminal_is_output() || terminal_keys_new(see->loop, pressed, top, &top->keys))
		return;
	timer_init(&top->look, on_look, top);
	on_look(top);
}

static void show(struct see *see)
{
	struct top *top = (struct top *)see;

	if (!top->keys)
		see_print(see);
	else if (!top->paused)
		draw(top);
}

static void ended(struct see *see)
{
	terminal_keys_free(((struct top *)see)->keys);
}

int cli_top(int count, char **arguments)
{
	static struct top top = { .see = { .command = "top", .view = VIEW_STAT, .watch = true, .started = started, .ended = ended } };
	bool wide = false;
	const struct argument table[] = {
		SEE_ARGUMENTS(top.see),
		{ "--wide", .flag = &wide },
		{ .name = NULL },
	};

	if (!see_arguments(&top.see, count, arguments, table))
		return 2;
	top.see.form = wide ? SEE_WIDE : SEE_TABLE;
	top.see.sort = sort_column(&top.see);
	return see_run(&top.see, show);
}
