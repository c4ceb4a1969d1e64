/* encode.c - base64 (RFC 4648 4). */
#include "smtp.h"

#pragma GCC visibility push(hidden)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t smtp_base64_encode(const char *data, size_t len, char *out)
{
    const unsigned char *in = (const unsigned char *)data;
    char *at = out;
    for (; len >= 3; in += 3, len -= 3) {
        *at++ = alphabet[in[0] >> 2];
        *at++ = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
        *at++ = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
        *at++ = alphabet[in[2] & 63];
    }
    if (len > 0) {
        unsigned second = len > 1 ? in[1] : 0;
        *at++ = alphabet[in[0] >> 2];
        *at++ = alphabet[(in[0] & 3u) << 4 | second >> 4];
        *at++ = len > 1 ? alphabet[(second & 15) << 2] : '=';
        *at++ = '=';
    }
    return (size_t)(at - out);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

/* Four characters, up to two of them padding at the very end. Returns how many octets they mean, 0
 * where they mean none. */
static size_t decode_four(const char *in, bool last, char *out)
{
    size_t pad = 0;
    uint32_t bits = 0;
    if (last && in[3] == '=') pad = in[2] == '=' ? 2 : 1;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - pad ? value_of(in[i]) : 0;
        if (value < 0) return 0;
        bits = bits << 6 | (uint32_t)value;
    }
    if (bits & ((1u << (8 * pad)) - 1)) return 0; /* RFC 4648 3.5: one meaning, one form */
    for (size_t i = 0; i < 3 - pad; i++)
        out[i] = (char)(bits >> (16 - 8 * i));
    return 3 - pad;
}

bool smtp_base64_decode(const char *data, size_t len, char *out, size_t *out_len)
{
    *out_len = 0;
    if (len % 4 != 0) return false;
    for (size_t i = 0; i < len; i += 4) {
        size_t octets = decode_four(data + i, i + 4 == len, out + *out_len);
        if (octets == 0) return false;
        *out_len += octets;
    }
    return true;
}

#pragma GCC visibility pop
