/* printable.c - text that a terminal may show. */
#include "octets.h"
#include "text.h"

#include <string.h>

static bool is_control(const unsigned char *c)
{
    bool c1 = c[0] == 0xC2 && c[1] < 0xA0; /* U+009B begins what a terminal obeys, as ESC [ does */
    return (c[0] < 0x20 && c[0] != '\n') || c[0] == 0x7F || c1;
}

/* U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: they make a terminal show text in an
 * order that it does not have. `c` is a whole character. */
static bool turns_text(const unsigned char *c)
{
    if (c[0] == 0xD8) return c[1] == 0x9C;
    if (c[0] != 0xE2) return false;
    if (c[1] == 0x80) return c[2] == 0x8E || c[2] == 0x8F || (c[2] >= 0xAA && c[2] <= 0xAE);
    return c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9;
}

/* Writes `width` bytes: those of one character that may be shown, or marks in their place. */
static void put_character(char *out, const char *data, size_t width)
{
    const unsigned char *c = (const unsigned char *)data;
    bool hidden = is_control(c) || turns_text(c);
    for (size_t i = 0; i < width; i++)
        out[i] = *c == '\t' ? ' ' : hidden ? '?' : data[i];
}

/* Copies letters from the beginning, most of what there is, eight at a time where there are so
 * many. Returns how many. */
static size_t copy_letters(char *out, size_t out_max, const char *data, size_t len)
{
    size_t at = 0;
    if (len > out_max) len = out_max;
    for (; len - at >= 8 && octets_printable(octets_at(data + at)) == OCTETS(0x80); at += 8)
        memmove(out + at, data + at, 8);
    for (; at < len && data[at] >= ' ' && data[at] <= '~'; at++)
        out[at] = data[at];
    return at;
}

size_t smtp_printable(char *out, size_t out_max, const char *data, size_t len)
{
    size_t at = copy_letters(out, out_max, data, len);
    while (at < len) {
        size_t width = smtp_utf8_len(data + at, len - at);
        if (width > out_max - at || at == out_max) break;
        if (width > 0)
            put_character(out + at, data + at, width);
        else
            out[at] = '?';
        at += width > 0 ? width : 1;
        at += copy_letters(out + at, out_max - at, data + at, len - at);
    }
    return at;
}
