/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include "base/error.h"

static unsigned char lower(char c)
{
	unsigned char u = (unsigned char)c;
	return u >= 'A' && u <= 'Z' ? u | 0x20 : u;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
	if (a.length != b.length)
		return false;
	for (size_t i = 0; i < a.length; i++)
		if (a.at[i] != b.at[i] && lower(a.at[i]) != lower(b.at[i]))
			return false;
	return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.length >= prefix.length && slice_equal(slice_make(s.at, prefix.length), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
	return s.length >= suffix.length && slice_equal(slice_from(s, s.length - suffix.length), suffix);
}

int slice_compare(struct slice a, struct slice b)
{
	size_t common = a.length < b.length ? a.length : b.length;
	int order = common ? memcmp(a.at, b.at, common) : 0;
	if (order)
		return order;
	return (a.length > b.length) - (a.length < b.length);
}

size_t slice_find(struct slice s, char c)
{
	const char *found = s.length ? memchr(s.at, c, s.length) : NULL;
	return found ? (size_t)(found - s.at) : s.length;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
	while (s.length && is_blank(s.at[0]))
		s = slice_from(s, 1);
	while (s.length && is_blank(s.at[s.length - 1]))
		s.length--;
	return s;
}

bool slice_split(struct slice *s, char separator, struct slice *head)
{
	if (!s->at)
		return false;
	size_t cut = slice_find(*s, separator);
	*head = slice_make(s->at, cut);
	*s = cut < s->length ? slice_from(*s, cut + 1) : (struct slice){ 0 };
	return true;
}

int slice_to_u64(struct slice s, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;
	bool over = false;
	if (!s.length)
		return ERROR_SYNTAX;
	for (size_t i = 0; i < s.length; i++) {
		unsigned digit = (unsigned char)s.at[i] - (unsigned)'0';
		if (digit > 9)
			return ERROR_SYNTAX;
		if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, digit, &n))
			over = true;
	}
	if (over || n > max)
		return ERROR_LIMIT;
	*value = n;
	return 0;
}

/* The hash: 64x64 -> 128 bit products, folded to 64 bits by exclusive or. Every input byte enters a product whose other
 * factor depends on the key. Up to 16 bytes, which most header names and hosts are, cost two products and no loop. */

static const uint64_t salt[4] = {
	UINT64_C(0x9e3779b97f4a7c15),
	UINT64_C(0xc2b2ae3d27d4eb4f),
	UINT64_C(0xd6e8feb86659fd93),
	UINT64_C(0xa0761d6478bd642f),
};

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load8(const char *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t load4(const char *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t load_1_to_3(const char *p, size_t n)
{
	return (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 | (unsigned char)p[n - 1];
}

/* All but the last 1 to 16 bytes of a long slice. */
static uint64_t hash_body(const char **at, size_t *left, uint64_t state)
{
	const char *p = *at;
	size_t n = *left;
	if (n > 48) {
		uint64_t second = state ^ salt[2], third = state ^ salt[3];
		for (; n > 48; p += 48, n -= 48) {
			state = fold(load8(p) ^ salt[0], load8(p + 8) ^ state);
			second = fold(load8(p + 16) ^ salt[1], load8(p + 24) ^ second);
			third = fold(load8(p + 32) ^ salt[2], load8(p + 40) ^ third);
		}
		state ^= second ^ third;
	}
	for (; n > 16; p += 16, n -= 16)
		state = fold(load8(p) ^ salt[0], load8(p + 8) ^ state);
	*at = p;
	*left = n;
	return state;
}

uint64_t slice_hash(struct slice s, uint64_t key)
{
	const char *p = s.at;
	size_t n = s.length;
	uint64_t a = 0, b = 0, state = fold(key ^ salt[0], salt[1]);
	if (n > 16) {
		state = hash_body(&p, &n, state);
		a = load8(p + n - 16);
		b = load8(p + n - 8);
	} else if (n >= 8) {
		a = load8(p);
		b = load8(p + n - 8);
	} else if (n >= 4) {
		a = load4(p);
		b = load4(p + n - 4);
	} else if (n) {
		a = load_1_to_3(p, n);
	}
	return fold(salt[2] ^ s.length, fold(a ^ salt[1], b ^ state) ^ salt[3] ^ state);
}

/* Goes back to the last `*` when what follows it doesn't fit: no deeper than that. */
bool slice_like(struct slice name, const char *pattern)
{
	const char *star = NULL;
	size_t at = 0, retry = 0;

	while (at < name.length) {
		if (*pattern == '*') {
			star = pattern++;
			retry = at;
		} else if (*pattern && (*pattern == '?' || *pattern == name.at[at])) {
			pattern++;
			at++;
		} else if (star) {
			pattern = star + 1;
			at = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
