/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/copy.h"

#include "base/check.h"

static void *space(struct arena *arena, size_t size)
{
	void *p = arena_get(arena, size ? size : 1);

	if (!p)
		check_out_of_memory("the options of TLS");
	return p;
}

static struct slice copy_slice(struct arena *arena, struct slice from)
{
	char *text = space(arena, from.length + 1);

	if (from.length)
		memcpy(text, from.at, from.length);
	text[from.length] = '\0';
	return slice_make(text, from.length);
}

static struct tls_setting copy_setting(struct arena *arena, const struct tls_setting *from)
{
	return (struct tls_setting){
		.text = copy_slice(arena, from->text),
		.source = from->source,
		.file = copy_slice(arena, from->file),
		.line = from->line,
		.column = from->column,
	};
}

static const struct tls_setting *copy_settings(struct arena *arena, const struct tls_setting *from, unsigned count)
{
	struct tls_setting *settings = space(arena, count * sizeof *settings);

	for (unsigned i = 0; i < count; i++)
		settings[i] = copy_setting(arena, &from[i]);
	return settings;
}

static struct tls_certificate copy_certificate(struct arena *arena, const struct tls_certificate *from)
{
	return (struct tls_certificate){
		.chain = copy_setting(arena, &from->chain),
		.key = copy_setting(arena, &from->key),
		.intermediates = copy_setting(arena, &from->intermediates),
		.ocsp = copy_setting(arena, &from->ocsp),
	};
}

static void copy_choices(struct arena *arena, struct tls_choices *choices)
{
	choices->ciphers = copy_settings(arena, choices->ciphers, choices->cipher_count);
	for (unsigned i = 0; i < choices->alpn_count; i++)
		choices->alpn[i] = copy_slice(arena, choices->alpn[i]);
}

void copy_server(struct arena *arena, const struct tls_server_options *from, struct tls_server_options *to)
{
	struct tls_certificate *certificates = space(arena, from->certificate_count * sizeof *certificates);

	*to = *from;
	for (unsigned i = 0; i < from->certificate_count; i++)
		certificates[i] = copy_certificate(arena, &from->certificates[i]);
	to->certificates = certificates;
	to->trust = copy_settings(arena, from->trust, from->trust_count);
	copy_choices(arena, &to->choices);
}

void copy_client(struct arena *arena, const struct tls_client_options *from, struct tls_client_options *to)
{
	*to = *from;
	to->trust = copy_settings(arena, from->trust, from->trust_count);
	to->certificate = copy_certificate(arena, &from->certificate);
	copy_choices(arena, &to->choices);
}

/* ---- names ---- */

/* A newline ends each part: paths with one in them can't be written in the formats that name them. */
static void name_settings(const char *what, const struct tls_setting *settings, unsigned count, struct text *name)
{
	for (unsigned i = 0; i < count; i++)
		text_format(name, "%s %.*s\n", what, SLICE_ARGS(settings[i].text));
}

static void name_certificate(const struct tls_certificate *certificate, struct text *name)
{
	name_settings("chain", &certificate->chain, 1, name);
	name_settings("key", &certificate->key, 1, name);
	name_settings("intermediates", &certificate->intermediates, 1, name);
	name_settings("ocsp", &certificate->ocsp, 1, name);
}

static void name_choices(const struct tls_choices *choices, struct text *name)
{
	text_format(name, "protocols %u\n", choices->protocols);
	name_settings("cipher", choices->ciphers, choices->cipher_count, name);
	for (unsigned i = 0; i < choices->alpn_count; i++)
		text_format(name, "alpn %.*s\n", SLICE_ARGS(choices->alpn[i]));
}

void copy_name_server(const struct tls_server_options *options, struct text *name)
{
	text_format(name, "server %d %d %d\n", (int)options->client_certificate, options->permissive, options->workloads);
	for (unsigned i = 0; i < options->certificate_count; i++)
		name_certificate(&options->certificates[i], name);
	name_settings("trust", options->trust, options->trust_count, name);
	name_choices(&options->choices, name);
}

void copy_name_client(const struct tls_client_options *options, struct text *name)
{
	text_format(name, "client %d %d\n", options->no_verification, options->workloads);
	name_certificate(&options->certificate, name);
	name_settings("trust", options->trust, options->trust_count, name);
	name_choices(&options->choices, name);
}
