/* SPDX-License-Identifier: Apache-2.0 */
/* Reads messages from standard input and answers each with what the HTTP/1 codec makes of it (support/http1_verdict.h), until
 * the end of the input. A message is a line `MODE STEP LENGTH` and LENGTH bytes: MODE is Q for requests, R or H for responses
 * to GET or HEAD; it arrives in pieces of STEP bytes, or whole if that is 0. An answer ends with a line of one dot. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "support/http1_verdict.h"

static bool read_message(struct verdict_input *input, char **bytes)
{
	char mode;

	if (scanf(" %c %zu %zu", &mode, &input->step, &input->length) != 3 || getchar() != '\n')
		return false;
	*bytes = memory_new(input->length + 1);
	if (fread(*bytes, 1, input->length, stdin) != input->length)
		return false;
	input->bytes = *bytes;
	input->is_response = input->closes = mode != 'Q';
	input->request_method = mode == 'H' ? METHOD_HEAD : METHOD_GET;
	return true;
}

int main(void)
{
	struct verdict_input input = { 0 };
	struct text verdict = { 0 };
	char *bytes = NULL;

	while (read_message(&input, &bytes)) {
		text_clear(&verdict);
		http1_verdict(&verdict, &input);
		printf("%s.\n", verdict.bytes);
		fflush(stdout);
		memory_free(bytes);
		bytes = NULL;
	}
	memory_free(bytes);
	text_free(&verdict);
	return feof(stdin) ? 0 : 1;
}
