/* octets.h - tests of text, eight octets at a time.
 *
 * The words are read with the first octet lowest, on every machine. A test gives a word with the
 * high bit set in each octet that it hits. A borrow or a carry can add hits after a true one,
 * never before it: the first hit is exact, and so is the absence of any.
 */
#ifndef SMTP_OCTETS_H
#define SMTP_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define OCTETS(c) (UINT64_C(0x0101010101010101) * (c))

/* Reads eight octets. Compilers make one instruction of it. */
static inline uint64_t octets_at(const char *data)
{
    const unsigned char *in = (const unsigned char *)data;
    return (uint64_t)in[0] | (uint64_t)in[1] << 8 | (uint64_t)in[2] << 16 | (uint64_t)in[3] << 24 |
           (uint64_t)in[4] << 32 | (uint64_t)in[5] << 40 | (uint64_t)in[6] << 48 |
           (uint64_t)in[7] << 56;
}

static inline uint64_t octets_below(uint64_t octets, unsigned char bound)
{
    return (octets - OCTETS(bound)) & ~octets & OCTETS(0x80);
}

static inline size_t octets_first(uint64_t hits)
{
    return (size_t)__builtin_ctzll(hits) / 8;
}

/* Hits octets from SPACE to "~". Exact in every octet. */
static inline uint64_t octets_printable(uint64_t octets)
{
    uint64_t low = octets & OCTETS(0x7F);
    return (low + OCTETS(0x80 - ' ')) & ~(low + OCTETS(1)) & ~octets & OCTETS(0x80);
}

/* Hits octets other than `c`. Exact in every octet below 0x80. */
static inline uint64_t octets_other_than(uint64_t octets, unsigned char c)
{
    return ((octets ^ OCTETS(c)) & OCTETS(0x7F)) + OCTETS(0x7F);
}

/* Returns how many octets are hit. */
static inline size_t octets_count(uint64_t hits)
{
    return (size_t)((hits >> 7) * OCTETS(1) >> 56);
}

/* Returns the first `count` octets, fewer than eight, and spaces for the others. */
static inline uint64_t octets_begin(uint64_t octets, size_t count)
{
    uint64_t others = ~UINT64_C(0) << (8 * count);
    return (octets & ~others) | (OCTETS(' ') & others);
}

static inline bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

/* CR, LF and CRLF are one line end each, wherever the end of a piece cuts the input: a LF after a
 * CR is the second half of one, and nothing ends there (`*ends`). `*after_cr` goes from call to
 * call, and is to be cleared where text comes. Returns how much of the input was taken. */
static inline size_t line_end_take(bool *after_cr, const char *data, size_t len, bool *ends)
{
    *ends = *data == '\r' || !*after_cr;
    bool crlf = *data == '\r' && len > 1 && data[1] == '\n';
    *after_cr = *data == '\r' && !crlf;
    return crlf ? 2 : 1;
}

static inline bool is_mark(char c, bool eightbit)
{
    return is_line_end(c) || c == '\0' || (!eightbit && (c & 0x80));
}

/* Returns how many octets precede the first CR, LF or NUL, or the first over 127 where these are
 * not allowed. Every octet of a message passes this function, so it takes sixteen at a time where
 * it can. */
static inline size_t plain_len(const char *data, size_t len, bool eightbit)
{
    const uint64_t high = eightbit ? 0 : OCTETS(0x80);
    size_t at = 0;
#ifdef __SSE2__
    const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n'), nul = _mm_setzero_si128();
    for (; len - at >= 16; at += 16) {
        __m128i in = _mm_loadu_si128((const __m128i *)(const void *)(data + at));
        __m128i hits = _mm_or_si128(_mm_cmpeq_epi8(in, cr), _mm_cmpeq_epi8(in, lf));
        hits = _mm_or_si128(hits, _mm_cmpeq_epi8(in, nul));
        if (!eightbit) hits = _mm_or_si128(hits, in);
        unsigned mask = (unsigned)_mm_movemask_epi8(hits);
        if (mask != 0) return at + (size_t)__builtin_ctz(mask);
    }
#endif
    while (len - at >= 8) {
        uint64_t octets = octets_at(data + at);
        uint64_t hits = octets_below(octets, '\r' + 1) | (octets & high);
        if (hits == 0) {
            at += 8;
            continue;
        }
        at += octets_first(hits);
        if (is_mark(data[at], eightbit)) return at;
        at++; /* a TAB, most likely */
    }
    while (at < len && !is_mark(data[at], eightbit))
        at++;
    return at;
}

/* May quoted-printable leave the octet as it is (RFC 2045 6.7), if it is not at a line's end? */
static inline bool is_literal(char c)
{
    return (c >= ' ' && c <= '~' && c != '=') || c == '\t';
}

/* Hits octets that quoted-printable may not leave as they are, and TAB. All over 127 are hits, so
 * what the differences say of them does not matter. */
static inline uint64_t octets_special(uint64_t octets)
{
    uint64_t equal = (octets ^ OCTETS('=')) - OCTETS(1);
    uint64_t del = octets + OCTETS(1);
    return ((octets - OCTETS(' ')) | equal | del | octets) & OCTETS(0x80);
}

#ifdef __SSE2__
/* Hits those of sixteen octets that quoted-printable may not leave as they are, exactly: TAB is
 * none of them. */
static inline unsigned octets_special_mask(__m128i in)
{
    __m128i low = _mm_cmplt_epi8(in, _mm_set1_epi8(' ')); /* and all over 127 */
    __m128i hits = _mm_andnot_si128(_mm_cmpeq_epi8(in, _mm_set1_epi8('\t')), low);
    hits = _mm_or_si128(hits, _mm_cmpeq_epi8(in, _mm_set1_epi8('=')));
    hits = _mm_or_si128(hits, _mm_cmpeq_epi8(in, _mm_set1_epi8(0x7F)));
    return (unsigned)_mm_movemask_epi8(hits);
}
#endif

#endif
