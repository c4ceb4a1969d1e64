/* scan.c - what a message contains, before it is sent. */
#include "octets.h"
#include "text.h"

#include <string.h>

/* Notes a NUL or a bare line end, and whether it is in the header. */
static void note(struct smtp_scan *scan, bool *fault)
{
    *fault = true;
    if (scan->ready && !scan->in_body) scan->odd_header = true;
}

static void look_at(struct smtp_scan *scan, char c)
{
    if (is_literal(c)) return;
    scan->special++;
    if (c == '\0') note(scan, &scan->nul);
    if (c & 0x80)
        scan->eightbit = true;
    else if (c != '=')
        scan->control = true;
}

struct found {
    uint64_t special, high, control; /* how many; the high bits of the others */
};

/* There are no branches in here: in text with umlauts the processor would guess each of them wrong.
 */
static inline void look_at_eight(struct found *found, uint64_t octets)
{
    uint64_t printable = octets_printable(octets);
    uint64_t literal = printable & octets_other_than(octets, '=');
    found->special += octets_count(literal ^ OCTETS(0x80));
    found->high |= octets;
    found->control |= ~(printable | octets);
}

#ifdef __SSE2__
/* Sixteen octets of text at a time, up to those with a control character below 14. Returns how many
 * octets. */
static size_t look_at_blocks(struct found *found, const char *data, size_t len)
{
    const __m128i zero = _mm_setzero_si128();
    __m128i count = zero, high = zero, control = zero;
    size_t at = 0;
    for (; len - at >= 16; at += 16) {
        __m128i in = _mm_loadu_si128((const __m128i *)(const void *)(data + at));
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(in, _mm_set1_epi8('\r')), in);
        if (_mm_movemask_epi8(low) != 0) break;
        __m128i odd = _mm_or_si128(_mm_cmplt_epi8(in, _mm_set1_epi8(' ')), /* over 127, too */
                                   _mm_cmpeq_epi8(in, _mm_set1_epi8(0x7F)));
        __m128i special = _mm_or_si128(odd, _mm_cmpeq_epi8(in, _mm_set1_epi8('=')));
        count = _mm_add_epi64(count, _mm_sad_epu8(_mm_sub_epi8(zero, special), zero));
        high = _mm_or_si128(high, in);
        control = _mm_or_si128(control, _mm_andnot_si128(in, odd));
    }
    uint64_t counts[2];
    memcpy(counts, &count, sizeof counts);
    found->special += counts[0] + counts[1];
    if (_mm_movemask_epi8(high) != 0) found->high = OCTETS(0x80);
    if (_mm_movemask_epi8(control) != 0) found->control = OCTETS(0x80);
    return at;
}
#endif

/* Whole words of text up to the first control character below 14. Returns how many octets. */
static size_t look_at_words(struct smtp_scan *scan, const char *data, size_t len)
{
    struct found found = {0};
    size_t at = 0;
#ifdef __SSE2__
    at = look_at_blocks(&found, data, len);
#endif
    while (len - at >= 8) {
        uint64_t octets = octets_at(data + at);
        if (octets_special(octets) == 0) { /* letters, most likely: nothing to note */
            at += 8;
            continue;
        }
        uint64_t low = octets_below(octets, '\r' + 1);
        if (low != 0) {
            size_t count = octets_first(low);
            look_at_eight(&found, octets_begin(octets, count));
            at += count;
            break;
        }
        look_at_eight(&found, octets);
        at += 8;
    }
    scan->special += found.special;
    if (found.high & OCTETS(0x80)) scan->eightbit = true;
    if (found.control & OCTETS(0x80)) scan->control = true;
    return at;
}

static void match_from(struct smtp_scan *scan, const char *data, size_t len)
{
    static const char from[] = "From ";
    if (scan->from_len != scan->line_len) return;
    for (size_t i = 0; i < len && scan->from_len < 5 && data[i] == from[scan->from_len]; i++)
        scan->from_len++;
    if (scan->from_len == 5) scan->from_line = true;
}

static size_t look_at_text(struct smtp_scan *scan, const char *data, size_t len)
{
    size_t at = look_at_words(scan, data, len);
    while (at < len && !is_line_end(data[at])) {
        look_at(scan, data[at++]);
        at += look_at_words(scan, data + at, len - at);
    }
    match_from(scan, data, at);
    return at;
}

/* Looks at text of a message that is sent as it is: only NUL and bytes over 127 matter. */
static size_t skip_text(struct smtp_scan *scan, const char *data, size_t len)
{
    size_t at = plain_len(data, len, scan->eightbit);
    while (at < len && !is_line_end(data[at])) {
        if (data[at++] == '\0')
            note(scan, &scan->nul);
        else
            scan->eightbit = true;
        at += plain_len(data + at, len - at, scan->eightbit);
    }
    return at;
}

/* A run of text within one line. Returns its length. */
static size_t scan_text(struct smtp_scan *scan, const char *data, size_t len)
{
    size_t at = scan->ready ? skip_text(scan, data, len) : look_at_text(scan, data, len);
    if (scan->after_cr) note(scan, &scan->bare);
    if (scan->line_len == 0 && *data == '.') scan->dotted = true;
    scan->after_cr = false;
    scan->line_len += at;
    if (scan->line_len > scan->line_max) scan->line_max = scan->line_len;
    return at;
}

static void end_line(struct smtp_scan *scan)
{
    scan->wire_len += scan->line_len + 2;
    scan->line_len = scan->from_len = 0;
}

/* Whole lines that are sent as they are. Returns their length, often all there is. */
static size_t scan_lines(struct smtp_scan *scan, const char *data, size_t len)
{
    struct smtp_lines lines = {
        .eightbit = true, .dots = true, .has_eightbit = scan->eightbit, .has_dots = scan->dotted};
    if (!scan->ready || scan->line_len > 0 || scan->after_cr) return 0;
    size_t taken = smtp_lines_take(data, len, &lines);
    scan->wire_len += taken;
    if (lines.has_eightbit) scan->eightbit = true;
    if (lines.has_dots) scan->dotted = true;
    return taken;
}

static size_t scan_line_end(struct smtp_scan *scan, const char *data, size_t len)
{
    bool ends, after_cr = scan->after_cr;
    size_t taken = line_end_take(&scan->after_cr, data, len, &ends);
    if (ends && (after_cr || *data == '\n')) note(scan, &scan->bare);
    if (ends) end_line(scan);
    return taken;
}

/* "--=_" begins every boundary of the composer: no text that is sent as it is contains it. */
static bool has_boundary(const char *data, size_t len)
{
    const char *at = data, *end = data + len;
    while (at < end && (at = memchr(at, '=', (size_t)(end - at))) != NULL) {
        if (at - data >= 2 && end - at >= 2 && memcmp(at - 2, "--=_", 4) == 0) return true;
        at++;
    }
    return false;
}

/* Searches the next piece for a boundary; its first octets follow the last ones of others. */
static void find_boundary(struct smtp_scan *scan, const char *data, size_t len)
{
    char seam[6];
    size_t next_len = len < 3 ? len : 3, seam_len = scan->last_len + next_len;
    if (scan->boundary) return;
    memcpy(seam, scan->last, scan->last_len);
    memcpy(seam + scan->last_len, data, next_len);
    scan->boundary = has_boundary(seam, seam_len) || has_boundary(data, len);
    scan->last_len = seam_len < 3 ? seam_len : 3;
    memcpy(scan->last, len < 3 ? seam + seam_len - scan->last_len : data + len - 3, scan->last_len);
}

void smtp_scan(struct smtp_scan *scan, const char *data, size_t len)
{
    scan->len += len;
    if (!scan->ready) {
        smtp_utf8_feed(&scan->utf8, data, len);
        find_boundary(scan, data, len);
    }
    size_t header_len = scan->ready ? smtp_header_look(&scan->header, data, len) : 0;
    for (size_t at = 0; at < len;) {
        size_t lines_len = scan_lines(scan, data + at, len - at);
        if (lines_len > 0)
            at += lines_len;
        else if (is_line_end(data[at]))
            at += scan_line_end(scan, data + at, len - at);
        else
            at += scan_text(scan, data + at, len - at);
        if (scan->header.over && at >= header_len && !scan->after_cr) scan->in_body = true;
    }
}

void smtp_scan_end(struct smtp_scan *scan)
{
    scan->open = scan->line_len > 0;
    if (scan->open) end_line(scan);
    if (scan->after_cr) note(scan, &scan->bare);
    scan->framed = !scan->open && !scan->bare && !scan->dotted;
}

bool smtp_scan_is_sendable(const struct smtp_scan *scan)
{
    return !scan->nul && scan->header.fault == NULL && scan->line_max <= SMTP_BODY_LINE_MAX;
}

/* ---- of a text that is composed ---- */

enum { TEXT_LINE_MAX = 78 }; /* bytes of a line that may stay as it is (RFC 5322 2.1.1) */

enum smtp_encoding smtp_scan_encoding(const struct smtp_scan *scan)
{
    bool fits = scan->line_max <= TEXT_LINE_MAX && !scan->from_line;
    if (fits && !scan->eightbit && !scan->control && !scan->boundary) return SMTP_7BIT;
    return scan->special * 6 > scan->len ? SMTP_TEXT_BASE64 : SMTP_QUOTED_PRINTABLE;
}

const char *smtp_scan_why_no_text(const struct smtp_scan *scan)
{
    if (!smtp_utf8_is_whole(&scan->utf8)) return "utf8";
    return scan->nul ? "nul" : NULL;
}
