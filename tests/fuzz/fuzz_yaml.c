/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as YAML (what begins with a brace is left to fuzz_json). What parses must be well formed: every node
 * knows its place and its parent, every text can be placed, and its JSON must be read back as the same tree. */
#include <stdint.h>

#include "fuzz/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	tree_check(slice_make((const char *)bytes, length));
	return 0;
}
