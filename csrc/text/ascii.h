/* ascii.h - characters and words of ASCII, and the comparison of texts.
 *
 * <ctype.h> and strcasecmp follow the locale, and fail under tr_TR; these do not.
 */
#ifndef SMTP_ASCII_H
#define SMTP_ASCII_H

#include "text.h"

#include <string.h>

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7F;
}

static inline char to_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static inline bool is_ascii(struct smtp_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] & 0x80) return false;
    return true;
}

static inline struct smtp_text text_of(const char *words)
{
    return (struct smtp_text){words, strlen(words)};
}

static inline bool is_same(struct smtp_text a, struct smtp_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Is `text` the whole of `word`, which is in upper case, in any case? */
static inline bool is_word(struct smtp_text text, const char *word)
{
    for (size_t i = 0; i < text.len; i++)
        if (word[i] == '\0' || to_upper(text.data[i]) != word[i]) return false;
    return word[text.len] == '\0';
}

/* Does the text contain `word`, which is in upper case, anywhere and in any case? */
static inline bool has_word(struct smtp_text text, const char *word)
{
    struct smtp_text part = {text.data, strlen(word)};
    for (; text.len >= part.len; part.data++, text.len--)
        if (is_word(part, word)) return true;
    return false;
}

/* Takes the next line off a text, without its LF. */
static inline struct smtp_text next_line(struct smtp_text *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
    struct smtp_text line = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->len};
    size_t taken = end != NULL ? line.len + 1 : line.len;
    rest->data += taken;
    rest->len -= taken;
    return line;
}

/* Takes the next word, which blanks surround, off a line; its length is 0 where none is left. */
static inline struct smtp_text next_word(struct smtp_text *line)
{
    while (line->len > 0 && is_blank(*line->data))
        line->data++, line->len--;
    struct smtp_text word = {line->data, 0};
    while (line->len > 0 && !is_blank(*line->data))
        line->data++, line->len--, word.len++;
    return word;
}

#endif
