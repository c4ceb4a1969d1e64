/* lines.c - the lines of a text that may be sent as they are, many octets at a time.
 *
 * Every octet of a message passes here, and in most texts a whole block has nothing to note. Where
 * the processor has AVX2 such blocks are found without a look at each line. The lines that are not
 * in one are taken one after the other, as on any other processor. */
#include "octets.h"
#include "text.h"

static void note_line(struct smtp_lines *lines, const char *line, size_t len)
{
    if (*line == '.') lines->has_dots = true;
    if (lines->eightbit && !lines->has_eightbit)
        lines->has_eightbit = plain_len(line, len, false) < len;
}

/* A line at a time. */
static size_t take_lines(const char *data, size_t len, struct smtp_lines *lines)
{
    size_t at = 0;
    while (at < len && (lines->dots || data[at] != '.')) {
        size_t line_len = plain_len(data + at, len - at, lines->eightbit), end = at + line_len;
        if (line_len > SMTP_BODY_LINE_MAX || len - end < 2) break;
        if (data[end] != '\r' || data[end + 1] != '\n') break;
        note_line(lines, data + at, line_len);
        at = end + 2;
    }
    return at;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

enum {
    STEP = 32,
    BLOCK = 8 * STEP, /* with a line end in each, no line is over SMTP_BODY_LINE_MAX */
    REST_MAX = 1024   /* bytes that are taken line by line before the next block is tried */
};

/* What has to be noted where it is found. */
struct sought {
    bool high, dots; /* octets over 127; dots at the beginning of a line */
};

/* Is there a line end in the block, and no NUL, no other CR or LF, and nothing that is sought? A
 * line end belongs to the block of its CR, so one octet after the block is read, too. */
__attribute__((target("avx2"))) static inline bool is_plain(const char *block, struct sought sought)
{
    const __m256i cr = _mm256_set1_epi8('\r'), lf = _mm256_set1_epi8('\n');
    __m256i odd = _mm256_setzero_si256(), ends = odd, high = odd, least = cr;
    for (size_t at = 0; at < BLOCK; at += STEP) {
        const __m256i in = _mm256_loadu_si256((const void *)(block + at));
        const __m256i next = _mm256_loadu_si256((const void *)(block + at + 1));
        const __m256i crs = _mm256_cmpeq_epi8(in, cr);
        odd = _mm256_or_si256(odd, _mm256_xor_si256(crs, _mm256_cmpeq_epi8(next, lf)));
        ends = _mm256_or_si256(ends, crs);
        high = _mm256_or_si256(high, in);
        least = _mm256_min_epu8(least, in);
        if (!sought.dots) continue;
        const __m256i dots = _mm256_cmpeq_epi8(next, _mm256_set1_epi8('.'));
        odd = _mm256_or_si256(odd, _mm256_and_si256(_mm256_cmpeq_epi8(in, lf), dots));
    }
    odd = _mm256_or_si256(odd, _mm256_cmpeq_epi8(least, _mm256_setzero_si256()));
    if (sought.high && _mm256_movemask_epi8(high) != 0) return false;
    return _mm256_testz_si256(odd, odd) && !_mm256_testz_si256(ends, ends);
}

/* Returns the length of the lines that end in plain blocks. The text begins with a line. Octets at
 * its end that fill no block of their own are looked at with some of those before. */
__attribute__((target("avx2"))) static size_t take_blocks(const char *data, size_t len,
                                                          const struct smtp_lines *lines)
{
    const struct sought sought = {.high = !lines->eightbit || !lines->has_eightbit,
                                  .dots = !lines->dots || !lines->has_dots};
    size_t at = 0;
    if (len <= BLOCK || *data == '\n' || (sought.dots && *data == '.')) return 0;
    while (len - at > BLOCK && is_plain(data + at, sought))
        at += BLOCK;
    if (len - at <= BLOCK && is_plain(data + len - 1 - BLOCK, sought)) at = len - 1;
    while (at > 0 && data[at - 1] != '\r')
        at--;
    return at > 0 ? at + 1 : 0;
}

static size_t take_all(const char *data, size_t len, struct smtp_lines *lines)
{
    size_t at = 0, taken;
    do {
        at += take_blocks(data + at, len - at, lines);
        taken = take_lines(data + at, len - at < REST_MAX ? len - at : REST_MAX, lines);
        at += taken;
    } while (taken > 0);
    return at;
}

size_t smtp_lines_take(const char *data, size_t len, struct smtp_lines *lines)
{
    return __builtin_cpu_supports("avx2") ? take_all(data, len, lines)
                                          : take_lines(data, len, lines);
}
#else
size_t smtp_lines_take(const char *data, size_t len, struct smtp_lines *lines)
{
    return take_lines(data, len, lines);
}
#endif
