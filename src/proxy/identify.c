/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/identify.h"

static struct slice value_of(struct head *request, struct slice header)
{
	struct field *field;

	if (slice_equal(header, SLICE("host")))
		return request->authority;
	field = head_find_name(request, header);
	return field ? field_value(field) : (struct slice){ 0 };
}

bool identify_request(const struct router *router, struct head *request, struct slice *token)
{
	for (unsigned i = 0; i < router->identifier_count; i++) {
		*token = value_of(request, router->identifiers[i].header);
		if (token->length)
			return true;
	}
	return false;
}

void identify_why(const struct router *router, struct text *out)
{
	text_format(out, "%.*s header is absent", SLICE_ARGS(router->identifiers[router->identifier_count - 1].header));
}

int identify_dtab(struct head *request, struct arena *arena, struct dtab *dtab, struct slice *why)
{
	static const enum field_id ids[] = { FIELD_L5D_CTX_DTAB, FIELD_L5D_DTAB };
	struct slice reason;

	*dtab = (struct dtab){ 0 };
	for (unsigned i = 0; i < 2; i++) {
		for (struct field *f = head_find(request, ids[i]); f; f = head_find_next(request, f)) {
			struct dtab more;
			int e = dtab_parse(field_value(f), arena, &more, &reason, NULL);

			if (!e)
				e = dtab_concat(arena, dtab, &more, dtab);
			if (e) {
				*why = e == ERROR_SYNTAX ? reason : slice_of(error_text(e));
				return e;
			}
		}
	}
	return 0;
}
