/* utf8.c - what is well-formed UTF-8. */
#include "octets.h"
#include "text.h"

/* Returns the length of a well-formed sequence of two bytes or more (RFC 3629 4), or 0. */
static size_t sequence_len(const unsigned char *data, size_t len)
{
    static const struct {
        unsigned char from, to, low, high; /* of the first and the second byte */
        size_t len;
    } forms[] = {{0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                 {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
                 {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
                 {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (data[0] < forms[i].from || data[0] > forms[i].to) continue;
        if (len < forms[i].len || data[1] < forms[i].low || data[1] > forms[i].high) return 0;
        for (size_t k = 2; k < forms[i].len; k++)
            if ((data[k] & 0xC0) != 0x80) return 0;
        return forms[i].len;
    }
    return 0;
}

size_t smtp_utf8_len(const char *data, size_t len)
{
    const unsigned char *in = (const unsigned char *)data;
    return *in < 0x80 ? 1 : sequence_len(in, len);
}

bool smtp_utf8_check(const char *data, size_t len)
{
    size_t at = 0;
    while (at < len) {
        if (len - at >= 8 && (octets_at(data + at) & OCTETS(0x80)) == 0) {
            at += 8;
            continue;
        }
        size_t width = smtp_utf8_len(data + at, len - at);
        if (width == 0) return false;
        at += width;
    }
    return true;
}
