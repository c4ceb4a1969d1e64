/* address.c - addresses and domains: the arguments of MAIL, RCPT and EHLO (RFC 5321 4.1.2, 4.1.3;
 * RFC 6531 3.3). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "ascii.h"

#include <arpa/inet.h>

enum { LABEL_LEN_MAX = 63 };

static bool is_let_dig(char c)
{
    return is_letter(c) || is_digit(c);
}

static bool is_atext(char c)
{
    return is_let_dig(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Returns the length of a character outside ASCII that RFC 6531 3.3 allows, or 0. The controls
 * U+0080 to U+009F are not allowed: some of them end lines where a terminal shows them. */
static size_t foreign_len(const char *data, size_t len)
{
    const unsigned char *c = (const unsigned char *)data;
    if (len == 0 || c[0] < 0x80) return 0;
    if (c[0] == 0xC2 && len > 1 && c[1] < 0xA0) return 0;
    return smtp_utf8_len(data, len);
}

/* ---- domains ---- */

/* Checks the character at `data` of a label; `width` is its length where it is outside ASCII. */
static const char *check_letter(const char *data, size_t width, bool utf8)
{
    if (width > 0) return utf8 ? NULL : "the domain holds letters outside ASCII";
    if (*data & 0x80) return "the domain holds bytes that are no text in UTF-8";
    if (is_let_dig(*data) || *data == '-') return NULL;
    return "the domain holds more than letters, digits, hyphens and dots";
}

/* With `utf8` a label may be a U-label; only IDNA knows how long it is in ASCII. */
static const char *check_label(const char *data, size_t len, bool utf8)
{
    if (len == 0) return "the domain has an empty part between its dots";
    if (len > LABEL_LEN_MAX && !utf8) return "a part of the domain is longer than 63 bytes";
    if (data[0] == '-' || data[len - 1] == '-') return "a part of the domain begins or ends with -";
    for (size_t i = 0; i < len;) {
        size_t width = foreign_len(data + i, len - i);
        const char *why = check_letter(data + i, width, utf8);
        if (why != NULL) return why;
        i += width > 0 ? width : 1;
    }
    return NULL;
}

static const char *check_names(const char *data, size_t len, bool utf8)
{
    if (len == 0) return "the domain is empty";
    if (len > SMTP_DOMAIN_LEN_MAX) return "the domain is longer than 255 bytes";
    for (size_t from = 0; from <= len;) {
        const char *dot = memchr(data + from, '.', len - from);
        size_t to = dot != NULL ? (size_t)(dot - data) : len;
        const char *why = check_label(data + from, to - from, utf8);
        if (why != NULL) return why;
        from = to + 1;
    }
    return NULL;
}

/* ---- address literals ---- */

static bool is_numeric(int family, const char *data, size_t len)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char parsed[sizeof(struct in6_addr)];
    if (len >= sizeof text || memchr(data, '\0', len) != NULL) return false;
    memcpy(text, data, len);
    text[len] = '\0';
    return inet_pton(family, text, parsed) == 1;
}

static const char *check_literal(const char *data, size_t len)
{
    static const char wrong[] = "the address literal is neither [1.2.3.4] nor [IPv6:…]";
    if (len < 3 || data[len - 1] != ']') return wrong;
    if (len > 7 && memcmp(data + 1, "IPv6:", 5) == 0)
        return is_numeric(AF_INET6, data + 6, len - 7) ? NULL : wrong;
    return is_numeric(AF_INET, data + 1, len - 2) ? NULL : wrong;
}

const char *smtp_domain_check(const char *data, size_t len)
{
    if (len > 0 && data[0] == '[') return check_literal(data, len);
    return check_names(data, len, false);
}

/* Checks the domain of an address, which may contain U-labels (RFC 6531 3.3 sub-domain). */
static const char *check_domain(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (data[i] & 0x80) return check_names(data, len, true);
    return smtp_domain_check(data, len);
}

/* ---- local parts ---- */

/* Returns why no local part may contain `c`, quoted or not; NULL where one may. */
static const char *check_octet(char c)
{
    if (is_control(c)) return "the part before @ holds a control character";
    if (c & 0x80) return "the part before @ holds bytes that are no text in UTF-8";
    return NULL;
}

static const char *check_dots(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        size_t width = foreign_len(data + i, len - i);
        bool dot = data[i] == '.';
        if (width > 0) {
            i += width - 1;
            continue;
        }
        if (check_octet(data[i]) != NULL) return check_octet(data[i]);
        if (dot && (i == 0 || i == len - 1 || data[i - 1] == '.'))
            return "a dot is at the edge of the part before @, or next to another dot";
        if (!dot && !is_atext(data[i]))
            return "the part before @ holds a character that must be quoted: \"like this\"@domain";
    }
    return len == 0 ? "there is nothing before @" : NULL;
}

/* Writes the bytes that a quoted string means (RFC 5321 Quoted-string) to `out`; `*end` is the
 * place after the closing quote. A backslash may precede ASCII only. */
static const char *unquote(const char *data, size_t len, char *out, size_t *out_len, size_t *end)
{
    size_t n = 0;
    for (size_t i = 1; i < len; i++) {
        size_t width = foreign_len(data + i, len - i);
        if (data[i] == '"') {
            *out_len = n;
            *end = i + 1;
            return NULL;
        }
        if (data[i] == '\\' && ++i == len) break;
        if (width == 0 && check_octet(data[i]) != NULL) return check_octet(data[i]);
        if (width == 0) width = 1;
        memcpy(out + n, data + i, width);
        n += width;
        i += width - 1;
    }
    return "the quoted part before @ has no closing quote";
}

static size_t write_local(char *out, const char *local, size_t len)
{
    size_t n = 0;
    if (check_dots(local, len) == NULL) {
        memmove(out, local, len);
        return len;
    }
    char raw[SMTP_ADDRESS_LEN_MAX];
    memcpy(raw, local, len); /* `local` may lie in `out` */
    out[n++] = '"';
    for (size_t i = 0; i < len; i++) {
        if (raw[i] == '"' || raw[i] == '\\') out[n++] = '\\';
        out[n++] = raw[i];
    }
    out[n++] = '"';
    return n;
}

size_t smtp_address_check(const char *data, size_t len, char *out, const char **why)
{
    char local[SMTP_ADDRESS_LEN_MAX];
    size_t local_len = 0, at = 0;
    *why = "nothing is there";
    if (len == 0) return 0;
    *why = "it is longer than the 254 bytes of a path";
    if (len > SMTP_ADDRESS_LEN_MAX) return 0;
    if (data[0] == '"') {
        *why = unquote(data, len, local, &local_len, &at);
    } else {
        const char *sign = memchr(data, '@', len);
        at = local_len = sign != NULL ? (size_t)(sign - data) : len;
        memcpy(local, data, local_len);
        *why = check_dots(data, local_len);
    }
    if (*why != NULL) return 0;
    *why = "it has no @ and domain";
    if (at >= len || data[at] != '@') return 0;
    *why = check_domain(data + at + 1, len - at - 1);
    if (*why != NULL) return 0;
    size_t n = write_local(out, local, local_len);
    memcpy(out + n, data + at, len - at);
    return n + len - at;
}
