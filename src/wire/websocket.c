/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/websocket.h"

enum { BLOCK = 64, DIGEST = 20, KEY_MOST = 128 };

static uint32_t rotate(uint32_t x, unsigned bits)
{
	return x << bits | x >> (32 - bits);
}

/* One block of SHA-1 (RFC 3174), which is no secret's keeper here but a checksum that the protocol asks for. */
static void sha1_block(uint32_t state[5], const uint8_t block[BLOCK])
{
	uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (unsigned i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (unsigned i = 0; i < 80; i++) {
		static const uint32_t constants[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
		uint32_t f, sum;

		if (i < 20)
			f = (b & c) | (~b & d);
		else if (i >= 40 && i < 60)
			f = (b & c) | (b & d) | (c & d);
		else
			f = b ^ c ^ d;
		sum = rotate(a, 5) + f + e + constants[i / 20] + w[i];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = sum;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}

/* Of at most KEY_MOST bytes and what is put behind them: three blocks. */
static void sha1(const uint8_t *bytes, size_t length, uint8_t digest[DIGEST])
{
	uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	uint8_t padded[4 * BLOCK] = { 0 };
	size_t blocks = (length + 9 + BLOCK - 1) / BLOCK, bits = length * 8;

	memcpy(padded, bytes, length);
	padded[length] = 0x80;
	padded[blocks * BLOCK - 2] = (uint8_t)(bits >> 8);
	padded[blocks * BLOCK - 1] = (uint8_t)bits;
	for (size_t i = 0; i < blocks; i++)
		sha1_block(state, padded + i * BLOCK);
	for (unsigned i = 0; i < DIGEST; i++)
		digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *bytes, size_t length, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0u);

		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		*out++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[group & 63] : '=';
	}
}

void websocket_key(const uint8_t nonce[WEBSOCKET_NONCE], char key[WEBSOCKET_KEY])
{
	base64(nonce, WEBSOCKET_NONCE, key);
}

void websocket_accept(struct slice key, char accept[WEBSOCKET_ACCEPT])
{
	static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t text[KEY_MOST + sizeof suffix - 1], digest[DIGEST];

	if (key.length > KEY_MOST)
		key.length = KEY_MOST;
	memcpy(text, key.at, key.length);
	memcpy(text + key.length, suffix, sizeof suffix - 1);
	sha1(text, key.length + sizeof suffix - 1, digest);
	base64(digest, sizeof digest, accept);
}

static const struct field *find(const struct head *head, struct slice name)
{
	for (size_t i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		if (!field->dropped && slice_equal_nocase(field_name(field), name))
			return field;
	}
	return NULL;
}

bool websocket_asked(const struct head *request)
{
	const struct field *asked = NULL;

	if (!request->upgrades || request->method != METHOD_GET || request->body != BODY_NONE)
		return false;
	for (size_t i = 0; i < request->field_count; i++) {
		const struct field *field = &request->fields[i];

		if (field->id != FIELD_UPGRADE || field->dropped)
			continue;
		if (asked)
			return false;
		asked = field;
	}
	return asked && slice_equal_nocase(field_value(asked), SLICE("websocket"));
}

struct slice websocket_key_of(const struct head *request)
{
	const struct field *key = find(request, SLICE("sec-websocket-key"));

	return key ? field_value(key) : SLICE("");
}

bool websocket_accepted(const struct head *request, const struct head *response)
{
	const struct field *accept = find(response, SLICE("sec-websocket-accept"));
	char wanted[WEBSOCKET_ACCEPT];

	websocket_accept(websocket_key_of(request), wanted);
	return accept && slice_equal(field_value(accept), slice_make(wanted, sizeof wanted));
}
