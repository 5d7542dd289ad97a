/* SPDX-License-Identifier: Apache-2.0 */
#include "export/prometheus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "doc/utf8.h"
#include "export/summary.h"

struct page {
	struct text *out;
	struct slice prefix;
	struct text name, labels; /* of the sample at hand */
};

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void append_mangled(struct text *name, struct slice part)
{
	for (size_t i = 0; i < part.length; i++) {
		char c = part.at[i] == '/' ? ':' : part.at[i];

		if (!is_alphanumeric(c) && c != ':')
			c = '_';
		/* A name must not begin with a digit. */
		if (!name->length && c >= '0' && c <= '9')
			text_append(name, SLICE("_"));
		text_append(name, slice_make(&c, 1));
	}
}

static void append_label_key(struct text *labels, struct slice key)
{
	for (size_t i = 0; i < key.length; i++) {
		char c = is_alphanumeric(key.at[i]) ? key.at[i] : '_';

		text_append(labels, slice_make(&c, 1));
	}
}

/* Backslash, quote and line feed are escaped; bytes that are not UTF-8 would make Prometheus refuse the whole page. */
void prometheus_label_value(struct text *labels, struct slice value)
{
	while (value.length) {
		unsigned length = utf8_length(value);

		if (!length)
			text_append(labels, SLICE("\xef\xbf\xbd"));
		else if (*value.at == '\\')
			text_append(labels, SLICE("\\\\"));
		else if (*value.at == '"')
			text_append(labels, SLICE("\\\""));
		else if (*value.at == '\n')
			text_append(labels, SLICE("\\n"));
		else
			text_append(labels, slice_make(value.at, length));
		value = slice_from(value, length ? length : 1);
	}
}

static void append_label(struct text *labels, struct slice key, struct slice value)
{
	if (labels->length)
		text_append(labels, SLICE(", "));
	append_label_key(labels, key);
	text_append(labels, SLICE("=\""));
	prometheus_label_value(labels, value);
	text_append(labels, SLICE("\""));
}

/* The shortest form that reads back as the same number. */
void prometheus_number(struct text *out, double value)
{
	char text[32];

	if (isnan(value)) {
		text_append(out, SLICE("NaN"));
		return;
	}
	if (isinf(value)) {
		text_append(out, value < 0 ? SLICE("-Inf") : SLICE("+Inf"));
		return;
	}
	if (value == floor(value) && fabs(value) < 1e15) {
		text_format(out, "%.0f", value);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	text_append(out, slice_of(text));
}

static void line(struct page *page, const char *suffix, const char *quantile, double value)
{
	struct text *out = page->out;

	text_append(out, text_slice(&page->name));
	text_append(out, slice_of(suffix));
	if (page->labels.length || quantile) {
		text_append(out, SLICE("{"));
		text_append(out, text_slice(&page->labels));
		if (quantile)
			text_format(out, "%squantile=\"%s\"", page->labels.length ? ", " : "", quantile);
		text_append(out, SLICE("}"));
	}
	text_append(out, SLICE(" "));
	prometheus_number(out, value);
	text_append(out, SLICE("\n"));
}

static void lines_of_summary(struct page *page, const struct sample *sample)
{
	struct summary summary;

	if (!sample->view->count)
		return;
	summary_make(&summary, sample->view, sample->type);
	line(page, "_count", NULL, (double)summary.count);
	line(page, "_sum", NULL, summary.sum);
	line(page, "_avg", NULL, summary.average);
	line(page, "", "0", summary.min);
	for (unsigned i = 0; i < SUMMARY_QUANTILES; i++)
		line(page, "", summary_quantiles[i].prometheus, summary.quantiles[i]);
	line(page, "", "1", summary.max);
}

static void add(void *owner, const struct sample *sample)
{
	struct page *page = owner;

	text_clear(&page->name);
	text_clear(&page->labels);
	append_mangled(&page->name, page->prefix);
	for (unsigned i = 0; i < sample->label_count; i++) {
		append_mangled(&page->name, sample->labels[i].key);
		append_mangled(&page->name, SLICE(":"));
		if (sample->labels[i].value.length)
			append_label(&page->labels, sample->labels[i].key, sample->labels[i].value);
	}
	append_mangled(&page->name, sample->name);
	if (sample->view)
		lines_of_summary(page, sample);
	else
		line(page, "", NULL, sample->value);
}

void prometheus_text(struct metrics *metrics, struct slice prefix, struct text *out)
{
	struct page page = { .out = out, .prefix = prefix };

	metrics_read(metrics, add, &page);
	text_free(&page.name);
	text_free(&page.labels);
}
