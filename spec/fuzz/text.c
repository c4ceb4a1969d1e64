/* text.c - characters, numbers, base64, dates, and the lines and the header of a message: each
 * beside a few lines that say the same in another way, and the same in pieces as at once.
 *
 * Input and output are in blocks of their exact size, so that an access of one byte too many is
 * detected. The first byte says where the pieces are cut. */
#include "../../csrc/text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

static char *room(size_t len)
{
    char *data = malloc(len);
    MUST(data != NULL || len == 0);
    return data;
}

static char *exact(const void *data, size_t len)
{
    char *copy = room(len);
    if (len > 0) memcpy(copy, data, len);
    return copy;
}

/* ---- characters ---- */

/* By RFC 3629 4: the shortest form, no surrogate, nothing over U+10FFFF. */
static size_t width_of(const unsigned char *c, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t width = c[0] < 0x80       ? 1
                   : c[0] >> 5 == 6  ? 2
                   : c[0] >> 4 == 14 ? 3
                   : c[0] >> 3 == 30 ? 4
                                     : 0;
    if (width == 0 || width > len) return 0;
    uint32_t point = width == 1 ? c[0] : c[0] & (0x7Fu >> width);
    for (size_t i = 1; i < width; i++) {
        if (c[i] >> 6 != 2) return 0;
        point = point << 6 | (c[i] & 0x3F);
    }
    return point < least[width] || point > 0x10FFFF || point >> 11 == 0x1B ? 0 : width;
}

static bool is_utf8(const char *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t width = width_of((const unsigned char *)data + at, len - at);
        MUST(smtp_utf8_len(data + at, len - at) == width);
        if (width == 0) return false;
        at += width;
    }
    return true;
}

static void check_utf8(const char *data, size_t len, size_t step)
{
    struct smtp_utf8 pieces = {0};
    bool expected = is_utf8(data, len);
    MUST(smtp_utf8_check(data, len) == expected);
    for (size_t at = 0; at < len; at += step) {
        char *piece = exact(data + at, len - at < step ? len - at : step);
        smtp_utf8_feed(&pieces, piece, len - at < step ? len - at : step);
        free(piece);
    }
    MUST(smtp_utf8_is_whole(&pieces) == expected);
}

static void check_printable(const char *data, size_t len, size_t max)
{
    if (max > len) max = len;
    char *out = room(max), *again = room(max);
    size_t out_len = smtp_printable(out, max, data, len);
    MUST(out_len <= max && is_utf8(out, out_len) && max - out_len < 4);
    for (size_t i = 0; i < out_len; i++)
        MUST((unsigned char)out[i] >= ' ' || out[i] == '\n');
    MUST(smtp_printable(again, max, out, out_len) == out_len && memcmp(again, out, out_len) == 0);
    free(out);
    free(again);
}

static void check_saslname(const char *data, size_t len)
{
    char *out = room(3 * len);
    size_t out_len = smtp_saslname(out, (struct smtp_text){data, len}), at = 0;
    for (size_t i = 0; i < out_len; i++, at++) {
        char c = out[i];
        MUST(c != ',');
        if (c == '=') {
            MUST(i + 2 < out_len &&
                 (memcmp(out + i, "=2C", 3) == 0 || memcmp(out + i, "=3D", 3) == 0));
            c = out[i + 1] == '2' ? ',' : '=';
            i += 2;
        }
        MUST(at < len && data[at] == c);
    }
    MUST(at == len);
    free(out);
}

/* ---- numbers, base64, dates ---- */

static void check_decimal(const char *data, size_t len)
{
    uint64_t number = 0;
    char out[SMTP_DECIMAL_MAX + 1], expected[SMTP_DECIMAL_MAX + 1];
    memcpy(&number, data, len < sizeof number ? len : sizeof number);
    out[smtp_decimal(out, number)] = '\0';
    snprintf(expected, sizeof expected, "%llu", (unsigned long long)number);
    MUST(strcmp(out, expected) == 0);
}

static void check_base64(const char *data, size_t len)
{
    size_t coded_len = (len + 2) / 3 * 4, back_len = 0;
    char *coded = room(coded_len), *back = room(coded_len / 4 * 3);
    MUST(smtp_base64_encode(data, len, coded) == coded_len);
    MUST(smtp_base64_decode(coded, coded_len, back, &back_len) && back_len == len);
    MUST(memcmp(back, data, len) == 0);
    free(coded);
    free(back);
    size_t lines = len / SMTP_BASE64_LINE_LEN;
    coded = room(78 * lines);
    smtp_base64_lines(data, lines, coded);
    for (size_t i = 0; i < lines; i++) {
        char line[76];
        smtp_base64_encode(data + SMTP_BASE64_LINE_LEN * i, SMTP_BASE64_LINE_LEN, line);
        MUST(memcmp(coded + 78 * i, line, 76) == 0 && memcmp(coded + 78 * i + 76, "\r\n", 2) == 0);
    }
    free(coded);
    /* What is decoded has one form. */
    back = room((len + 3) / 4 * 3);
    if (smtp_base64_decode(data, len, back, &back_len)) {
        coded = room((back_len + 2) / 3 * 4);
        MUST(smtp_base64_encode(back, back_len, coded) == len && memcmp(coded, data, len) == 0);
        free(coded);
    }
    free(back);
}

static void check_date(const char *data, size_t len)
{
    char out[SMTP_MAIL_DATE_LEN];
    uint64_t number = 0;
    memcpy(&number, data, len < sizeof number ? len : sizeof number);
    smtp_date_write(out, (int64_t)(number % 253402300800)); /* to the end of 9999 */
    MUST(smtp_date_check((struct smtp_text){out, sizeof out}));
    if (!smtp_date_check((struct smtp_text){data, len})) return;
    MUST(len == SMTP_MAIL_DATE_LEN);
    for (size_t i = 0; i < len; i++)
        MUST(data[i] >= ' ' && data[i] <= '~');
}

/* ---- messages ---- */

/* One line after the other. */
static size_t lines_len(const char *data, size_t len, struct smtp_lines *lines)
{
    size_t begin = 0;
    for (size_t at = 0; at < len; at++) {
        unsigned char c = (unsigned char)data[at];
        if (at == begin && c == '.' && !lines->dots) return begin;
        if (c == '\0' || c == '\n' || (c > 0x7F && !lines->eightbit)) return begin;
        if (c != '\r') continue;
        if (at - begin > SMTP_BODY_LINE_MAX || at + 1 == len || data[at + 1] != '\n') return begin;
        for (size_t i = begin; i < at; i++)
            lines->has_eightbit = lines->has_eightbit || (unsigned char)data[i] > 0x7F;
        lines->has_dots = lines->has_dots || data[begin] == '.';
        begin = ++at + 1;
    }
    return begin;
}

static void check_lines(const char *data, size_t len, unsigned flags)
{
    struct smtp_lines lines = {.eightbit = flags & 1, .dots = flags & 2}, model = lines;
    MUST(smtp_lines_take(data, len, &lines) == lines_len(data, len, &model));
    MUST(lines.has_eightbit == model.has_eightbit && lines.has_dots == model.has_dots);
}

static void scan_in(struct smtp_scan *scan, const char *data, size_t len, size_t step, bool ready)
{
    *scan = (struct smtp_scan){.ready = ready};
    for (size_t at = 0; at < len; at += step) {
        size_t piece_len = len - at < step ? len - at : step;
        char *piece = exact(data + at, piece_len);
        smtp_scan(scan, piece, piece_len);
        free(piece);
    }
    smtp_scan_end(scan);
}

static void check_scan(const char *data, size_t len, size_t step, bool ready)
{
    struct smtp_scan whole, pieces;
    scan_in(&whole, data, len, len + 1, ready);
    scan_in(&pieces, data, len, step, ready);
    MUST(whole.len == len && pieces.len == len && whole.wire_len == pieces.wire_len);
    MUST(whole.nul == pieces.nul && whole.nul == (len > 0 && memchr(data, 0, len) != NULL));
    MUST(whole.eightbit == pieces.eightbit && whole.bare == pieces.bare);
    MUST(whole.dotted == pieces.dotted && whole.open == pieces.open);
    MUST(whole.framed == pieces.framed && whole.odd_header == pieces.odd_header);
    MUST(whole.header.fault == pieces.header.fault && whole.header.over == pieces.header.over);
    MUST(smtp_scan_is_sendable(&whole) == smtp_scan_is_sendable(&pieces));
    if (ready) return;
    MUST(whole.line_max == pieces.line_max && whole.special == pieces.special);
    MUST(whole.control == pieces.control && whole.from_line == pieces.from_line);
    MUST(whole.boundary == pieces.boundary);
    MUST(smtp_scan_encoding(&whole) == smtp_scan_encoding(&pieces));
}

static void check_header(const char *data, size_t len, size_t step)
{
    struct smtp_header whole = {.octets = step & 1}, pieces = whole;
    size_t header_len = smtp_header_look(&whole, data, len), pieces_len = 0;
    for (size_t at = 0; at < len; at += step) {
        char *piece = exact(data + at, len - at < step ? len - at : step);
        pieces_len += smtp_header_look(&pieces, piece, len - at < step ? len - at : step);
        free(piece);
    }
    MUST(header_len == pieces_len && header_len <= len);
    MUST(whole.fault == pieces.fault && whole.over == pieces.over);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) return 0;
    size_t step = 1 + data[0] % 67, in_len = len - 1;
    if (step < in_len / 64) step = in_len / 64; /* not thousands of blocks */
    char *in = exact(data + 1, in_len);
    check_utf8(in, in_len, step);
    check_printable(in, in_len, step * step);
    check_printable(in, in_len, in_len);
    check_saslname(in, in_len);
    check_decimal(in, in_len);
    check_base64(in, in_len);
    check_date(in, in_len);
    check_lines(in, in_len, data[0] & 3);
    check_scan(in, in_len, step, false);
    check_scan(in, in_len, step, true);
    check_header(in, in_len, step);
    free(in);
    return 0;
}
