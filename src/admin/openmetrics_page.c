/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics */
#include "admin/server.h"
#include "export/openmetrics.h"

void page_openmetrics(struct request *request)
{
	struct field *accept = request->side ? head_find_name(request->side->head, SLICE("Accept")) : NULL;
	enum openmetrics_form form = openmetrics_accepted(accept ? field_value(accept) : SLICE(""));
	struct text out = { 0 };

	process_metrics_refresh(request->admin->process, loop_now(request->admin->options.loop));
	openmetrics_text(request->admin->options.metrics, form, &out);
	request_answer(request, 200, openmetrics_type(form), text_slice(&out));
	text_free(&out);
}
