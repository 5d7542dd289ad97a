/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http1_scan.h"

#define TOKEN HTTP1_TOKEN
#define VALUE HTTP1_VALUE
#define VISIBLE (HTTP1_VALUE | HTTP1_TARGET)
#define HOST HTTP1_HOST
#define LETTER (TOKEN | VISIBLE | HOST)

const uint8_t http1_kinds[256] = {
	['\t'] = VALUE,
	[' '] = VALUE,
	['!'] = TOKEN | VISIBLE | HOST,
	['"'] = VISIBLE,
	['#'] = TOKEN | VALUE,
	['$'] = TOKEN | VISIBLE | HOST,
	['%'] = TOKEN | VISIBLE,
	['&'] = TOKEN | VISIBLE | HOST,
	['\''] = TOKEN | VISIBLE | HOST,
	['('] = VISIBLE | HOST,
	[')'] = VISIBLE | HOST,
	['*'] = TOKEN | VISIBLE | HOST,
	['+'] = TOKEN | VISIBLE | HOST,
	[','] = VISIBLE | HOST,
	['-'] = TOKEN | VISIBLE | HOST,
	['.'] = TOKEN | VISIBLE | HOST,
	['/'] = VISIBLE,
	['0' ... '9'] = LETTER | HTTP1_HEX | HTTP1_DIGIT,
	[':'] = VISIBLE,
	[';'] = VISIBLE | HOST,
	['<'] = VISIBLE,
	['='] = VISIBLE | HOST,
	['>'] = VISIBLE,
	['?'] = VISIBLE,
	['@'] = VISIBLE,
	['A' ... 'F'] = LETTER | HTTP1_HEX,
	['G' ... 'Z'] = LETTER,
	['['] = VISIBLE,
	['\\'] = VISIBLE,
	[']'] = VISIBLE,
	['^'] = TOKEN | VISIBLE,
	['_'] = TOKEN | VISIBLE | HOST,
	['`'] = TOKEN | VISIBLE,
	['a' ... 'f'] = LETTER | HTTP1_HEX,
	['g' ... 'z'] = LETTER,
	['{'] = VISIBLE,
	['|'] = TOKEN | VISIBLE,
	['}'] = VISIBLE,
	['~'] = TOKEN | VISIBLE | HOST,
	[0x80 ... 0xff] = VALUE,
};
