/* SPDX-License-Identifier: Apache-2.0 */
/* Replays a fuzz target's corpus without libFuzzer: every file of the folder given is run once through
 * LLVMFuzzerTestOneInput. The closing line is cmocka's, so that each file counts as a test.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { LONGEST_PATH = 4096 };

/* Reads a whole file into a block of exactly its size, so that AddressSanitizer sees a read past its end. */
static uint8_t *read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = NULL;
	long size;

	if (file == NULL)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
		*length = (size_t)size;
		bytes = malloc(*length > 0 ? *length : 1);
		if (bytes != NULL && fread(bytes, 1, *length, file) != *length) {
			free(bytes);
			bytes = NULL;
		}
	}
	fclose(file);
	return bytes;
}

static int replay(const char *path)
{
	size_t length = 0;
	uint8_t *bytes = read_file(path, &length);

	if (bytes == NULL) {
		perror(path);
		return -1;
	}
	/* Said beforehand: an input that aborts is the last one named. */
	fprintf(stderr, "%s (%zu bytes)\n", path, length);
	(void)LLVMFuzzerTestOneInput(bytes, length);
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent **names = NULL;
	int count, replayed = 0, failed = 0;

	if (argc != 2 || (count = scandir(argv[1], &names, NULL, alphasort)) < 0) {
		fprintf(stderr, "usage: replay CORPUS_FOLDER\n");
		return 2;
	}
	for (int i = 0; i < count; i++) {
		char path[LONGEST_PATH];

		snprintf(path, sizeof path, "%s/%s", argv[1], names[i]->d_name);
		if (names[i]->d_name[0] != '.') {
			if (replay(path) == 0)
				replayed++;
			else
				failed++;
		}
		free(names[i]);
	}
	free(names);
	fprintf(stderr, "[  PASSED  ] %d test(s).\n[  FAILED  ] %d test(s).\n", replayed, failed);
	return replayed > 0 && failed == 0 ? 0 : 1;
}
