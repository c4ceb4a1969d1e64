/* utf8.c - what is well-formed UTF-8. */
#include "octets.h"
#include "text.h"

#include <string.h>

/* Returns the length of a well-formed sequence of two bytes or more (RFC 3629 4), or 0. */
static size_t sequence_len(const unsigned char *data, size_t len)
{
    static const struct {
        unsigned char from, to, low, high; /* of the first and the second byte */
        size_t len;
    } forms[] = {{0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                 {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
                 {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
                 {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (data[0] < forms[i].from || data[0] > forms[i].to) continue;
        if (len < forms[i].len || data[1] < forms[i].low || data[1] > forms[i].high) return 0;
        for (size_t k = 2; k < forms[i].len; k++)
            if ((data[k] & 0xC0) != 0x80) return 0;
        return forms[i].len;
    }
    return 0;
}

size_t smtp_utf8_len(const char *data, size_t len)
{
    const unsigned char *in = (const unsigned char *)data;
    return *in < 0x80 ? 1 : sequence_len(in, len);
}

/* Returns how many bytes the character has that begins with this byte, if any character does. */
static size_t width_of(char first)
{
    unsigned char c = (unsigned char)first;
    if (c < 0x80) return 1;
    return c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

#ifdef __SSE2__
static unsigned mask_of(__m128i hits)
{
    return (unsigned)_mm_movemask_epi8(hits);
}

static __m128i all_of(int c)
{
    return _mm_set1_epi8((char)c);
}

/* Comparisons are signed: bytes over 127 are negative, in their order. */
static __m128i is_below(__m128i in, int bound)
{
    return _mm_cmplt_epi8(in, all_of(bound));
}

static __m128i is_from(__m128i in, int bound)
{
    return _mm_cmpeq_epi8(_mm_max_epu8(in, all_of(bound)), in);
}

/* Is any byte the first of a character of three or four bytes whose second byte, in `next`, is out
 * of its range? One that continues no character is found elsewhere. */
static bool has_bad_second(__m128i in, __m128i next)
{
    __m128i below_90 = is_below(next, 0x90), below_a0 = is_below(next, 0xA0);
    __m128i bad = _mm_and_si128(_mm_cmpeq_epi8(in, all_of(0xE0)), below_a0);
    bad = _mm_or_si128(bad, _mm_andnot_si128(below_a0, _mm_cmpeq_epi8(in, all_of(0xED))));
    bad = _mm_or_si128(bad, _mm_and_si128(_mm_cmpeq_epi8(in, all_of(0xF0)), below_90));
    bad = _mm_or_si128(bad, _mm_andnot_si128(below_90, _mm_cmpeq_epi8(in, all_of(0xF4))));
    return mask_of(_mm_or_si128(bad, is_from(in, 0xF5))) != 0;
}

/* Checks sixteen bytes and looks at one more. In `*due`, bit i says that byte i has to continue a
 * character that began before it. */
static bool check_block(const char *data, unsigned *due)
{
    __m128i in = _mm_loadu_si128((const __m128i *)(const void *)data);
    unsigned high = mask_of(in);
    if ((high | *due) == 0) return true;
    unsigned more = mask_of(is_below(in, 0xC0)), three = mask_of(is_from(in, 0xE0));
    *due |= (high & ~more) << 1 | three << 2 | mask_of(is_from(in, 0xF0)) << 3;
    if ((*due & 0xFFFF) != more || mask_of(is_below(in, 0xC2)) != more) return false;
    *due >>= 16;
    if (three == 0) return true;
    return !has_bad_second(in, _mm_loadu_si128((const __m128i *)(const void *)(data + 1)));
}

/* Returns where the character begins that the byte before `at` is a part of and does not end. */
static size_t begin_of(const char *data, size_t at)
{
    for (size_t i = 1; i <= 3 && i <= at; i++)
        if ((data[at - i] & 0xC0) != 0x80) return width_of(data[at - i]) > i ? at - i : at;
    return at;
}
#endif

/* Returns how many bytes are well-formed characters, from the first on. */
static size_t well_formed_len(const char *data, size_t len)
{
    size_t at = 0, width;
#ifdef __SSE2__
    unsigned due = 0;
    while (len - at > 16 && check_block(data + at, &due))
        at += 16;
    at = begin_of(data, at);
#endif
    while (at < len) {
        bool plain = len - at >= 8 && (octets_at(data + at) & OCTETS(0x80)) == 0;
        width = plain ? 8 : smtp_utf8_len(data + at, len - at);
        if (width == 0) break;
        at += width;
    }
    return at;
}

void smtp_utf8_feed(struct smtp_utf8 *u, const char *data, size_t len)
{
    while (u->held_len > 0 && len > 0 && !u->broken) {
        u->held[u->held_len++] = *data++;
        len--;
        if (u->held_len < width_of(u->held[0])) continue;
        u->broken = smtp_utf8_len(u->held, u->held_len) == 0;
        u->held_len = 0;
    }
    if (u->broken || len == 0) return;
    size_t at = well_formed_len(data, len);
    u->broken = at < len && len - at >= width_of(data[at]);
    u->held_len = u->broken ? 0 : len - at;
    memcpy(u->held, data + at, u->held_len);
}

bool smtp_utf8_is_whole(const struct smtp_utf8 *u)
{
    return !u->broken && u->held_len == 0;
}

bool smtp_utf8_check(const char *data, size_t len)
{
    return well_formed_len(data, len) == len;
}
