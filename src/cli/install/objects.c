/* SPDX-License-Identifier: Apache-2.0 */
/* weft install node, ingress: objects of Kubernetes, a Helm chart of them, and weft uninstall. */
#include <string.h>

#include "base/arena.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/install/files.h"
#include "cli/install/install.h"
#include "cli/install/template.h"
#include "io/file.h"
#include "io/terminal.h"
#include "model/dtab.h"

enum { MOST_COMPONENTS = 3, FILE_MODE = 0644, DIRECTORY_MODE = 0755 };

static const char *const components[] = { "node", "ingress", NULL }; /* of a chart */
static const char *const removable[] = { "node", "ingress", "viz", NULL };
static const char *const service_types[] = { "ClusterIP", "NodePort", "LoadBalancer", NULL };

struct objects {
	const char *namespace, *image, *services, *service_type, *mtls, *clear_context, *ingress_class, *by_host, *handover, *no_handover;
	struct argument_values dtabs, proxies;
	struct arena arena;
	struct dtab dtab;
};

static const struct objects defaults = {
	.namespace = "default",
	.image = "localhost/weft:" WEFT_VERSION,
	.services = "default",
	.service_type = "ClusterIP",
	.mtls = "",
	.clear_context = "true",
	.ingress_class = "",
	.by_host = "true",
	.handover = "true",
	.no_handover = "false",
};

/* ---- values ---- */

/* Names in templates, options, and what a chart calls them. */
static const struct setting {
	const char *name, *in_chart;
	size_t offset; /* of the text in struct objects */
} settings[] = {
	{ "NAMESPACE", ".Release.Namespace", offsetof(struct objects, namespace) },
	{ "IMAGE", ".Values.image", offsetof(struct objects, image) },
	{ "SERVICES", ".Values.services", offsetof(struct objects, services) },
	{ "SERVICE_TYPE", ".Values.serviceType", offsetof(struct objects, service_type) },
	{ "MTLS", ".Values.mtls", offsetof(struct objects, mtls) },
	{ "CLEAR_CONTEXT", ".Values.clearContext", offsetof(struct objects, clear_context) },
	{ "INGRESS_CLASS", ".Values.ingressClass", offsetof(struct objects, ingress_class) },
	{ "BY_HOST", "(not .Values.ingressClass)", offsetof(struct objects, by_host) },
	{ "HANDOVER", ".Values.handover", offsetof(struct objects, handover) },
	{ "NO_HANDOVER", "(not .Values.handover)", offsetof(struct objects, no_handover) },
	{ "DTAB", ".Values.dtab", 0 },
};

static const struct setting *setting_of(struct slice name)
{
	for (unsigned i = 0; i < sizeof settings / sizeof *settings; i++)
		if (slice_equal(name, slice_of(settings[i].name)))
			return &settings[i];
	return NULL;
}

static const char *text_of(const struct objects *objects, const struct setting *setting)
{
	return *(const char *const *)((const char *)objects + setting->offset);
}

static bool is_dtab(struct slice name)
{
	return slice_equal(name, SLICE("DTAB"));
}

static bool is_socket(struct slice name)
{
	return slice_equal(name, SLICE("SOCKET"));
}

/* Where node proxies hand over: each namespace's at one of its own. */
static void append_socket(const char *namespace, struct text *out)
{
	text_format(out, "@weft-%s-l5d", namespace);
}

static void append_entries(const struct objects *objects, const char *before, const char *after, const char *between, struct text *out)
{
	for (uint32_t i = 0; i < objects->dtab.count; i++) {
		text_append(out, slice_of(i ? between : ""));
		text_append(out, slice_of(before));
		dentry_show_prefix(out, &objects->dtab.entries[i]);
		text_append(out, SLICE(" => "));
		dentry_show_tree(out, &objects->dtab.entries[i]);
		text_append(out, slice_of(after));
	}
}

static void append_option(const void *owner, struct slice name, struct text *out)
{
	const struct objects *objects = owner;

	if (is_dtab(name))
		append_entries(objects, "", ";", "\n", out);
	else if (is_socket(name))
		append_socket(objects->namespace, out);
	else if (slice_equal(name, SLICE("VERSION")))
		text_append(out, SLICE(WEFT_VERSION));
	else
		text_append(out, slice_of(text_of(objects, setting_of(name))));
}

static bool begin_option(const void *owner, struct slice name, struct text *out)
{
	const struct objects *objects = owner;

	(void)out;
	if (is_dtab(name))
		return objects->dtab.count > 0;
	const char *text = text_of(objects, setting_of(name));

	return *text && strcmp(text, "false") != 0;
}

static const struct template_names option_names = { .value = append_option, .begin = begin_option };

/* ---- a chart's templates and its values ---- */

static void append_reference(const void *owner, struct slice name, struct text *out)
{
	(void)owner;
	if (is_dtab(name))
		text_append(out, SLICE("{{- range .Values.dtab }}\n{{ trimSuffix \";\" . }};\n{{- end }}"));
	else if (is_socket(name))
		append_socket("{{ .Release.Namespace }}", out);
	else
		text_format(out, "{{ %s }}", setting_of(name)->in_chart);
}

static bool begin_reference(const void *owner, struct slice name, struct text *out)
{
	(void)owner;
	text_format(out, "{{- if %s }}\n", setting_of(name)->in_chart);
	return true;
}

static void end_reference(const void *owner, struct text *out)
{
	(void)owner;
	text_append(out, SLICE("{{- end }}\n"));
}

static const struct template_names chart_names = { .value = append_reference, .begin = begin_reference, .end = end_reference };

static void append_default(const void *owner, struct slice name, struct text *out)
{
	if (is_dtab(name)) {
		text_append(out, SLICE("["));
		append_entries(owner, "'", "'", ", ", out);
		text_append(out, SLICE("]"));
	} else {
		append_option(owner, name, out);
	}
}

static const struct template_names default_names = { .value = append_default };

/* ---- what is written ---- */

static const char *component_template(const char *component)
{
	struct text name = { 0 };
	const char *text;

	text_format(&name, "%s.yaml", component);
	text = install_template(name.bytes);
	text_free(&name);
	return text;
}

/* Of each object only what `kubectl delete` must know. */
static void append_identities(struct slice objects, struct text *out)
{
	static const char *const wanted[] = { "---", "apiVersion: ", "kind: ", "metadata:", "  name: ", "  namespace: " };
	bool in_metadata = false;
	struct slice line;

	while (objects.length > 0 && slice_split(&objects, '\n', &line)) {
		if (line.length > 0 && line.at[0] != ' ')
			in_metadata = slice_starts(line, SLICE("metadata:"));
		for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
			if (slice_starts(line, slice_of(wanted[i])) && (line.at[0] != ' ' || in_metadata))
				text_format(out, "%.*s\n", SLICE_ARGS(line));
	}
}

static int print_objects(const struct objects *objects, const char *const *which, bool identities)
{
	struct text out = { 0 };

	for (unsigned i = 0; i < MOST_COMPONENTS && which[i]; i++) {
		struct text filled = { 0 };

		if (strcmp(which[i], "viz") == 0)
			install_append_viz(objects->namespace, &objects->proxies, &filled);
		else
			template_fill(component_template(which[i]), "", &option_names, objects, &filled);
		text_append(&out, SLICE("---\n"));
		if (identities)
			append_identities(text_slice(&filled), &out);
		else
			text_append(&out, text_slice(&filled));
		text_free(&filled);
	}
	bool good = terminal_print(text_slice(&out));

	text_free(&out);
	return good ? 0 : 1;
}

static bool make_directory(const char *path)
{
	int e = file_make_directory(path, DIRECTORY_MODE);

	if (!e || e == ERROR_EXISTS)
		return true;
	cli_complain("weft install: the directory %s cannot be made: %s", path, error_text(e));
	return false;
}

static bool write_file(const char *directory, const char *name, const struct template_names *names, const struct objects *objects)
{
	struct text path = { 0 }, bytes = { 0 };
	bool component = names == &chart_names;
	int e;

	text_format(&path, "%s/%s%s%s", directory, component ? "templates/" : "", name, component ? ".yaml" : "");
	if (component && strcmp(name, "ingress") == 0)
		text_append(&bytes, SLICE("{{- if .Values.ingress }}\n"));
	template_fill(component ? component_template(name) : install_template(name), "", names, objects, &bytes);
	if (component && strcmp(name, "ingress") == 0)
		text_append(&bytes, SLICE("{{- end }}\n"));
	e = file_write(path.bytes, text_slice(&bytes), FILE_MODE);
	if (e)
		cli_complain("weft install: %s cannot be written: %s", path.bytes, error_text(e));
	else
		cli_say("%s", path.bytes);
	text_free(&path);
	text_free(&bytes);
	return e == 0;
}

static int write_chart(const char *directory, const struct objects *objects)
{
	struct text templates = { 0 };
	bool good;

	text_format(&templates, "%s/templates", directory);
	good = make_directory(directory) && make_directory(templates.bytes) &&
		write_file(directory, "Chart.yaml", &default_names, objects) &&
		write_file(directory, "values.yaml", &default_names, objects);
	for (unsigned i = 0; good && components[i]; i++)
		good = write_file(directory, components[i], &chart_names, objects);
	text_free(&templates);
	return good ? 0 : 1;
}

/* ---- options ---- */

static bool add_dtabs(struct objects *objects)
{
	struct dtab one, both;
	struct slice why;

	for (unsigned i = 0; i < objects->dtabs.count; i++) {
		if (dtab_parse(slice_of(objects->dtabs.at[i]), &objects->arena, &one, &why, NULL)) {
			cli_complain("weft install: --dtab %s: %.*s", objects->dtabs.at[i], SLICE_ARGS(why));
			return false;
		}
		if (dtab_concat(&objects->arena, &objects->dtab, &one, &both))
			return false;
		objects->dtab = both;
	}
	return true;
}

static bool are_components(const char *const *which, const char *const *known)
{
	for (unsigned i = 0; i < MOST_COMPONENTS && which[i]; i++) {
		bool found = false;

		for (unsigned j = 0; known[j]; j++)
			found = found || strcmp(which[i], known[j]) == 0;
		if (!found) {
			cli_unknown("thing to install", which[i], removable);
			return false;
		}
	}
	return true;
}

int install_objects(int count, char **arguments)
{
	struct objects objects = defaults;
	bool trust_callers = false, no_handover = false;
	const char *helm = NULL, *which[MOST_COMPONENTS];
	const struct argument table[] = {
		{ "--namespace", .value = &objects.namespace },
		{ "--image", .value = &objects.image },
		{ "--services", .value = &objects.services },
		{ "--dtab", .values = &objects.dtabs },
		{ "--mtls", .value = &objects.mtls },
		{ "--service-type", .value = &objects.service_type, .choices = service_types },
		{ "--trust-callers", .flag = &trust_callers },
		{ "--no-handover", .flag = &no_handover },
		{ "--ingress-class", .value = &objects.ingress_class },
		{ "--helm", .value = &helm },
		{ .name = NULL },
	};
	int type, code = 2;

	if (!arguments_read("install", count, arguments, table, which, 0, MOST_COMPONENTS))
		return 2;
	if (!which[0] == !helm) {
		cli_complain("weft install: what? `weft install node`, `ingress`, `viz`, or `weft install --helm DIR`");
		return 2;
	}
	if (trust_callers)
		objects.clear_context = "false";
	if (*objects.ingress_class)
		objects.by_host = "";
	if (no_handover) {
		objects.handover = "false";
		objects.no_handover = "true";
	}
	arena_init(&objects.arena, NULL, 0);
	if (are_components(which, components) && install_is_name("install", "--namespace", objects.namespace, false) &&
		install_is_image("install", objects.image, "registry.example.org/weft:" WEFT_VERSION) &&
		install_is_name("install", "--services", objects.services, false) &&
		(!*objects.mtls || install_is_name("install", "--mtls", objects.mtls, true)) &&
		(!*objects.ingress_class || install_is_name("install", "--ingress-class", objects.ingress_class, true)) &&
		arguments_choice("install", "--service-type", objects.service_type, service_types, &type) && add_dtabs(&objects))
		code = helm ? write_chart(helm, &objects) : print_objects(&objects, which, false);
	arena_reset(&objects.arena);
	return code;
}

int cli_uninstall(int count, char **arguments)
{
	struct objects objects = defaults; /* what there is, and how it is called, depends on no options but these */
	const char *which[MOST_COMPONENTS];
	const struct argument table[] = {
		{ "--namespace", .value = &objects.namespace },
		{ "--proxies", .values = &objects.proxies },
		{ .name = NULL },
	};

	if (!arguments_read("uninstall", count, arguments, table, which, 0, MOST_COMPONENTS) || !are_components(which, removable) ||
		!install_is_name("uninstall", "--namespace", objects.namespace, false))
		return 2;
	for (unsigned i = 0; i < objects.proxies.count; i++)
		if (!install_is_name("uninstall", "--proxies", objects.proxies.at[i], false))
			return 2;
	return print_objects(&objects, which[0] ? which : removable, true);
}
