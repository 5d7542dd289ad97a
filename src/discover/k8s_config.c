/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s_config.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "discover/k8s_packed.h"
#include "discover/k8s_table.h"
#include "doc/document.h"

enum { CONFIG_MAGIC = 0x6b386366 };

struct k8s_config {
	uint32_t magic;
	struct text key;
	struct k8s_cluster *cluster;
	struct k8s_table_watch *watch;
	void (*changed)(void *owner);
	void *owner;
};

/*	packed: { key, value (long) } to the end */

static bool read_config_map(const struct document_node *object, struct slice label, struct text *group, struct text *packed)
{
	const struct document_node *metadata = document_get(object, "metadata"), *data = document_get(object, "data");
	struct slice namespace, name, value;

	(void)label;
	if (!document_read_text(document_get(metadata, "namespace"), &namespace, NULL) ||
		!document_read_text(document_get(metadata, "name"), &name, NULL))
		return false;
	text_format(group, "%.*s/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(name));
	for (uint32_t i = 0; document_expect(data, DOCUMENT_MAPPING, NULL) && i < data->count; i++) {
		if (!document_read_text(data->entries[i].value, &value, NULL))
			continue;
		k8s_packed_put_text(packed, data->entries[i].key);
		k8s_packed_put_long_text(packed, value);
	}
	return true;
}

static const struct k8s_table_kind config_map_kind = { .path = "/api/v1/configmaps", .read = read_config_map };

static void rows_changed(void *owner)
{
	struct k8s_config *config = owner;

	CHECK_MAGIC(config, CONFIG_MAGIC);
	config->changed(config->owner);
}

int k8s_config_new(
	const struct k8s_config_options *options, void (*changed)(void *owner), void *owner, struct k8s_config **out, struct text *why)
{
	struct k8s_cluster *cluster;
	struct k8s_config *config;
	struct text object = { 0 };
	int e = k8s_cluster_get(options->clusters, &options->cluster, &cluster, why);

	if (e)
		return e;
	config = memory_new(sizeof *config);
	config->magic = CONFIG_MAGIC;
	config->cluster = cluster;
	text_append(&config->key, options->key);
	config->changed = changed;
	config->owner = owner;
	text_format(&object, "%.*s/%.*s", SLICE_ARGS(options->namespace), SLICE_ARGS(options->name));
	config->watch = k8s_table_watch(
		k8s_cluster_object(cluster, &config_map_kind, text_slice(&object)), text_slice(&object), rows_changed, config);
	text_free(&object);
	*out = config;
	return 0;
}

void k8s_config_free(struct k8s_config *config)
{
	struct k8s_table *table;

	if (!config)
		return;
	CHECK_MAGIC(config, CONFIG_MAGIC);
	table = config->watch->table;
	k8s_table_unwatch(config->watch);
	k8s_cluster_drop(config->cluster, table);
	k8s_cluster_unref(config->cluster);
	text_free(&config->key);
	config->magic = 0;
	memory_free(config);
}

static enum k8s_config_state find_key(const struct k8s_config *config, struct slice *text)
{
	const struct k8s_row *row = k8s_table_first(config->watch);
	struct slice rest = row ? row->packed : SLICE("");

	while (rest.length) {
		struct slice key = k8s_packed_text(&rest), value = k8s_packed_long_text(&rest);

		if (!slice_equal(key, text_slice(&config->key)))
			continue;
		*text = value;
		return K8S_CONFIG_THERE;
	}
	return K8S_CONFIG_ABSENT;
}

enum k8s_config_state k8s_config_read(const struct k8s_config *config, struct slice *text)
{
	switch (k8s_table_state(config->watch->table, text)) {
	case K8S_TABLE_PENDING:
		return K8S_CONFIG_PENDING;
	case K8S_TABLE_FAILED:
		return K8S_CONFIG_FAILED;
	case K8S_TABLE_KNOWN:
		break;
	}
	return find_key(config, text);
}
