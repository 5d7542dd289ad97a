/* SPDX-License-Identifier: Apache-2.0 */
/* The code of RFC 7541 appendix B is canonical: shorter codes come first, and codes of one length follow each other in the order
 * of their bytes. So the bytes in the order of their codes, and where each length begins, say all of it. */
#include "wire/hpack.h"

static const uint8_t bytes_by_code[256] = {
	48,
	49,
	50,
	97,
	99,
	101,
	105,
	111,
	115,
	116,
	32,
	37,
	45,
	46,
	47,
	51,
	52,
	53,
	54,
	55,
	56,
	57,
	61,
	65,
	95,
	98,
	100,
	102,
	103,
	104,
	108,
	109,
	110,
	112,
	114,
	117,
	58,
	66,
	67,
	68,
	69,
	70,
	71,
	72,
	73,
	74,
	75,
	76,
	77,
	78,
	79,
	80,
	81,
	82,
	83,
	84,
	85,
	86,
	87,
	89,
	106,
	107,
	113,
	118,
	119,
	120,
	121,
	122,
	38,
	42,
	44,
	59,
	88,
	90,
	33,
	34,
	40,
	41,
	63,
	39,
	43,
	124,
	35,
	62,
	0,
	36,
	64,
	91,
	93,
	126,
	94,
	125,
	60,
	96,
	123,
	92,
	195,
	208,
	128,
	130,
	131,
	162,
	184,
	194,
	224,
	226,
	153,
	161,
	167,
	172,
	176,
	177,
	179,
	209,
	216,
	217,
	227,
	229,
	230,
	129,
	132,
	133,
	134,
	136,
	146,
	154,
	156,
	160,
	163,
	164,
	169,
	170,
	173,
	178,
	181,
	185,
	186,
	187,
	189,
	190,
	196,
	198,
	228,
	232,
	233,
	1,
	135,
	137,
	138,
	139,
	140,
	141,
	143,
	147,
	149,
	150,
	151,
	152,
	155,
	157,
	158,
	165,
	166,
	168,
	174,
	175,
	180,
	182,
	183,
	188,
	191,
	197,
	231,
	239,
	9,
	142,
	144,
	145,
	148,
	159,
	171,
	206,
	215,
	225,
	236,
	237,
	199,
	207,
	234,
	235,
	192,
	193,
	200,
	201,
	202,
	205,
	210,
	213,
	218,
	219,
	238,
	240,
	242,
	243,
	255,
	203,
	204,
	211,
	212,
	214,
	221,
	222,
	223,
	241,
	244,
	245,
	246,
	247,
	248,
	250,
	251,
	252,
	253,
	254,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	11,
	12,
	14,
	15,
	16,
	17,
	18,
	19,
	20,
	21,
	23,
	24,
	25,
	26,
	27,
	28,
	29,
	30,
	31,
	127,
	220,
	249,
	10,
	13,
	22,
};

/* Codes of up to 8 bits: all printable characters that are not rare. The first code of the next length, 32 bits wide. */
enum { SHORTEST = 5 };
#define END_5 (UINT32_C(0x0a) << 27)
#define END_6 (UINT32_C(0x2e) << 26)
#define END_7 (UINT32_C(0x7c) << 25)
#define END_8 (UINT32_C(0xfe) << 24)

static const uint8_t first_of_length[] = { [5] = 0, [6] = 10, [7] = 36, [8] = 68 };
static const uint8_t first_code[] = { [5] = 0, [6] = 0x14, [7] = 0x5c, [8] = 0xf8 };

/* The longer ones. */
static const struct {
	uint8_t bits, first, count;
	uint32_t code;
} longer[] = {
	{ 10, 74, 5, 0x3f8 },
	{ 11, 79, 3, 0x7fa },
	{ 12, 82, 2, 0xffa },
	{ 13, 84, 6, 0x1ff8 },
	{ 14, 90, 2, 0x3ffc },
	{ 15, 92, 3, 0x7ffc },
	{ 19, 95, 3, 0x7fff0 },
	{ 20, 98, 8, 0xfffe6 },
	{ 21, 106, 13, 0x1fffdc },
	{ 22, 119, 26, 0x3fffd2 },
	{ 23, 145, 29, 0x7fffd8 },
	{ 24, 174, 12, 0xffffea },
	{ 25, 186, 4, 0x1ffffec },
	{ 26, 190, 15, 0x3ffffe0 },
	{ 27, 205, 19, 0x7ffffde },
	{ 28, 224, 29, 0xfffffe2 },
	{ 30, 253, 3, 0x3ffffffc },
};

/* The code at the top of `window`: its byte, and how many bits it has. 0: there is none but the end-of-string symbol. */
static unsigned decode_longer(uint32_t window, uint8_t *byte)
{
	for (unsigned i = 0; i < sizeof longer / sizeof *longer; i++) {
		uint32_t offset = (window >> (32 - longer[i].bits)) - longer[i].code;

		if (offset < longer[i].count) {
			*byte = bytes_by_code[longer[i].first + offset];
			return longer[i].bits;
		}
	}
	return 0;
}

/* Ones: as at the beginning of the end-of-string symbol. */
static bool is_padding(uint64_t window, unsigned have)
{
	return have == 0 || window >> (64 - have) == (UINT64_C(1) << have) - 1;
}

static unsigned decode_one(uint32_t window, uint8_t *byte)
{
	unsigned bits;

	if (__builtin_expect(window >= END_8, 0))
		return decode_longer(window, byte);
	bits = SHORTEST + (window >= END_5) + (window >= END_6) + (window >= END_7);
	*byte = bytes_by_code[first_of_length[bits] + (window >> (32 - bits)) - first_code[bits]];
	return bits;
}

int hpack_huffman_decode(struct slice encoded, char *out, size_t room, size_t *length)
{
	const uint8_t *p = (const uint8_t *)encoded.at, *end = p + encoded.length;
	uint64_t window = 0; /* the next bits, from the top */
	unsigned have = 0, bits;
	char *start = out, *out_end = out + room;
	uint8_t byte;

	for (;;) {
		for (; have <= 56 && p < end; have += 8)
			window |= (uint64_t)*p++ << (56 - have);
		if (have < SHORTEST || (have < 8 && is_padding(window, have)))
			break;
		bits = decode_one((uint32_t)(window >> 32) | (have < 32 ? UINT32_MAX >> have : 0), &byte);
		if (bits == 0 || bits > have)
			break;
		if (out == out_end)
			return ERROR_LIMIT;
		*out++ = (char)byte;
		window <<= bits;
		have -= bits;
	}
	if (have >= 8 || !is_padding(window, have))
		return ERROR_SYNTAX;
	*length = (size_t)(out - start);
	return 0;
}
