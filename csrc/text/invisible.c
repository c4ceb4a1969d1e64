/* invisible.c - characters that readers do not see: with one of them, a copied address looks like
 * another one. */
#include "text.h"

static const struct {
    uint32_t first, last;
    const char *name;
} ranges[] = {{0xA0, 0xA0, "a no-break space"},
              {0xAD, 0xAD, "a soft hyphen"},
              {0x34F, 0x34F, "a grapheme joiner"},
              {0x61C, 0x61C, "an Arabic letter mark"},
              {0x115F, 0x1160, "a Hangul filler"},
              {0x1680, 0x1680, "an Ogham space"},
              {0x17B4, 0x17B5, "an inherent Khmer vowel"},
              {0x180B, 0x180D, "a variation selector"},
              {0x180E, 0x180E, "a Mongolian vowel separator"},
              {0x2000, 0x200A, "a space of another width"},
              {0x200B, 0x200B, "a zero-width space"},
              {0x200C, 0x200C, "a zero-width non-joiner"},
              {0x200D, 0x200D, "a zero-width joiner"},
              {0x200E, 0x200E, "a left-to-right mark"},
              {0x200F, 0x200F, "a right-to-left mark"},
              {0x2028, 0x2029, "a separator of lines"},
              {0x202A, 0x202E, "a control of the direction"},
              {0x202F, 0x202F, "a narrow no-break space"},
              {0x205F, 0x205F, "a mathematical space"},
              {0x2060, 0x2060, "a word joiner"},
              {0x2061, 0x2064, "an invisible operator"},
              {0x2066, 0x2069, "a control of the direction"},
              {0x206A, 0x206F, "an obsolete control"},
              {0x3000, 0x3000, "an ideographic space"},
              {0x3164, 0x3164, "a Hangul filler"},
              {0xFE00, 0xFE0F, "a variation selector"},
              {0xFEFF, 0xFEFF, "a byte order mark"},
              {0xFFA0, 0xFFA0, "a Hangul filler"},
              {0xFFF9, 0xFFFB, "an annotation mark"},
              {0xE0000, 0xE0FFF, "a tag or a variation selector"}};

/* The number of a character that is well-formed and has `width` bytes, more than one. */
static uint32_t number_of(const char *data, size_t width)
{
    uint32_t number = (unsigned char)data[0] & (0x7Fu >> width);
    for (size_t i = 1; i < width; i++)
        number = number << 6 | ((unsigned char)data[i] & 0x3F);
    return number;
}

static const char *name_of(uint32_t number)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && number >= ranges[i].first; i++)
        if (number <= ranges[i].last) return ranges[i].name;
    return NULL;
}

const char *smtp_invisible(const char *data, size_t len, uint32_t *number)
{
    for (size_t at = 0; at < len; at++) {
        size_t width = smtp_utf8_len(data + at, len - at);
        if (width < 2) continue;
        *number = number_of(data + at, width);
        const char *name = name_of(*number);
        if (name != NULL) return name;
        at += width - 1;
    }
    return NULL;
}
