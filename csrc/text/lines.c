/* lines.c - the lines of a text that may be sent as they are, many octets at a time.
 *
 * Every octet of a message passes here, so where the processor has AVX2 it takes 64 of them in each
 * step; what that leaves, less than a line and a step, is done as on any other processor. */
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

enum { STEP = 64 };

/* One bit for each octet of a step. */
struct step {
    uint64_t ends, odd;  /* LF; where the text must not go on, of which the first is exact */
    uint64_t high, dots; /* octets over 127; dots at the beginning of a line: where looked for */
};

/* What goes from step to step. */
struct carry {
    uint64_t after_cr, at_start; /* 1: the octet before was a CR; a line begins here */
    uint64_t high, dots;         /* those of the line that is not over */
};

__attribute__((target("avx2"))) static inline uint64_t bits(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
}

__attribute__((target("avx2"))) static inline uint64_t equal(__m256i low, __m256i high, char c)
{
    const __m256i same = _mm256_set1_epi8(c);
    return bits(_mm256_cmpeq_epi8(low, same), _mm256_cmpeq_epi8(high, same));
}

/* Looks for octets over 127 and for dots only where these are not allowed, or not known yet. */
__attribute__((target("avx2"))) static inline struct step
read_step(const char *data, const struct smtp_lines *lines, struct carry *carry)
{
    const __m256i *in = (const void *)data;
    const __m256i low = _mm256_loadu_si256(in), high = _mm256_loadu_si256(in + 1);
    uint64_t crs = equal(low, high, '\r');
    struct step step = {.ends = equal(low, high, '\n')};
    step.odd = (step.ends ^ (crs << 1 | carry->after_cr)) | equal(low, high, '\0');
    if (!lines->eightbit || !lines->has_eightbit) step.high = bits(low, high);
    if (!lines->dots || !lines->has_dots)
        step.dots = equal(low, high, '.') & (step.ends << 1 | carry->at_start);
    if (!lines->eightbit) step.odd |= step.high;
    if (!lines->dots) step.odd |= step.dots;
    carry->after_cr = crs >> 63;
    carry->at_start = step.ends >> 63;
    return step;
}

/* Notes what the lines that end within the first `end` octets of this step contain. */
static void note_step(struct smtp_lines *lines, struct carry *carry, const struct step *step,
                      size_t end)
{
    uint64_t beyond = end == STEP ? 0 : ~UINT64_C(0) << end;
    if (end > 0) {
        if ((carry->high | (step->high & ~beyond)) != 0) lines->has_eightbit = true;
        if ((carry->dots | (step->dots & ~beyond)) != 0) lines->has_dots = true;
        carry->high = carry->dots = 0;
    }
    carry->high |= step->high & beyond;
    carry->dots |= step->dots & beyond;
}

/* Returns where the last line ends of those that end in this step at `at`; 0: there is none, or the
 * first one, which begins at `begin`, is too long. The others cannot be. */
static inline size_t last_end(const struct step *step, size_t at, size_t begin)
{
    if (step->ends == 0) return 0;
    size_t first = at + (size_t)__builtin_ctzll(step->ends);
    if (first > begin + SMTP_BODY_LINE_MAX + 1) return 0;
    return STEP - (size_t)__builtin_clzll(step->ends);
}

/* As take_lines, but the last lines may be left. */
__attribute__((target("avx2"))) static size_t take_most_lines(const char *data, size_t len,
                                                              struct smtp_lines *lines)
{
    struct carry carry = {.at_start = 1};
    struct smtp_lines found = *lines;
    size_t whole = 0;
    for (size_t at = 0; len - at >= STEP; at += STEP) {
        struct step step = read_step(data + at, &found, &carry);
        if (step.odd != 0) step.ends &= (step.odd & (0 - step.odd)) - 1;
        size_t end = last_end(&step, at, whole);
        if ((step.high | step.dots | carry.high | carry.dots) != 0)
            note_step(&found, &carry, &step, end);
        if (end > 0) whole = at + end;
        if (step.odd != 0 || at + STEP - whole > SMTP_BODY_LINE_MAX + 2) break;
    }
    *lines = found;
    return whole;
}

size_t smtp_lines_take(const char *data, size_t len, struct smtp_lines *lines)
{
    size_t at = __builtin_cpu_supports("avx2") ? take_most_lines(data, len, lines) : 0;
    return at + take_lines(data + at, len - at, lines);
}
#else
size_t smtp_lines_take(const char *data, size_t len, struct smtp_lines *lines)
{
    return take_lines(data, len, lines);
}
#endif
