/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/slice.h"

static void compares(void **state)
{
	(void)state;
	assert_true(slice_equal(SLICE("host"), SLICE("host")));
	assert_false(slice_equal(SLICE("host"), SLICE("hosT")));
	assert_true(slice_equal((struct slice){ 0 }, SLICE("")));
	assert_true(slice_equal_nocase(SLICE("Content-LENGTH"), SLICE("content-length")));
	assert_false(slice_equal_nocase(SLICE("a@"), SLICE("a`"))); /* differ in 0x20 but are no letters */
	assert_false(slice_equal_nocase(SLICE("ab"), SLICE("abc")));
	assert_true(slice_compare(SLICE("a"), SLICE("ab")) < 0);
	assert_true(slice_compare(SLICE("b"), SLICE("ab")) > 0);
	assert_true(slice_compare(SLICE("\xff"), SLICE("a")) > 0);
	assert_int_equal(slice_compare(SLICE(""), (struct slice){ 0 }), 0);
}

static void finds_starts_and_ends(void **state)
{
	(void)state;
	assert_true(slice_starts(SLICE("/srv/hello"), SLICE("/srv")));
	assert_false(slice_starts(SLICE("/sr"), SLICE("/srv")));
	assert_true(slice_ends(SLICE("hello.world"), SLICE(".world")));
	assert_false(slice_ends(SLICE("world"), SLICE("a world")));
	assert_int_equal(slice_find(SLICE("a:b"), ':'), 1);
	assert_int_equal(slice_find(SLICE("ab"), ':'), 2);
	assert_int_equal(slice_find((struct slice){ 0 }, ':'), 0);
	assert_true(slice_equal(slice_trim(SLICE(" \t a b\t ")), SLICE("a b")));
	assert_true(slice_equal(slice_trim(SLICE(" \t ")), SLICE("")));
}

static void splits(void **state)
{
	(void)state;
	struct slice rest = SLICE("a,,b,"), part;
	static const char *const parts[] = { "a", "", "b", "" };
	for (int i = 0; i < 4; i++) {
		assert_true(slice_split(&rest, ',', &part));
		assert_true(slice_equal(part, slice_of(parts[i])));
	}
	assert_null(rest.at);
	assert_false(slice_split(&rest, ',', &part));
}

static void reads_numbers(void **state)
{
	(void)state;
	uint64_t n = 7;
	assert_int_equal(slice_to_u64(SLICE("0"), 10, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(slice_to_u64(SLICE("18446744073709551615"), UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(slice_to_u64(SLICE("18446744073709551616"), UINT64_MAX, &n), ERROR_LIMIT);
	assert_int_equal(slice_to_u64(SLICE("99999999999999999999999"), UINT64_MAX, &n), ERROR_LIMIT);
	assert_int_equal(slice_to_u64(SLICE("11"), 10, &n), ERROR_LIMIT);
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "1.0", "99999999999999999999999x" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(slice_to_u64(slice_of(bad[i]), UINT64_MAX, &n), ERROR_SYNTAX);
}

static int bits(uint64_t x)
{
	return __builtin_popcountll(x);
}

/* One flipped bit of the input or of the key changes about half of the hash, at every length that has its own code. */
static void hash_mixes(void **state)
{
	(void)state;
	unsigned char bytes[200];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i * 37 + 11);
	for (size_t length = 1; length <= sizeof bytes; length++) {
		struct slice s = slice_make((const char *)bytes, length);
		uint64_t before = slice_hash(s, 99);
		int changed = 0, flips = 0;
		assert_true(slice_hash(s, 99) == before);
		assert_true(slice_hash(s, 98) != before);
		for (size_t i = 0; i < length; i++) {
			for (int bit = 0; bit < 8; bit++, flips++) {
				bytes[i] ^= (unsigned char)(1 << bit);
				uint64_t after = slice_hash(s, 99);
				bytes[i] ^= (unsigned char)(1 << bit);
				assert_true(after != before);
				changed += bits(before ^ after);
			}
		}
		assert_in_range(changed / flips, 22, 42);
	}
}

static void hash_tells_lengths_apart(void **state)
{
	(void)state;
	static const char zeros[100];
	for (size_t a = 0; a < sizeof zeros; a++)
		for (size_t b = 0; b < a; b++)
			assert_true(slice_hash(slice_make(zeros, a), 5) != slice_hash(slice_make(zeros, b), 5));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Names as they occur: no two of 100,000 collide, and the low bits fill 1024 buckets evenly. */
static void hash_spreads_similar_names(void **state)
{
	(void)state;
	enum { NAMES = 100000, BUCKETS = 1024 };
	uint64_t *hashes = calloc(NAMES, sizeof *hashes);
	unsigned buckets[BUCKETS] = { 0 };
	for (int i = 0; i < NAMES; i++) {
		char name[32];
		int length = snprintf(name, sizeof name, "/svc/service-%d", i);
		hashes[i] = slice_hash(slice_make(name, (size_t)length), 0);
		buckets[hashes[i] % BUCKETS]++;
	}
	for (int i = 0; i < BUCKETS; i++)
		assert_in_range(buckets[i], 98 - 60, 98 + 60);
	qsort(hashes, NAMES, sizeof *hashes, by_value);
	for (int i = 1; i < NAMES; i++)
		assert_true(hashes[i] != hashes[i - 1]);
	free(hashes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(finds_starts_and_ends),
		cmocka_unit_test(splits),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(hash_mixes),
		cmocka_unit_test(hash_tells_lengths_apart),
		cmocka_unit_test(hash_spreads_similar_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
