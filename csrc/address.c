/* address.c - what may stand between < and >, and behind EHLO (RFC 5321 4.1.2, 4.1.3). */
#include "smtp.h"

#include <string.h>

#pragma GCC visibility push(hidden)

enum { PATH_LEN_MAX = 254, DOMAIN_LEN_MAX = 255, LABEL_LEN_MAX = 63 };

static bool is_let_dig(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_atext(char c)
{
    return is_let_dig(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* ---- domains ---- */

static const char *check_label(const char *data, size_t len)
{
    if (len == 0) return "the domain has an empty part between its dots";
    if (len > LABEL_LEN_MAX) return "a part of the domain is longer than 63 octets";
    if (data[0] == '-' || data[len - 1] == '-') return "a part of the domain begins or ends with -";
    for (size_t i = 0; i < len; i++) {
        if (data[i] & 0x80) return "the domain holds letters outside ASCII";
        if (!is_let_dig(data[i]) && data[i] != '-')
            return "the domain holds more than letters, digits, hyphens and dots";
    }
    return NULL;
}

static const char *check_names(const char *data, size_t len)
{
    if (len == 0) return "the domain is empty";
    if (len > DOMAIN_LEN_MAX) return "the domain is longer than 255 octets";
    for (size_t from = 0; from <= len;) {
        const char *dot = memchr(data + from, '.', len - from);
        size_t to = dot != NULL ? (size_t)(dot - data) : len;
        const char *why = check_label(data + from, to - from);
        if (why != NULL) return why;
        from = to + 1;
    }
    return NULL;
}

/* ---- address literals ---- */

static bool is_ipv4(const char *data, size_t len)
{
    unsigned parts = 0, value = 0, digits = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && data[i] >= '0' && data[i] <= '9') {
            value = value * 10 + (unsigned)(data[i] - '0');
            if (++digits > 3 || value > 255) return false;
        } else if (digits > 0 && (i == len || data[i] == '.')) {
            parts++;
            value = digits = 0;
        } else {
            return false;
        }
    }
    return parts == 4;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* Groups of hex digits, at most one "::" for the missing ones, IPv4 at the end or not. */
static bool is_ipv6(const char *data, size_t len)
{
    size_t groups = 0, at = 0;
    bool gap = false;
    while (at < len) {
        if (len - at >= 2 && data[at] == ':' && data[at + 1] == ':') {
            if (gap) return false;
            gap = true;
            at += 2;
            continue;
        }
        if (at > 0 && data[at - 1] != ':') {
            if (data[at] != ':' || ++at == len) return false;
        }
        size_t from = at;
        while (at < len && is_hex(data[at]))
            at++;
        if (at < len && data[at] == '.')
            return is_ipv4(data + from, len - from) && (gap ? groups < 6 : groups == 6);
        if (at == from || at - from > 4) return false;
        groups++;
    }
    return gap ? groups < 8 : groups == 8;
}

static const char *check_literal(const char *data, size_t len)
{
    static const char wrong[] = "the address literal is neither [1.2.3.4] nor [IPv6:…]";
    if (len < 3 || data[len - 1] != ']') return wrong;
    if (len > 7 && memcmp(data + 1, "IPv6:", 5) == 0)
        return is_ipv6(data + 6, len - 7) ? NULL : wrong;
    return is_ipv4(data + 1, len - 2) ? NULL : wrong;
}

const char *smtp_domain_check(const char *data, size_t len)
{
    if (len > 0 && data[0] == '[') return check_literal(data, len);
    return check_names(data, len);
}

/* ---- local parts ---- */

static const char *check_dots(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool dot = data[i] == '.';
        if (data[i] & 0x80) return "the part before @ holds characters outside ASCII";
        if (dot && (i == 0 || i == len - 1 || data[i - 1] == '.'))
            return "a dot stands at the edge of the part before @, or next to another dot";
        if (!dot && !is_atext(data[i]))
            return "the part before @ holds a character that must be quoted: \"like this\"@domain";
    }
    return len == 0 ? "nothing stands before @" : NULL;
}

/* The bytes a quoted string means (RFC 5321 Quoted-string), written to `out`; *end behind the
 * closing quote. */
static const char *unquote(const char *data, size_t len, char *out, size_t *out_len, size_t *end)
{
    size_t n = 0;
    for (size_t i = 1; i < len; i++) {
        char c = data[i];
        if (c == '"') {
            *out_len = n;
            *end = i + 1;
            return NULL;
        }
        if (c == '\\' && ++i < len) c = data[i];
        if (c < ' ' || c == 0x7F || (c & 0x80))
            return "the quoted part before @ holds a control character or one outside ASCII";
        out[n++] = c;
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
    char raw[PATH_LEN_MAX];
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
    char local[PATH_LEN_MAX];
    size_t local_len = 0, at = 0;
    *why = "nothing is there";
    if (len == 0) return 0;
    *why = "it is longer than the 254 octets a path may hold";
    if (len > PATH_LEN_MAX) return 0;
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
    *why = smtp_domain_check(data + at + 1, len - at - 1);
    if (*why != NULL) return 0;
    size_t n = write_local(out, local, local_len);
    memcpy(out + n, data + at, len - at);
    return n + len - at;
}

#pragma GCC visibility pop
