/* SPDX-License-Identifier: Apache-2.0 */
/* weft install viz: files for Prometheus and Grafana, from what the build embeds. */
#include "cli/install/install.h"

#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/install/files.h"
#include "cli/install/template.h"
#include "cli/see/targets.h"
#include "io/file.h"
#include "io/terminal.h"

/* Rates are taken of one minute, which must have two readings in it also when one fails. */
enum { MOST_INTERVAL_S = 30, FILE_MODE = 0644, DIRECTORY_MODE = 0755 };

enum discover { DISCOVER_FILE, DISCOVER_KUBERNETES };

static const char *const discover_names[] = { "file", "kubernetes", NULL };
static const char targets_file[] = "weft-targets.yml", prometheus_file[] = "prometheus.yml";

struct viz {
	const char *directory; /* NULL: ConfigMaps to standard output */
	enum discover discover;
	bool targets_given;
	struct text targets;
	int64_t interval_s;
	double objective; /* percent */
};

/* ---- filling in ---- */

static void append_value(const void *owner, struct slice name, struct text *out)
{
	const struct viz *viz = owner;

	if (slice_equal(name, SLICE("TARGETS")))
		text_append(out, text_slice(&viz->targets));
	else if (slice_equal(name, SLICE("INTERVAL")))
		text_format(out, "%llds", (long long)viz->interval_s);
	else if (slice_equal(name, SLICE("OBJECTIVE")))
		text_format(out, "%.10g", viz->objective);
	else if (slice_equal(name, SLICE("BUDGET")))
		text_format(out, "%.10g", (100 - viz->objective) / 100);
	else
		text_format(out, "@%.*s@", SLICE_ARGS(name));
}

static void append_filled(const struct viz *viz, const char *template, const char *indent, struct text *out)
{
	static const struct template_names names = { .value = append_value };

	template_fill(template, indent, &names, viz, out);
}

/* The name that a template is written under; NULL: not with these options. */
static const char *name_of(const struct viz *viz, const struct install_file *file)
{
	static const char *const prometheus[] = { "prometheus-file.yml", "prometheus-kubernetes.yml" };

	for (unsigned i = 0; i < sizeof prometheus / sizeof *prometheus; i++)
		if (strcmp(file->name, prometheus[i]) == 0)
			return i == viz->discover ? prometheus_file : NULL;
	return strcmp(file->name, targets_file) == 0 && viz->discover != DISCOVER_FILE ? NULL : file->name;
}

static bool is_dashboard(const struct install_file *file)
{
	return slice_ends(slice_of(file->name), SLICE(".json"));
}

/* ---- as ConfigMaps ---- */

static void append_map(const struct viz *viz, const char *name, const char *labels, bool dashboards, struct text *out)
{
	text_format(out,
		"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  labels:\n    app.kubernetes.io/part-of: weft\n%sdata:\n",
		name, labels);
	for (const struct install_file *file = install_files; file->name; file++) {
		const char *as = name_of(viz, file);

		if (!as || is_dashboard(file) != dashboards)
			continue;
		text_format(out, "  %s: |\n", as);
		append_filled(viz, file->text, "    ", out);
	}
}

static int print_maps(const struct viz *viz)
{
	struct text out = { 0 };

	append_map(viz, "weft-prometheus", "", false, &out);
	/* Grafana's sidecar for dashboards looks for this label. */
	append_map(viz, "weft-dashboards", "    grafana_dashboard: \"1\"\n", true, &out);

	bool good = terminal_print(text_slice(&out));

	text_free(&out);
	return good ? 0 : 1;
}

/* ---- as files ---- */

static bool is_there(const char *path)
{
	struct slice bytes;
	int e = file_read(path, 0, &bytes);

	if (!e)
		memory_free(bytes.at);
	return e != ERROR_NOT_FOUND;
}

/* What a user has written into weft-targets.yml is the user's. */
static bool write_one(const struct viz *viz, const char *name, const char *template)
{
	struct text path = { 0 }, bytes = { 0 };
	bool good = true;

	text_format(&path, "%s/%s", viz->directory, name);
	if (strcmp(name, targets_file) == 0 && !viz->targets_given && is_there(path.bytes)) {
		cli_say("%s stays as it is", path.bytes);
	} else {
		int e;

		append_filled(viz, template, "", &bytes);
		e = file_write(path.bytes, text_slice(&bytes), FILE_MODE);
		good = e == 0;
		if (good)
			cli_say("%s", path.bytes);
		else
			cli_complain("weft install viz: %s cannot be written: %s", path.bytes, error_text(e));
	}
	text_free(&path);
	text_free(&bytes);
	return good;
}

static int write_files(const struct viz *viz)
{
	int e = file_make_directory(viz->directory, DIRECTORY_MODE);

	if (e && e != ERROR_EXISTS) {
		cli_complain("weft install viz: the directory %s cannot be made: %s", viz->directory, error_text(e));
		return 1;
	}
	for (const struct install_file *file = install_files; file->name; file++) {
		const char *name = name_of(viz, file);

		if (name && !write_one(viz, name, file->text))
			return 1;
	}
	return 0;
}

/* ---- options ---- */

/* A host in YAML's quotes; anything else is no host. */
static bool is_host(struct slice host)
{
	for (size_t i = 0; i < host.length; i++) {
		char c = host.at[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !strchr("-._:[]", c))
			return false;
	}
	return true;
}

static bool add_targets(struct text *targets, const char *list)
{
	struct slice rest = slice_of(list), one, host;
	uint16_t port;

	while (rest.length > 0 && slice_split(&rest, ',', &one)) {
		if (!targets_address(slice_trim(one), &host, &port) || !is_host(host)) {
			cli_complain("weft install viz: --admin takes addresses such as 127.0.0.1:9990, [::1]:9990 or node-1, not `%.*s`",
				SLICE_ARGS(one));
			return false;
		}
		bool bare = host.at[0] != '[' && slice_find(host, ':') < host.length;

		text_format(
			targets, "%s'%s%.*s%s:%u'", targets->length ? ", " : "", bare ? "[" : "", SLICE_ARGS(host), bare ? "]" : "", port);
	}
	return true;
}

static bool check(const struct viz *viz)
{
	if (viz->interval_s > MOST_INTERVAL_S)
		cli_complain("weft install viz: --interval may be at most %ds, as rates are taken of one minute", MOST_INTERVAL_S);
	else if (viz->objective <= 0 || viz->objective >= 100)
		cli_complain("weft install viz: --objective must leave a budget for errors: between 0 and 100, such as 99.9");
	else if (viz->targets_given && viz->discover != DISCOVER_FILE)
		cli_complain("weft install viz: --admin belongs to --discover file");
	else
		return true;
	return false;
}

int install_viz(int count, char **arguments)
{
	struct viz viz = { .interval_s = 15, .objective = 99.9 };
	struct argument_values admins = { .count = 0 };
	const char *discover = NULL, *interval = NULL, *objective = NULL;
	const struct argument table[] = {
		{ "--dir", .value = &viz.directory },
		{ "--discover", .value = &discover, .choices = discover_names },
		{ "--admin", .values = &admins },
		{ "--interval", .value = &interval },
		{ "--objective", .value = &objective },
		{ .name = NULL },
	};
	int how, code = 2;

	if (!arguments_read("install viz", count, arguments, table, NULL, 0, 0))
		return 2;
	how = viz.directory ? DISCOVER_FILE : DISCOVER_KUBERNETES;
	if (!arguments_choice("install viz", "--discover", discover, discover_names, &how) ||
		!arguments_duration("install viz", "--interval", interval, &viz.interval_s) ||
		!arguments_percent("install viz", "--objective", objective, &viz.objective))
		return 2;
	viz.discover = (enum discover)how;
	viz.targets_given = admins.count > 0;
	bool good = check(&viz);

	for (unsigned i = 0; good && i < admins.count; i++)
		good = add_targets(&viz.targets, admins.at[i]);
	if (good && !viz.targets_given)
		text_append(&viz.targets, SLICE("'127.0.0.1:9990'"));
	if (good)
		code = viz.directory ? write_files(&viz) : print_maps(&viz);
	text_free(&viz.targets);
	return code;
}
