/* lines.c - the lines of a text that may be sent as they are, many octets at a time.
 *
 * Every octet of a message passes here, so where the processor has AVX2 it takes 32 of them in each
 * step; what that leaves, less than a line and a step, is done as on any other processor. */
#include "octets.h"
#include "text.h"

static void note_line(struct smtp_lines *lines, const char *line, size_t len)
{
    if (len > lines->line_max) lines->line_max = len;
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

enum { STEP = 32 };

/* What a step begins with, and one bit for each of its octets. */
struct step {
    uint32_t after_cr, at_start;       /* 1: the octet before was a CR; a line begins here */
    uint32_t high, dots;               /* octets over 127; dots at the beginning of a line */
    uint32_t high_before, dots_before; /* those of the line that is not over, from earlier steps */
};

static inline uint32_t below(uint32_t bit)
{
    return bit - 1;
}

/* Reads the octets of the next step. *ends: where lines end; returns those where the text must not
 * go on, of which the first is exact. */
__attribute__((target("avx2"))) static inline uint32_t
read_step(const char *data, const struct smtp_lines *lines, struct step *step, uint32_t *ends)
{
    const __m256i in = _mm256_loadu_si256((const __m256i *)(const void *)data);
    const __m256i lf = _mm256_cmpeq_epi8(in, _mm256_set1_epi8('\n'));
    const __m256i cr = _mm256_cmpeq_epi8(in, _mm256_set1_epi8('\r'));
    const __m256i nul = _mm256_cmpeq_epi8(in, _mm256_setzero_si256());
    const __m256i dot = _mm256_cmpeq_epi8(in, _mm256_set1_epi8('.'));
    uint32_t lfs = (uint32_t)_mm256_movemask_epi8(lf), crs = (uint32_t)_mm256_movemask_epi8(cr);
    uint32_t odd = (lfs ^ (crs << 1 | step->after_cr)) | (uint32_t)_mm256_movemask_epi8(nul);
    step->high = (uint32_t)_mm256_movemask_epi8(in);
    step->dots = (uint32_t)_mm256_movemask_epi8(dot) & (lfs << 1 | step->at_start);
    step->after_cr = crs >> 31;
    step->at_start = lfs >> 31;
    *ends = lfs;
    return odd | (lines->eightbit ? 0 : step->high) | (lines->dots ? 0 : step->dots);
}

/* Takes the lines that end in this step. Returns where the last of them ends; *whole is where the
 * one before the first ends. */
static inline size_t end_lines(struct smtp_lines *lines, struct step *step, uint32_t ends,
                               size_t at, size_t whole)
{
    uint32_t taken = 0;
    for (; ends != 0; ends &= ends - 1) {
        size_t end = at + (size_t)__builtin_ctz(ends) + 1, line_len = end - whole - 2;
        if (line_len > SMTP_BODY_LINE_MAX) break;
        if (line_len > lines->line_max) lines->line_max = line_len;
        taken = ends & (0 - ends);
        whole = end;
    }
    if (taken == 0) {
        step->high_before |= step->high;
        step->dots_before |= step->dots;
        return whole;
    }
    uint32_t within = below(taken) | taken;
    lines->has_eightbit |= (step->high_before | (step->high & within)) != 0;
    lines->has_dots |= (step->dots_before | (step->dots & within)) != 0;
    step->high_before = step->high & ~within;
    step->dots_before = step->dots & ~within;
    return whole;
}

/* As take_lines, but the last lines may be left. */
__attribute__((target("avx2"))) static size_t take_most_lines(const char *data, size_t len,
                                                              struct smtp_lines *lines)
{
    struct step step = {.at_start = 1};
    size_t whole = 0;
    uint32_t ends;
    for (size_t at = 0; len - at >= STEP; at += STEP) {
        uint32_t odd = read_step(data + at, lines, &step, &ends);
        if (odd != 0) ends &= below(odd & (0 - odd));
        whole = end_lines(lines, &step, ends, at, whole);
        if (odd != 0 || at + STEP - whole > SMTP_BODY_LINE_MAX + 2) break;
    }
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
