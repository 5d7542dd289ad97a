/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"
#include "base/memory.h"
#include "doc/protobuf.h"
#include "export/family.h"
#include "export/otlp.h"
#include "export/otlp_parts.h"

/* metrics.proto */
enum {
	REQUEST_RESOURCE_METRICS = 1,
	RESOURCE_METRICS_SCOPE_METRICS = 2,
	SCOPE_METRICS_METRICS = 2,
	FIELD_NAME = 1,
	FIELD_DESCRIPTION = 2,
	FIELD_UNIT = 3,
	FIELD_GAUGE = 5,
	FIELD_SUM = 7,
	FIELD_HISTOGRAM = 9,
	POINTS = 1, /* of all three */
	TEMPORALITY = 2,
	TEMPORALITY_CUMULATIVE = 2,
	SUM_IS_MONOTONIC = 3,
	NUMBER_START = 2,
	NUMBER_TIME = 3,
	NUMBER_DOUBLE = 4,
	NUMBER_ATTRIBUTES = 7,
	POINT_START = 2,
	POINT_TIME = 3,
	POINT_COUNT = 4,
	POINT_SUM = 5,
	POINT_BUCKET_COUNTS = 6,
	POINT_BOUNDS = 7,
	POINT_ATTRIBUTES = 9,
};

struct series {
	struct map_entry entry; /* key: the metric's name; heap */
	struct family_of_sample family;
	struct text points;
};

struct report {
	struct map series;
	struct text name; /* of the sample at hand */
	int64_t began, now;
};

static struct series *series_of(struct report *report, const struct family_of_sample *family)
{
	struct map_entry *found = map_find(&report->series, text_slice(&report->name));
	struct series *series;

	if (found)
		return MAP_OF(found, struct series, entry);
	series = memory_new(sizeof *series);
	series->family = *family;
	map_insert(&report->series, &series->entry, slice_make(memory_text(text_slice(&report->name)), report->name.length));
	return series;
}

static void write_label(struct text *out, unsigned field, struct slice key, struct slice value)
{
	struct text mangled = { 0 };

	family_append_mangled(&mangled, key);
	otlp_attribute(out, field, &(struct attribute){ .key = text_slice(&mangled).at, .text = value });
	text_free(&mangled);
}

static void write_labels(struct text *out, unsigned field, const struct sample *sample, const struct family_of_sample *family)
{
	for (unsigned i = 0; i < sample->label_count; i++)
		if (sample->labels[i].value.length)
			write_label(out, field, sample->labels[i].key, sample->labels[i].value);
	if (family->rest.length)
		write_label(out, field, family->label, family->rest);
}

static void write_number(const struct report *report, struct text *out, const struct sample *sample, const struct family_of_sample *family)
{
	size_t point = protobuf_begin(out, POINTS);

	if (family->kind == FAMILY_COUNTER)
		protobuf_fixed64(out, NUMBER_START, (uint64_t)report->began);
	protobuf_fixed64(out, NUMBER_TIME, (uint64_t)report->now);
	protobuf_double(out, NUMBER_DOUBLE, sample->value * family->scale);
	write_labels(out, NUMBER_ATTRIBUTES, sample, family);
	protobuf_end(out, point);
}

/* The buckets' own counts, not those up to a bound; the last one is of what is above all bounds. */
static void write_buckets(struct text *out, const struct family_histogram *histogram, uint64_t count)
{
	size_t counts = protobuf_begin(out, POINT_BUCKET_COUNTS), bounds;
	uint64_t below = 0;

	for (unsigned i = 0; i < histogram->count; i++) {
		protobuf_packed64(out, histogram->below[i] - below);
		below = histogram->below[i];
	}
	protobuf_packed64(out, count - below);
	protobuf_end(out, counts);
	bounds = protobuf_begin(out, POINT_BOUNDS);
	for (unsigned i = 0; i < histogram->count; i++)
		protobuf_packed_double(out, histogram->bounds[i]);
	protobuf_end(out, bounds);
}

/* The count is what the buckets hold: those count modulo 2^32, and the two must agree. */
static uint64_t count_of(const struct sample *sample)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		count += sample->view->buckets[i];
	return count;
}

static void write_histogram(
	const struct report *report, struct text *out, const struct sample *sample, const struct family_of_sample *family)
{
	size_t point = protobuf_begin(out, POINTS);
	uint64_t count = count_of(sample);
	struct family_histogram histogram;

	family_histogram(sample, &histogram);
	protobuf_fixed64(out, POINT_START, (uint64_t)report->began);
	protobuf_fixed64(out, POINT_TIME, (uint64_t)report->now);
	protobuf_fixed64(out, POINT_COUNT, count);
	protobuf_double(out, POINT_SUM, histogram.sum);
	write_buckets(out, &histogram, count);
	write_labels(out, POINT_ATTRIBUTES, sample, family);
	protobuf_end(out, point);
}

static void add(void *owner, const struct sample *sample)
{
	struct report *report = owner;
	struct family_of_sample family;
	struct series *series;

	text_clear(&report->name);
	if (!family_find(sample, &family, &report->name))
		return;
	series = series_of(report, &family);
	if (family.kind == FAMILY_HISTOGRAM)
		write_histogram(report, &series->points, sample, &family);
	else
		write_number(report, &series->points, sample, &family);
}

/* As UCUM writes them. */
static struct slice unit_of(const char *unit)
{
	if (!unit)
		return SLICE("1");
	return strcmp(unit, "seconds") == 0 ? SLICE("s") : strcmp(unit, "bytes") == 0 ? SLICE("By") : slice_of(unit);
}

static void write_metric(const struct series *series, struct text *out)
{
	static const unsigned fields[] = {
		[FAMILY_COUNTER] = FIELD_SUM, [FAMILY_GAUGE] = FIELD_GAUGE, [FAMILY_HISTOGRAM] = FIELD_HISTOGRAM
	};
	size_t metric = protobuf_begin(out, SCOPE_METRICS_METRICS), values;

	protobuf_bytes(out, FIELD_NAME, series->entry.key);
	if (series->family.help)
		protobuf_bytes(out, FIELD_DESCRIPTION, slice_of(series->family.help));
	protobuf_bytes(out, FIELD_UNIT, unit_of(series->family.unit));
	values = protobuf_begin(out, fields[series->family.kind]);
	text_append(out, text_slice(&series->points));
	if (series->family.kind != FAMILY_GAUGE)
		protobuf_varint(out, TEMPORALITY, TEMPORALITY_CUMULATIVE);
	if (series->family.kind == FAMILY_COUNTER)
		protobuf_varint(out, SUM_IS_MONOTONIC, 1);
	protobuf_end(out, values);
	protobuf_end(out, metric);
}

void otlp_metrics(struct metrics *metrics, struct slice service, int64_t began, int64_t now, struct text *out)
{
	struct report report = { .began = began, .now = now };
	size_t all = protobuf_begin(out, REQUEST_RESOURCE_METRICS), scope;

	map_init(&report.series, 0);
	metrics_read_ever(metrics, add, &report);
	otlp_resource(out, service.length ? service : SLICE("weft"));
	scope = protobuf_begin(out, RESOURCE_METRICS_SCOPE_METRICS);
	otlp_scope(out);
	MAP_EACH_SAFE(&report.series, e, after) {
		struct series *series = MAP_OF(e, struct series, entry);

		write_metric(series, out);
		map_remove(&report.series, e);
		memory_free(series->entry.key.at);
		text_free(&series->points);
		memory_free(series);
	}
	protobuf_end(out, scope);
	protobuf_end(out, all);
	map_fini(&report.series);
	text_free(&report.name);
}
