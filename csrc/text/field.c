/* field.c - the text of header fields, in ASCII and in short lines (RFC 2047, RFC 5322 2.2.3). */
#include "ascii.h"

enum {
    LINE = 78,      /* bytes of a line where it can be folded (RFC 5322 2.1.1) */
    FRAME_LEN = 12, /* "=?UTF-8?Q?" and "?=": an encoded word has at most 75 bytes (RFC 2047 2) */
    WORD_ROOM = 63,
    WORD_ROOM_MIN = 12, /* one character of four bytes */
    NAME_COLUMN = 10    /* of the longest header with display names, "Reply-To: " */
};

/* ---- encoded words ---- */

/* RFC 2047 4.2, with the characters that 5 (3) leaves free in a phrase. */
static bool stays_in_q(char c)
{
    return is_letter(c) || is_digit(c) || (c != '\0' && strchr("!*+/- ", c) != NULL);
}

static size_t q_len(const char *data, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += stays_in_q(data[i]) ? 1 : 3;
    return n;
}

static size_t q_encode(const char *data, size_t len, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        if (stays_in_q(data[i])) {
            out[n++] = c == ' ' ? '_' : data[i];
            continue;
        }
        out[n++] = '=';
        out[n++] = digits[c >> 4];
        out[n++] = digits[c & 0x0F];
    }
    return n;
}

static size_t put_word(char *out, const char *data, size_t len, bool q)
{
    memcpy(out, q ? "=?UTF-8?Q?" : "=?UTF-8?B?", FRAME_LEN - 2);
    size_t n = FRAME_LEN - 2;
    n += q ? q_encode(data, len, out + n) : smtp_base64_encode(data, len, out + n);
    out[n++] = '?';
    out[n++] = '=';
    return n;
}

/* Returns how many bytes of the text go into a word with so much room, at least one character. */
static size_t word_len(struct smtp_text text, bool q, size_t room)
{
    size_t len = 0, used = 0;
    while (len < text.len) {
        size_t width = smtp_utf8_len(text.data + len, text.len - len);
        if (width == 0) width = 1;
        used = q ? used + q_len(text.data + len, width) : (len + width + 2) / 3 * 4;
        if (len > 0 && used > room) break;
        len += width;
    }
    return len;
}

size_t smtp_words(struct smtp_text text, size_t column, bool base64, char *out)
{
    bool q = !base64 && q_len(text.data, text.len) * 3 <= (text.len + 2) * 4;
    size_t n = 0, room = WORD_ROOM_MIN;
    if (column + FRAME_LEN + WORD_ROOM_MIN < LINE) room = LINE - FRAME_LEN - column;
    if (room > WORD_ROOM) room = WORD_ROOM;
    do {
        size_t len = word_len(text, q, room);
        if (n > 0) out[n++] = ' ';
        n += put_word(out + n, text.data, len, q);
        text = (struct smtp_text){text.data + len, text.len - len};
        room = WORD_ROOM;
    } while (text.len > 0);
    return n;
}

/* ---- text that needs no encoding ---- */

/* Printable ASCII without "=?". */
static bool has_plain_bytes(struct smtp_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if ((c < ' ' || c > '~') && c != '\t') return false;
        if (c == '=' && i + 1 < text.len && text.data[i + 1] == '?') return false;
    }
    return true;
}

bool smtp_is_plain(struct smtp_text text, size_t room)
{
    if (text.len == 0) return true;
    if (is_blank(text.data[0]) || is_blank(text.data[text.len - 1])) return false;
    if (!has_plain_bytes(text)) return false;
    for (size_t at = 0, word, end; at < text.len; at = end) {
        for (word = at; is_blank(text.data[word]);)
            word++;
        for (end = word; end < text.len && !is_blank(text.data[end]);)
            end++;
        if (end - word > room || end - at > room + 1) return false; /* with the blanks before it */
    }
    return true;
}

/* ---- display names ---- */

/* Writes a name as a quoted string (RFC 5322 3.2.4). Returns its length. */
static size_t put_quoted(struct smtp_text name, char *out)
{
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '"' || name.data[i] == '\\') out[n++] = '\\';
        out[n++] = name.data[i];
    }
    out[n++] = '"';
    return n;
}

static bool is_atoms(struct smtp_text name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool blank = c == ' ' && (i == 0 || name.data[i - 1] != ' ');
        if (!blank && !is_letter(c) && !is_digit(c) && strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL)
            return false;
    }
    return true;
}

size_t smtp_phrase(struct smtp_text name, char *out)
{
    const size_t room = LINE - NAME_COLUMN;
    if (!smtp_is_plain(name, room)) return smtp_words(name, NAME_COLUMN, false, out);
    if (is_atoms(name)) {
        memcpy(out, name.data, name.len);
        return name.len;
    }
    struct smtp_text quoted = {out, put_quoted(name, out)};
    if (smtp_is_plain(quoted, room)) return quoted.len;
    return smtp_words(name, NAME_COLUMN, false, out);
}

/* ---- lines ---- */

size_t smtp_fold(struct smtp_text text, size_t *column, char *out)
{
    size_t n = 0;
    for (size_t at = 0; at < text.len;) {
        size_t word = at, end;
        while (word < text.len && is_blank(text.data[word]))
            word++;
        for (end = word; end < text.len && !is_blank(text.data[end]);)
            end++;
        if (end == word) break; /* blanks at the end */
        if (word > at && *column + (end - at) > LINE) {
            out[n++] = '\r';
            out[n++] = '\n';
            *column = 0;
        }
        memcpy(out + n, text.data + at, end - at);
        n += end - at;
        *column += end - at;
        at = end;
    }
    return n;
}
