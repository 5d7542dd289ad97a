/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http2.h"

const char http2_preface[HTTP2_PREFACE_LENGTH + 1] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

uint32_t http2_get32(const char bytes[4])
{
	const unsigned char *b = (const unsigned char *)bytes;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static char *put32(char *out, uint32_t value)
{
	out[0] = (char)(value >> 24);
	out[1] = (char)(value >> 16);
	out[2] = (char)(value >> 8);
	out[3] = (char)value;
	return out + 4;
}

void http2_parse_frame(const char bytes[HTTP2_FRAME_HEAD], struct http2_frame *frame)
{
	frame->length = http2_get32(bytes) >> 8;
	frame->type = (uint8_t)bytes[3];
	frame->flags = (uint8_t)bytes[4];
	frame->stream = http2_get32(bytes + 5) & HTTP2_STREAM_MOST;
}

char *http2_put_frame(char *out, size_t length, enum http2_type type, unsigned flags, uint32_t stream)
{
	put32(out, (uint32_t)length << 8 | type);
	out[4] = (char)flags;
	return put32(out + 5, stream);
}

char *http2_put_rst_stream(char *out, uint32_t stream, enum http2_error code)
{
	return put32(http2_put_frame(out, 4, HTTP2_RST_STREAM, 0, stream), code);
}

char *http2_put_window_update(char *out, uint32_t stream, uint32_t increment)
{
	return put32(http2_put_frame(out, 4, HTTP2_WINDOW_UPDATE, 0, stream), increment);
}

char *http2_put_ping(char *out, const char payload[HTTP2_PING_LENGTH], bool ack)
{
	out = http2_put_frame(out, HTTP2_PING_LENGTH, HTTP2_PING, ack ? HTTP2_ACK : 0, 0);
	memcpy(out, payload, HTTP2_PING_LENGTH);
	return out + HTTP2_PING_LENGTH;
}

char *http2_put_goaway(char *out, uint32_t last_stream, enum http2_error code)
{
	return put32(put32(http2_put_frame(out, 8, HTTP2_GOAWAY, 0, 0), last_stream), code);
}

void http2_settings_init(struct http2_settings *settings)
{
	*settings = (struct http2_settings){
		.max_concurrent_streams = UINT32_MAX,
		.initial_window_size = HTTP2_WINDOW_FIRST,
		.max_frame_size = HTTP2_FRAME_MOST,
	};
}

enum http2_error http2_settings_apply(struct http2_settings *settings, const char *bytes, bool from_server)
{
	enum { LARGEST_FRAME_SIZE = (1 << 24) - 1 };
	unsigned setting = http2_get32(bytes) >> 16;
	uint32_t value = http2_get32(bytes + 2);

	switch (setting) {
	case HTTP2_ENABLE_PUSH:
		return value > 1 || (from_server && value) ? HTTP2_PROTOCOL_ERROR : HTTP2_NO_ERROR;
	case HTTP2_MAX_CONCURRENT_STREAMS:
		settings->max_concurrent_streams = value;
		break;
	case HTTP2_INITIAL_WINDOW_SIZE:
		if (value > HTTP2_WINDOW_MOST)
			return HTTP2_FLOW_CONTROL_ERROR;
		settings->initial_window_size = value;
		break;
	case HTTP2_MAX_FRAME_SIZE:
		if (value < HTTP2_FRAME_MOST || value > LARGEST_FRAME_SIZE)
			return HTTP2_PROTOCOL_ERROR;
		settings->max_frame_size = value;
		break;
	case HTTP2_ENABLE_CONNECT_PROTOCOL:
		/* It may not be taken back (RFC 8441 section 3). */
		if (value > 1 || (settings->enable_connect_protocol && !value))
			return HTTP2_PROTOCOL_ERROR;
		settings->enable_connect_protocol = value;
		break;
	default:
		break;
	}
	return HTTP2_NO_ERROR;
}

char *http2_put_setting(char *out, enum http2_setting setting, uint32_t value)
{
	out[0] = 0;
	out[1] = (char)setting;
	return put32(out + 2, value);
}
