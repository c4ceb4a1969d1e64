/* transfer.c - bodies that are 7-bit with short lines (RFC 2045 6), in pieces. */
#include "octets.h"
#include "text.h"

#include <string.h>

enum {
    COLUMNS = 76,          /* of an encoded line (RFC 2045 6.7 (5), 6.8) */
    ROOM = COLUMNS - 1,    /* what a soft line break leaves of them */
    CHARACTER_COLUMNS = 12 /* of the widest, four octets escaped */
};

static char *put(char *out, const char *data, size_t len)
{
    memcpy(out, data, len);
    return out + len;
}

static inline char *end_line(struct smtp_encoder *e, char *out)
{
    e->column = 0;
    return put(out, "\r\n", 2);
}

static void hold(struct smtp_encoder *e, const char *data, size_t len)
{
    memmove(e->held, data, len);
    e->held_len = len;
}

static size_t take_line_end(struct smtp_encoder *e, const char *data, size_t len, char **out)
{
    bool ends;
    size_t taken = line_end_take(&e->after_cr, data, len, &ends);
    if (ends) *out = put(*out, "\r\n", 2);
    return taken;
}

/* ---- 7bit ---- */

static size_t end_lines(struct smtp_encoder *e, const char *data, size_t len, char **out)
{
    for (size_t at = 0; at < len;) {
        if (is_line_end(data[at])) {
            at += take_line_end(e, data + at, len - at, out);
            continue;
        }
        size_t run = 1 + plain_len(data + at + 1, len - at - 1, true); /* a NUL may begin it */
        *out = put(*out, data + at, run);
        at += run;
        e->after_cr = false;
    }
    return len;
}

/* ---- base64 ---- */

/* Takes whole groups of three octets; where it is the last piece, the rest too. */
static size_t put_groups(struct smtp_encoder *e, const char *data, size_t len, bool last,
                         char **out)
{
    size_t whole = last ? len : len - len % 3, at = 0;
    while (at < whole) {
        size_t lines = e->column == 0 ? (whole - at) / SMTP_BASE64_LINE_LEN : 0;
        if (lines > 0) {
            smtp_base64_lines(data + at, lines, *out);
            *out += lines * (COLUMNS + 2);
            at += lines * SMTP_BASE64_LINE_LEN;
            continue;
        }
        size_t room = (COLUMNS - e->column) / 4 * 3;
        size_t taken = whole - at < room ? whole - at : room;
        size_t written = smtp_base64_encode(data + at, taken, *out);
        *out += written;
        e->column += written;
        if (e->column == COLUMNS) *out = end_line(e, *out);
        at += taken;
    }
    if (last && e->column > 0) *out = end_line(e, *out);
    return whole;
}

/* Of a text: the line ends become CRLF first. What is held has them already. */
static void put_text(struct smtp_encoder *e, const char *data, size_t len, char **out)
{
    enum { SLICE = 1024 };
    char lines[sizeof e->held + (size_t)2 * SLICE];
    for (size_t at = 0; at < len; at += SLICE) {
        char *end = put(lines, e->held, e->held_len);
        end_lines(e, data + at, len - at < SLICE ? len - at : SLICE, &end);
        size_t lines_len = (size_t)(end - lines),
               taken = put_groups(e, lines, lines_len, false, out);
        hold(e, lines + taken, lines_len - taken);
    }
}

/* ---- quoted-printable ---- */

static inline char *make_room(struct smtp_encoder *e, size_t columns, char *out)
{
    if (e->column + columns <= ROOM) return out;
    *out++ = '='; /* a soft line break: RFC 2045 6.7 (5) */
    return end_line(e, out);
}

/* Returns the columns of the UTF-8 character that begins with this octet (RFC 3629 3). */
static size_t columns_of(unsigned char c)
{
    if (c >= 0xF0 && c <= 0xF4) return CHARACTER_COLUMNS;
    if (c >= 0xE0 && c < 0xF0) return 9;
    return c >= 0xC2 && c < 0xE0 ? 6 : 3;
}

static inline char *escape(struct smtp_encoder *e, char octet, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)octet;
    out = make_room(e, columns_of(c), out);
    *out++ = '=';
    *out++ = digits[c >> 4];
    *out++ = digits[c & 15];
    e->column += 3;
    return out;
}

/* Escapes an octet that must not stay, and those over 127 that follow it. Returns how many. */
static size_t escape_all(struct smtp_encoder *e, const char *data, size_t len, char **out)
{
    size_t at = 0;
    char *to = *out;
    do
        to = escape(e, data[at++], to);
    while (at < len && (data[at] & 0x80));
    *out = to;
    return at;
}

/* Copies literal octets, many at a time, until there are `room` of them. Returns how many; what it
 * writes after these, fewer than sixteen, does not count. */
#ifdef __SSE2__
static size_t copy_blocks(const char *data, size_t len, size_t room, char *out)
{
    size_t at = 0;
    for (; at < room && len - at >= 16; at += 16) {
        __m128i in = _mm_loadu_si128((const __m128i *)(const void *)(data + at));
        unsigned hits = octets_special_mask(in);
        _mm_storeu_si128((__m128i *)(void *)(out + at), in);
        if (hits != 0) return at + (size_t)__builtin_ctz(hits);
    }
    return at;
}
#else
static size_t copy_blocks(const char *data, size_t len, size_t room, char *out)
{
    size_t at = 0;
    while (at < room && len - at >= 8) {
        memcpy(out + at, data + at, 8);
        uint64_t hits = octets_special(octets_at(data + at));
        at += hits == 0 ? 8 : octets_first(hits);
        if (hits != 0 && data[at] != '\t') break;
        if (hits != 0) at++;
    }
    return at;
}
#endif

/* Copies the octets before the first that is not literal, but no more than `room`. */
static size_t copy_literal(const char *data, size_t len, size_t room, char *out)
{
    size_t at = copy_blocks(data, len, room, out);
    for (; at < room && at < len && is_literal(data[at]); at++)
        out[at] = data[at];
    return at < room ? at : room;
}

/* Takes literal octets, at least one. Returns how many: 0 where the next one has to be known first.
 * A space or TAB must not end a line (RFC 2045 6.7 (3)). */
static size_t put_literal(struct smtp_encoder *e, const char *data, size_t len, bool last,
                          char **out)
{
    size_t run = copy_literal(data, len, ROOM - e->column, *out);
    bool ends = run == len || is_line_end(data[run]);
    if (ends && (data[run - 1] == ' ' || data[run - 1] == '\t')) run--;
    *out += run;
    e->column += run;
    if (run > 0) return run;
    if (len == 1 && !last) return 0;
    *out = escape(e, *data, *out);
    return 1;
}

/* Takes the octet at a line's start. Programs on the way change "From " there (RFC 4155), and a
 * server that forgets to undouble dots changes ".". */
static size_t begin_line(struct smtp_encoder *e, const char *data, size_t len, bool last,
                         char **out)
{
    static const char from[] = "From ";
    size_t from_len = 0;
    while (from_len < len && from_len < 5 && data[from_len] == from[from_len])
        from_len++;
    if (from_len == len && from_len < 5 && !last) return 0;
    if (*data != '.' && from_len < 5) return put_literal(e, data, len, last, out);
    *out = escape(e, *data, *out);
    return 1;
}

static size_t quote_some(struct smtp_encoder *e, const char *data, size_t len, bool last,
                         char **out)
{
    if (is_line_end(*data)) {
        e->column = 0;
        return take_line_end(e, data, len, out);
    }
    e->after_cr = false;
    if (!is_literal(*data)) return escape_all(e, data, len, out);
    *out = make_room(e, 1, *out);
    if (e->column == 0) return begin_line(e, data, len, last, out);
    return put_literal(e, data, len, last, out);
}

static size_t quote(struct smtp_encoder *e, const char *data, size_t len, bool last, char **out)
{
    size_t at = 0;
    while (at < len) {
        size_t taken = quote_some(e, data + at, len - at, last, out);
        if (taken == 0) break;
        at += taken;
    }
    return at;
}

/* ---- all of them ---- */

const char *smtp_encoding_word(enum smtp_encoding encoding)
{
    switch (encoding) {
    case SMTP_7BIT: return "7bit";
    case SMTP_QUOTED_PRINTABLE: return "quoted-printable";
    case SMTP_BASE64:
    case SMTP_TEXT_BASE64: break;
    }
    return "base64";
}

size_t smtp_encode_max(const struct smtp_encoder *e, size_t len)
{
    size_t written = 2 * len; /* 7bit: a line end for each octet */
    switch (e->encoding) {
    case SMTP_7BIT: return written;
    case SMTP_BASE64: written = len; /* fall through */
    case SMTP_TEXT_BASE64:
        written = (e->held_len + written + 2) / 3 * 4;
        return written + written / COLUMNS * 2 + 2;
    case SMTP_QUOTED_PRINTABLE:
        written = 3 * (e->held_len + len);
        return written + (written / (ROOM - CHARACTER_COLUMNS) + 1) * 3 + 16; /* copy_literal's */
    }
    return written;
}

/* Returns how much of the input was taken; the rest, few octets, waits for what follows. */
static size_t encode(struct smtp_encoder *e, const char *data, size_t len, bool last, char **out)
{
    switch (e->encoding) {
    case SMTP_7BIT: return end_lines(e, data, len, out);
    case SMTP_QUOTED_PRINTABLE: return quote(e, data, len, last, out);
    case SMTP_BASE64:
    case SMTP_TEXT_BASE64: return put_groups(e, data, len, last, out);
    }
    return len;
}

size_t smtp_encode(struct smtp_encoder *e, const char *data, size_t len, char *out)
{
    const char *begin = out;
    if (e->encoding == SMTP_TEXT_BASE64) {
        put_text(e, data, len, &out);
        return (size_t)(out - begin);
    }
    while (e->held_len > 0 && len > 0) {
        e->held[e->held_len++] = *data++;
        len--;
        size_t taken = encode(e, e->held, e->held_len, false, &out);
        hold(e, e->held + taken, e->held_len - taken);
    }
    if (len > 0) {
        size_t taken = encode(e, data, len, false, &out);
        hold(e, data + taken, len - taken);
    }
    return (size_t)(out - begin);
}

size_t smtp_encode_end(struct smtp_encoder *e, char *out)
{
    const char *begin = out;
    encode(e, e->held, e->held_len, true, &out);
    *e = (struct smtp_encoder){.encoding = e->encoding};
    return (size_t)(out - begin);
}
