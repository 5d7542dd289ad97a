/* SPDX-License-Identifier: Apache-2.0 */
/* weft install viz: a Prometheus and weft's own page for Kubernetes, or files for Prometheus and Grafana, from what the build embeds. */
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
	const char *directory;                      /* NULL: objects of Kubernetes to standard output */
	const char *namespace, *image, *weft_image; /* Prometheus', and weft's for its page */
	struct argument_values proxies;             /* namespaces; none: all, or `namespace` where rights are given */
	const char *rights_in;                      /* one of them */
	bool only_config;                           /* ConfigMaps, and nothing that runs */
	enum discover discover;
	bool targets_given;
	struct text targets;
	int64_t interval_s;
	double objective; /* percent */
};

static const struct viz defaults = {
	.namespace = "default",
	.image = "prom/prometheus:v3.16.0",
	.weft_image = "localhost/weft:" WEFT_VERSION,
	.interval_s = 15,
	.objective = 99.9,
};

/* ---- filling in ---- */

/* One namespace, or in a configuration all of them. */
static void append_proxies(const struct viz *viz, struct text *out)
{
	if (viz->rights_in)
		text_append(out, slice_of(viz->rights_in));
	for (unsigned i = 0; !viz->rights_in && i < viz->proxies.count; i++)
		text_format(out, "%s%s", i ? ", " : "", viz->proxies.at[i]);
}

static bool begin_block(const void *owner, struct slice name, struct text *out)
{
	const struct viz *viz = owner;

	(void)name; /* PROXIES */
	(void)out;
	return viz->proxies.count > 0;
}

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
	else if (slice_equal(name, SLICE("NAMESPACE")))
		text_append(out, slice_of(viz->namespace));
	else if (slice_equal(name, SLICE("IMAGE")))
		text_append(out, slice_of(viz->image));
	else if (slice_equal(name, SLICE("WEFT_IMAGE")))
		text_append(out, slice_of(viz->weft_image));
	else if (slice_equal(name, SLICE("PROXIES")))
		append_proxies(viz, out);
	else
		text_format(out, "@%.*s@", SLICE_ARGS(name));
}

static void append_filled(const struct viz *viz, const char *template, const char *indent, struct text *out)
{
	static const struct template_names names = { .value = append_value, .begin = begin_block };

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

/* ---- as objects of Kubernetes ---- */

static void append_map(const struct viz *viz, const char *name, const char *labels, bool dashboards, struct text *out)
{
	text_format(out,
		"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  namespace: %s\n"
		"  labels:\n    app.kubernetes.io/part-of: weft\n%sdata:\n",
		name, viz->namespace, labels);
	for (const struct install_file *file = install_files; file->name; file++) {
		const char *as = name_of(viz, file);

		if (!as || is_dashboard(file) != dashboards)
			continue;
		text_format(out, "  %s: |\n", as);
		append_filled(viz, file->text, "    ", out);
	}
}

static void append_maps(const struct viz *viz, struct text *out)
{
	append_map(viz, "weft-prometheus", "", false, out);
	/* Grafana's sidecar for dashboards looks for this label. */
	append_map(viz, "weft-dashboards", "    grafana_dashboard: \"1\"\n", true, out);
}

/* Rights come first, for a Prometheus that starts without them waits before it asks again. */
static void append_objects(struct viz *viz, struct text *out)
{
	if (!viz->proxies.count)
		viz->proxies = (struct argument_values){ .at = { viz->namespace }, .count = 1 };
	for (unsigned i = 0; i < viz->proxies.count; i++) {
		viz->rights_in = viz->proxies.at[i];
		text_append(out, SLICE("---\n"));
		append_filled(viz, install_template("viz-rights.yaml"), "", out);
	}
	viz->rights_in = NULL;
	append_maps(viz, out);
	text_append(out, SLICE("---\n"));
	append_filled(viz, install_template("viz.yaml"), "", out);
	/* weft's own page is about one namespace. */
	viz->rights_in = viz->proxies.at[0];
	text_append(out, SLICE("---\n"));
	append_filled(viz, install_template("viz-page.yaml"), "", out);
}

void install_append_viz(const char *namespace, const struct argument_values *proxies, struct text *out)
{
	struct viz viz = defaults;

	viz.discover = DISCOVER_KUBERNETES;
	viz.namespace = namespace;
	viz.proxies = *proxies;
	append_objects(&viz, out);
}

static int print_objects(struct viz *viz)
{
	struct text out = { 0 };

	if (viz->only_config)
		append_maps(viz, &out);
	else
		append_objects(viz, &out);

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

static bool are_names(const struct viz *viz)
{
	bool good = install_is_name("install viz", "--namespace", viz->namespace, false) &&
		install_is_image("install viz", viz->image, defaults.image) &&
		install_is_image("install viz", viz->weft_image, "registry.example.org/weft:" WEFT_VERSION);

	for (unsigned i = 0; good && i < viz->proxies.count; i++)
		good = install_is_name("install viz", "--proxies", viz->proxies.at[i], false);
	return good;
}

static bool check(const struct viz *viz)
{
	if (viz->interval_s > MOST_INTERVAL_S)
		cli_complain("weft install viz: --interval may be at most %ds, as rates are taken of one minute", MOST_INTERVAL_S);
	else if (viz->objective <= 0 || viz->objective >= 100)
		cli_complain("weft install viz: --objective must leave a budget for errors: between 0 and 100, such as 99.9");
	else if (viz->targets_given && viz->discover != DISCOVER_FILE)
		cli_complain("weft install viz: --admin belongs to --discover file");
	else if (viz->discover == DISCOVER_FILE && viz->proxies.count)
		cli_complain("weft install viz: --proxies belongs to --discover kubernetes");
	else if (viz->discover == DISCOVER_FILE && !viz->directory && !viz->only_config)
		cli_complain("weft install viz: --discover file belongs to --dir, or to --only-config");
	else
		return are_names(viz);
	return false;
}

int install_viz(int count, char **arguments)
{
	struct viz viz = defaults;
	struct argument_values admins = { .count = 0 };
	const char *discover = NULL, *interval = NULL, *objective = NULL;
	const struct argument table[] = {
		{ "--namespace", .value = &viz.namespace },
		{ "--image", .value = &viz.image },
		{ "--weft-image", .value = &viz.weft_image },
		{ "--proxies", .values = &viz.proxies },
		{ "--only-config", .flag = &viz.only_config },
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
		code = viz.directory ? write_files(&viz) : print_objects(&viz);
	text_free(&viz.targets);
	return code;
}
