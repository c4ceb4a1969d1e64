/* body.c - whatever a text contains, a scan finds it however it is cut, an encoder's output means
 * the text, and a short text becomes a message in 7-bit lines.
 *
 * Input and output are in blocks of their exact size, so that an access of one byte too many is
 * detected. */
#include "../../csrc/text/text.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

enum { LINE_MAX_LEN = 76 };

struct block {
    char *data;
    size_t len;
};

static struct block exact(const void *data, size_t len)
{
    struct block b = {malloc(len), len};
    MUST(b.data != NULL || len == 0);
    if (len > 0) memcpy(b.data, data, len);
    return b;
}

static struct smtp_text text_of(struct block b)
{
    return (struct smtp_text){b.data, b.len};
}

/* ---- models ---- */

static bool is_utf8(struct block in)
{
    size_t at = 0, width = 1;
    for (; at < in.len && width > 0; at += width)
        width = smtp_utf8_len(in.data + at, in.len - at);
    return width > 0;
}

static struct block crlf(struct block in)
{
    struct block out = {malloc(2 * in.len + 1), 0};
    for (size_t i = 0; i < in.len; i++) {
        bool cr = in.data[i] == '\r', lf = in.data[i] == '\n';
        if (lf && i > 0 && in.data[i - 1] == '\r') continue;
        if (cr || lf) out.data[out.len++] = '\r';
        out.data[out.len++] = cr ? '\n' : in.data[i];
    }
    return out;
}

static int hex(char c)
{
    MUST((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'));
    return c <= '9' ? c - '0' : c - 'A' + 10;
}

static struct block unquoted(struct block in)
{
    struct block out = {malloc(in.len + 1), 0};
    for (size_t i = 0; i < in.len; i++) {
        if (in.data[i] != '=') {
            out.data[out.len++] = in.data[i];
            continue;
        }
        MUST(i + 2 < in.len);
        bool soft = in.data[i + 1] == '\r' && in.data[i + 2] == '\n';
        if (!soft) out.data[out.len++] = (char)(hex(in.data[i + 1]) << 4 | hex(in.data[i + 2]));
        i += 2;
    }
    return out;
}

static struct block unbased(struct block in)
{
    char *joined = malloc(in.len + 1);
    struct block out = {malloc(in.len + 1), 0};
    size_t len = 0;
    for (size_t i = 0; i < in.len; i++)
        if (in.data[i] != '\r' && in.data[i] != '\n') joined[len++] = in.data[i];
    MUST(smtp_base64_decode(joined, len, out.data, &out.len));
    free(joined);
    return out;
}

static void check_same(struct block a, struct block b)
{
    MUST(a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0));
}

/* ---- scans ---- */

static struct smtp_scan scan_of(struct block in, size_t step)
{
    struct smtp_scan scan = {0};
    for (size_t at = 0; at < in.len; at += step) {
        struct block piece = exact(in.data + at, in.len - at < step ? in.len - at : step);
        smtp_scan(&scan, piece.data, piece.len);
        free(piece.data);
    }
    smtp_scan_end(&scan);
    return scan;
}

static void check_scan(struct block in, struct block lines, size_t step)
{
    struct smtp_scan whole = scan_of(in, in.len + 1), cut = scan_of(in, step);
    bool boundary = false;
    uint64_t special = 0;
    for (size_t i = 0; i < in.len; i++) {
        unsigned char c = (unsigned char)in.data[i];
        bool space = c == '\t' || c == '\r' || c == '\n';
        special += (c < ' ' && !space) || c > '~' || c == '=';
        boundary = boundary || (i + 4 <= in.len && memcmp(in.data + i, "--=_", 4) == 0);
    }
    MUST(whole.special == special && whole.boundary == boundary);
    MUST(whole.wire_len == lines.len + (whole.open ? 2 : 0));
    MUST(smtp_utf8_is_whole(&whole.utf8) == is_utf8(in));
    MUST(smtp_utf8_check(in.data, in.len) == is_utf8(in));
    MUST(cut.special == special && cut.boundary == boundary && cut.wire_len == whole.wire_len);
    MUST(cut.line_max == whole.line_max && cut.open == whole.open && cut.bare == whole.bare);
    MUST(smtp_scan_encoding(&cut) == smtp_scan_encoding(&whole));
    MUST(smtp_scan_why_no_text(&cut) == smtp_scan_why_no_text(&whole));
}

/* What smtp_lines_take returns, octet by octet. */
static size_t lines_len(struct block in, struct smtp_lines *lines)
{
    size_t whole = 0;
    for (size_t i = 0; i < in.len; i++) {
        size_t line_len = i - whole;
        bool ends = in.data[i] == '\r' && i + 1 < in.len && in.data[i + 1] == '\n';
        if (ends && line_len <= SMTP_BODY_LINE_MAX) {
            whole = ++i + 1;
            continue;
        }
        if (in.data[i] == '\0' || in.data[i] == '\r' || in.data[i] == '\n') break;
        if ((in.data[i] & 0x80) && !lines->eightbit) break;
        if (in.data[i] == '.' && line_len == 0 && !lines->dots) break;
    }
    for (size_t i = 0; i < whole; i++) {
        if (in.data[i] & 0x80) lines->has_eightbit = true;
        if (in.data[i] == '.' && (i == 0 || in.data[i - 1] == '\n')) lines->has_dots = true;
    }
    return whole;
}

/* What is known beforehand changes nothing about which lines are taken. */
static void check_whole_lines(struct block in)
{
    for (int flags = 0; flags < 16; flags++) {
        struct smtp_lines ours = {.eightbit = flags & 1,
                                  .dots = flags & 2,
                                  .has_eightbit = flags & 4,
                                  .has_dots = flags & 8};
        struct smtp_lines naive = ours;
        MUST(smtp_lines_take(in.data, in.len, &ours) == lines_len(in, &naive));
        MUST(ours.has_dots == naive.has_dots && ours.has_eightbit == naive.has_eightbit);
    }
}

/* Is it what DATA would send of it, octet by octet? */
static bool is_framed(struct block in, struct block lines)
{
    bool same = in.len == lines.len && (in.len == 0 || memcmp(in.data, lines.data, in.len) == 0);
    for (size_t i = 0; i < in.len; i++)
        if (in.data[i] == '.' && (i == 0 || in.data[i - 1] == '\n')) return false;
    return same && (in.len == 0 || in.data[in.len - 1] == '\n');
}

static void check_ready(struct block in, struct block lines, size_t step)
{
    struct smtp_scan scan = {.ready = true};
    for (size_t at = 0; at < in.len; at += step) {
        struct block piece = exact(in.data + at, in.len - at < step ? in.len - at : step);
        smtp_scan(&scan, piece.data, piece.len);
        free(piece.data);
    }
    smtp_scan_end(&scan);
    struct smtp_scan other = scan_of(in, in.len + 1);
    MUST(scan.wire_len == lines.len + (scan.open ? 2 : 0));
    MUST((scan.line_max > SMTP_BODY_LINE_MAX) == (other.line_max > SMTP_BODY_LINE_MAX));
    MUST(scan.nul == other.nul && scan.eightbit == other.eightbit && scan.bare == other.bare);
    MUST(scan.open == other.open && scan.dotted == other.dotted);
    MUST(scan.framed == is_framed(in, lines) && other.framed == scan.framed);
}

/* ---- encoders ---- */

static struct block encoded(struct block in, enum smtp_encoding encoding, size_t step)
{
    struct smtp_encoder e = {.encoding = encoding};
    struct block all = {malloc(8 * in.len + 64), 0};
    for (size_t at = 0;; at += step) {
        bool end = at >= in.len;
        size_t len = end ? 0 : in.len - at < step ? in.len - at : step;
        struct block piece = exact(in.data + (end ? 0 : at), len);
        struct block out = {malloc(smtp_encode_max(&e, len)), 0};
        out.len = end ? smtp_encode_end(&e, out.data) : smtp_encode(&e, piece.data, len, out.data);
        memcpy(all.data + all.len, out.data, out.len);
        all.len += out.len;
        free(piece.data);
        free(out.data);
        if (end) return all;
    }
}

static void check_lines(struct block b)
{
    size_t line = 0;
    for (size_t i = 0; i < b.len; i++) {
        MUST((unsigned char)b.data[i] < 0x80);
        line = b.data[i] == '\n' ? 0 : line + 1;
        MUST(line <= LINE_MAX_LEN + 1); /* and CR */
    }
}

static void check_encoding(struct block in, struct block lines, enum smtp_encoding encoding,
                           size_t step)
{
    struct block whole = encoded(in, encoding, in.len + 1), cut = encoded(in, encoding, step);
    struct block back = encoding == SMTP_7BIT               ? exact(whole.data, whole.len)
                        : encoding == SMTP_QUOTED_PRINTABLE ? unquoted(whole)
                                                            : unbased(whole);
    check_same(whole, cut);
    check_same(back, encoding == SMTP_BASE64 ? in : lines);
    if (encoding != SMTP_7BIT) check_lines(whole);
    free(whole.data);
    free(cut.data);
    free(back.data);
}

/* ---- letters ---- */

static bool is_subject(struct block b)
{
    for (size_t i = 0; i < b.len; i++)
        if ((unsigned char)b.data[i] < ' ' || b.data[i] == 0x7F) return false;
    return b.len <= SMTP_LETTER_SUBJECT_MAX && is_utf8(b);
}

static void check_letter(struct block in, size_t step)
{
    struct smtp_letter letter = {.date = {"Tue, 24 Nov 2026 12:00:00 +0000", SMTP_MAIL_DATE_LEN}};
    struct block text = in, start = exact(in.data, in.len < step ? in.len : step);
    char *out = malloc(SMTP_LETTER_MAX);
    if (text.len > SMTP_LETTER_TEXT_MAX) text.len = SMTP_LETTER_TEXT_MAX;
    letter.text = text_of(text);
    letter.id = (struct smtp_text){"<x@x.example>", 13};
    MUST(smtp_mailboxes_add(&letter.from, (struct smtp_text){"", 0}, (struct smtp_text){"a@b", 3}));
    for (size_t i = 0; i < step && is_subject(start) && start.len <= SMTP_LETTER_NAME_MAX; i++)
        if (!smtp_mailboxes_add(&letter.to, text_of(start), (struct smtp_text){"a@b", 3})) break;
    MUST(letter.to.len <= sizeof letter.to.data);
    if (is_subject(start)) letter.subject = text_of(start);
    size_t len = smtp_letter_write(&letter, out);
    MUST((len > 0) == (is_utf8(text) && (text.len == 0 || !memchr(text.data, 0, text.len))));
    MUST(len <= SMTP_LETTER_MAX);
    if (len > 0) MUST(memcmp(letter.id.data, "<x@x.example>\r\n", 15) == 0);
    for (size_t i = 0; i < len; i++)
        MUST((unsigned char)out[i] < 0x80);
    MUST(len == 0 || memcmp(out + len - 2, "\r\n", 2) == 0);
    free(out);
    free(start.data);
}

static void check_date(struct block in)
{
    struct block date = exact(in.data, in.len < SMTP_MAIL_DATE_LEN ? in.len : SMTP_MAIL_DATE_LEN);
    char out[SMTP_MAIL_DATE_LEN];
    uint64_t seconds = 0;
    memcpy(&seconds, in.data, in.len < sizeof seconds ? in.len : sizeof seconds);
    smtp_date_write(out, (int64_t)(seconds % 253402300800));
    MUST(smtp_date_check((struct smtp_text){out, sizeof out}));
    smtp_date_check(text_of(date));
    free(date.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) return 0;
    size_t step = 1 + data[0] % 70u;
    struct block in = exact(data + 1, len - 1), lines = crlf(in);
    check_scan(in, lines, step);
    check_whole_lines(in);
    check_ready(in, lines, step * 20);
    for (int i = SMTP_7BIT; i <= SMTP_TEXT_BASE64; i++)
        check_encoding(in, lines, (enum smtp_encoding)i, step);
    check_letter(in, step);
    if (in.len > 0) check_date(in);
    free(in.data);
    free(lines.data);
    return 0;
}
