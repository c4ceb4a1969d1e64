/* base64.c - base64 (RFC 4648 4). */
#include "text.h"

#include <string.h>

/* The characters for each twelve bits: half as many look-ups as with one for six. */
/* clang-format off */
#define PAIRS(x, a, b, c, d, e, f, g, h) {x, a}, {x, b}, {x, c}, {x, d}, {x, e}, {x, f}, {x, g}, {x, h},
#define ROW(x)                                                                                     \
    PAIRS(x, 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H') PAIRS(x, 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P') \
    PAIRS(x, 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X') PAIRS(x, 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f') \
    PAIRS(x, 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n') PAIRS(x, 'o', 'p', 'q', 'r', 's', 't', 'u', 'v') \
    PAIRS(x, 'w', 'x', 'y', 'z', '0', '1', '2', '3') PAIRS(x, '4', '5', '6', '7', '8', '9', '+', '/')
#define ROWS(a, b, c, d, e, f, g, h) ROW(a) ROW(b) ROW(c) ROW(d) ROW(e) ROW(f) ROW(g) ROW(h)
static const char pairs[4096][2] = {
    ROWS('A', 'B', 'C', 'D', 'E', 'F', 'G', 'H') ROWS('I', 'J', 'K', 'L', 'M', 'N', 'O', 'P')
    ROWS('Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X') ROWS('Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f')
    ROWS('g', 'h', 'i', 'j', 'k', 'l', 'm', 'n') ROWS('o', 'p', 'q', 'r', 's', 't', 'u', 'v')
    ROWS('w', 'x', 'y', 'z', '0', '1', '2', '3') ROWS('4', '5', '6', '7', '8', '9', '+', '/')
};
/* clang-format on */

static inline void put_pair(char *out, uint64_t bits)
{
    memcpy(out, pairs[bits & 4095], 2);
}

size_t smtp_base64_encode(const char *data, size_t len, char *out)
{
    const unsigned char *in = (const unsigned char *)data;
    char *at = out;
    /* Takes six octets in each step; eight are read, which is one instruction. */
    for (; len >= 8; in += 6, len -= 6, at += 8) {
        uint64_t bits = (uint64_t)in[0] << 56 | (uint64_t)in[1] << 48 | (uint64_t)in[2] << 40 |
                        (uint64_t)in[3] << 32 | (uint64_t)in[4] << 24 | (uint64_t)in[5] << 16 |
                        (uint64_t)in[6] << 8 | in[7];
        put_pair(at, bits >> 52);
        put_pair(at + 2, bits >> 40);
        put_pair(at + 4, bits >> 28);
        put_pair(at + 6, bits >> 16);
    }
    for (; len >= 3; in += 3, len -= 3, at += 4) {
        uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        put_pair(at, bits >> 12);
        put_pair(at + 2, bits);
    }
    if (len > 0) {
        uint32_t bits = (uint32_t)in[0] << 16 | (len > 1 ? (uint32_t)in[1] << 8 : 0);
        put_pair(at, bits >> 12);
        put_pair(at + 2, bits);
        if (len == 1) at[2] = '=';
        at[3] = '=';
        at += 4;
    }
    return (size_t)(at - out);
}

static inline char *end_line(char *out)
{
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

/* A line at a time. */
static void encode_lines(const char *data, size_t count, char *out)
{
    for (; count > 0; count--, data += SMTP_BASE64_LINE_LEN) {
        out += smtp_base64_encode(data, SMTP_BASE64_LINE_LEN, out);
        out = end_line(out);
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* 24 octets to 32 characters. The octets b0 b1 b2 go into 32 bits as b1 b0 b2 b1, where two
 * multiplications shift each six of them into an octet of their own. A look-up then gives the
 * distance to their character: "a" for 0 (26 to 51), digits for 1 to 10, "+", "/", "A" for 13. */
__attribute__((target("avx2"))) static inline void encode_24(const char *in, char *out)
{
    const __m256i spread =
        _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10,       /* from octet 0 */
                         5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14); /* from 8 */
    const __m256i distances = _mm256_broadcastsi128_si256(
        _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                      '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0));
    const __m128i *first = (const void *)in, *second = (const void *)(in + 8);
    __m256i octets = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(first)),
                                             _mm_loadu_si128(second), 1);
    octets = _mm256_shuffle_epi8(octets, spread);
    __m256i even = _mm256_and_si256(octets, _mm256_set1_epi32(0x0FC0FC00));
    __m256i odd = _mm256_and_si256(octets, _mm256_set1_epi32(0x003F03F0));
    even = _mm256_mulhi_epu16(even, _mm256_set1_epi32(0x04000040));
    odd = _mm256_mullo_epi16(odd, _mm256_set1_epi32(0x01000010));
    __m256i sixes = _mm256_or_si256(even, odd);
    __m256i upper = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), sixes);
    __m256i place = _mm256_subs_epu8(sixes, _mm256_set1_epi8(51));
    place = _mm256_or_si256(place, _mm256_and_si256(upper, _mm256_set1_epi8(13)));
    __m256i text = _mm256_add_epi8(sixes, _mm256_shuffle_epi8(distances, place));
    _mm256_storeu_si256((__m256i *)(void *)out, text);
}

/* The third step of a line begins with octets of the second. */
__attribute__((target("avx2"))) static void encode_lines_fast(const char *data, size_t count,
                                                              char *out)
{
    for (; count > 0; count--, data += SMTP_BASE64_LINE_LEN, out += 78) {
        encode_24(data, out);
        encode_24(data + 24, out + 32);
        encode_24(data + 33, out + 44);
        end_line(out + 76);
    }
}

void smtp_base64_lines(const char *data, size_t count, char *out)
{
    if (__builtin_cpu_supports("avx2"))
        encode_lines_fast(data, count, out);
    else
        encode_lines(data, count, out);
}
#else
void smtp_base64_lines(const char *data, size_t count, char *out)
{
    encode_lines(data, count, out);
}
#endif

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

/* Decodes four characters, up to two of them padding at the very end. Returns how many octets they
 * mean, 0 where they are not valid. */
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
