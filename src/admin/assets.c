/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the dashboard's files. They are compressed when the binary is built, and sent as they are: every browser takes gzip. */
#include "admin/assets.h"

#include "admin/server.h"

/* Nothing from elsewhere, nothing inline: what traffic puts into names can never become a program. */
static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
			     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

bool assets_are_there(void)
{
	return assets[0].path != NULL;
}

static const struct asset *find(struct slice path)
{
	for (const struct asset *asset = assets; asset->path; asset++)
		if (slice_equal(path, slice_of(asset->path)))
			return asset;
	return NULL;
}

static bool has_it(const struct request *request, const struct asset *asset)
{
	struct field *known = request->side ? head_find_name(request->side->head, SLICE("if-none-match")) : NULL;

	return known && slice_equal(field_value(known), slice_of(asset->tag));
}

void asset_answer(struct request *request, struct slice path)
{
	const struct asset *asset = find(path);
	struct slice body;
	bool same;

	if (!asset) {
		request_answer_error(request, 404, "this weft was built without pages");
		return;
	}
	const struct request_header headers[] = {
		{ "ETag", asset->tag },
		{ "Cache-Control", "no-cache" },
		{ "Vary", "Accept-Encoding" },
		{ "Content-Security-Policy", policy },
		{ "X-Content-Type-Options", "nosniff" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Content-Encoding", "gzip" },
	};
	same = has_it(request, asset);
	body = same ? SLICE("") : slice_make((const char *)asset->gzip, asset->length);
	request_answer_with(request, same ? 304 : 200, asset->content_type, body, headers, sizeof headers / sizeof headers[0]);
}

void page_shell(struct request *request)
{
	asset_answer(request, SLICE("/"));
}

void page_asset(struct request *request)
{
	asset_answer(request, text_slice(&request->path));
}
