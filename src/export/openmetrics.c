/* SPDX-License-Identifier: Apache-2.0 */
#include "export/openmetrics.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/memory.h"
#include "export/family.h"
#include "export/prometheus.h"

/* ---- families ---- */

static const char *const kinds[] = { "counter", "gauge", "histogram" };

struct family {
	struct map_entry entry; /* key: its name, without _total */
	enum family_kind kind;
	const char *unit; /* NULL: none */
	struct text help, lines;
};

struct page {
	enum openmetrics_form form;
	struct map families;
	struct text name, labels; /* of the sample at hand */
};

static struct family *family_of(struct page *page, const struct sample *sample, const struct family_of_sample *known)
{
	struct map_entry *found = map_find(&page->families, text_slice(&page->name));
	struct family *family;

	if (found)
		return MAP_OF(found, struct family, entry);
	family = memory_new(sizeof *family);
	family->kind = known->kind;
	family->unit = known->unit;
	if (known->help)
		text_format(&family->help, "%s", known->help);
	else
		text_format(&family->help, "%.*s of metrics.json, see docs/metrics.md.", SLICE_ARGS(sample->name));
	map_insert(&page->families, &family->entry, slice_make(memory_text(text_slice(&page->name)), page->name.length));
	return family;
}

static void append_label(struct text *labels, struct slice key, struct slice value)
{
	if (labels->length)
		text_append(labels, SLICE(","));
	family_append_mangled(labels, key);
	text_append(labels, SLICE("=\""));
	prometheus_label_value(labels, value);
	text_append(labels, SLICE("\""));
}

static void add_line(const struct page *page, struct family *family, const char *suffix, const char *le, double value)
{
	struct text *out = &family->lines;

	text_append(out, family->entry.key);
	text_append(out, slice_of(suffix));
	if (page->labels.length || le) {
		text_append(out, SLICE("{"));
		text_append(out, text_slice(&page->labels));
		if (le)
			text_format(out, "%sle=\"%s\"", page->labels.length ? "," : "", le);
		text_append(out, SLICE("}"));
	}
	text_append(out, SLICE(" "));
	prometheus_number(out, value);
	text_append(out, SLICE("\n"));
}

/* ---- histograms ---- */

static void format_bound(enum openmetrics_form form, double bound, struct text *text)
{
	text_clear(text);
	prometheus_number(text, bound);
	if (form == OPENMETRICS_1 && slice_find(text_slice(text), '.') == text->length && slice_find(text_slice(text), 'e') == text->length)
		text_append(text, SLICE(".0"));
}

static void add_histogram(const struct page *page, struct family *family, const struct sample *sample)
{
	struct family_histogram histogram;
	struct text le = { 0 };

	family_histogram(sample, &histogram);
	for (unsigned i = 0; i < histogram.count; i++) {
		format_bound(page->form, histogram.bounds[i], &le);
		add_line(page, family, "_bucket", le.bytes, (double)histogram.below[i]);
	}
	add_line(page, family, "_bucket", "+Inf", (double)sample->view->count);
	add_line(page, family, "_sum", NULL, histogram.sum);
	add_line(page, family, "_count", NULL, (double)sample->view->count);
	text_free(&le);
}

/* ---- samples ---- */

static void add(void *owner, const struct sample *sample)
{
	struct page *page = owner;
	struct family_of_sample known;
	struct family *family;

	text_clear(&page->name);
	text_clear(&page->labels);
	if (!family_find(sample, &known, &page->name))
		return;
	for (unsigned i = 0; i < sample->label_count; i++)
		if (sample->labels[i].value.length)
			append_label(&page->labels, sample->labels[i].key, sample->labels[i].value);
	if (known.rest.length)
		append_label(&page->labels, known.label, known.rest);
	family = family_of(page, sample, &known);
	if (known.kind == FAMILY_HISTOGRAM)
		add_histogram(page, family, sample);
	else
		add_line(page, family, known.kind == FAMILY_COUNTER ? "_total" : "", NULL, sample->value * known.scale);
}

static void write_family(enum openmetrics_form form, const struct family *family, struct text *out)
{
	/* In the older format a counter's family is called as its samples are. */
	const char *suffix = form == OPENMETRICS_PROMETHEUS && family->kind == FAMILY_COUNTER ? "_total" : "";
	struct slice name = family->entry.key;

	text_format(out, "# HELP %.*s%s ", SLICE_ARGS(name), suffix);
	text_append(out, text_slice(&family->help));
	text_format(out, "\n# TYPE %.*s%s %s\n", SLICE_ARGS(name), suffix, kinds[family->kind]);
	if (family->unit && form == OPENMETRICS_1)
		text_format(out, "# UNIT %.*s %s\n", SLICE_ARGS(name), family->unit);
	text_append(out, text_slice(&family->lines));
}

static void write_build(enum openmetrics_form form, struct text *out)
{
	const char *suffix = form == OPENMETRICS_1 ? "" : "_info", *type = form == OPENMETRICS_1 ? "info" : "gauge";

	text_format(out,
		"# HELP weft_build%s The program that runs.\n# TYPE weft_build%s %s\nweft_build_info{version=\"%s\"} "
		"1\n",
		suffix, suffix, type, WEFT_VERSION);
}

enum openmetrics_form openmetrics_accepted(struct slice accept)
{
	struct slice one, type;

	while (slice_split(&accept, ',', &one)) {
		(void)slice_split(&one, ';', &type);
		if (slice_equal_nocase(slice_trim(type), SLICE("application/openmetrics-text")))
			return OPENMETRICS_1;
	}
	return OPENMETRICS_PROMETHEUS;
}

const char *openmetrics_type(enum openmetrics_form form)
{
	return form == OPENMETRICS_1 ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : PROMETHEUS_TYPE;
}

void openmetrics_text(struct metrics *metrics, enum openmetrics_form form, struct text *out)
{
	struct page page = { .form = form };

	map_init(&page.families, 0);
	metrics_read_ever(metrics, add, &page);
	write_build(form, out);
	MAP_EACH_SAFE(&page.families, e, after) {
		struct family *family = MAP_OF(e, struct family, entry);

		write_family(form, family, out);
		map_remove(&page.families, e);
		memory_free(family->entry.key.at);
		text_free(&family->help);
		text_free(&family->lines);
		memory_free(family);
	}
	if (form == OPENMETRICS_1)
		text_append(out, SLICE("# EOF\n"));
	map_fini(&page.families);
	text_free(&page.name);
	text_free(&page.labels);
}
