/* dkim_body.c - the hash of a body, in one of the two forms of DKIM (RFC 6376 3.4.3, 3.4.4). */
#include "crypto.h"

/* Writes characters of a line, after the line ends and the space that were held back before them.
 */
static void put_content(struct dkim_body *b, const char *data, size_t len)
{
    for (; b->line_ends > 0; b->line_ends--)
        crypto_hash_put(&b->hash, "\r\n", 2);
    if (b->space) crypto_hash_put(&b->hash, " ", 1);
    b->space = false;
    b->content = true;
    crypto_hash_put(&b->hash, data, len);
}

/* Returns how many octets are hashed as they are: all but the line ends at the end. */
static size_t simple_len(const char *data, size_t len)
{
    if (data[0] == '\r') return 0;
    if (data[len - 1] == '\r') len--;
    while (data[len - 1] == '\n' && len > 1 && data[len - 2] == '\r')
        len -= 2;
    return len;
}

enum { BLOCK = 16 };
typedef uint8_t block __attribute__((vector_size(BLOCK)));

/* May the relaxed form change one of the 16 octets? It changes a tab, and a space that whitespace
 * follows; 17 octets are read. */
static bool may_change(const char *data)
{
    const block tab = (block){0} + '\t', space = (block){0} + ' ';
    block now, next;
    uint64_t found[2];
    memcpy(&now, data, BLOCK);
    memcpy(&next, data + 1, BLOCK);
    block marks = (block)(now == tab) | ((block)(now == space) & (block)(next <= space));
    memcpy(found, &marks, sizeof found);
    return (found[0] | found[1]) != 0;
}

/* Returns how many octets the relaxed form keeps, except that it may remove line ends and spaces at
 * their end. */
static size_t unchanged_len(const char *data, size_t len)
{
    size_t n = 0;
    while (len - n > BLOCK && !may_change(data + n))
        n += BLOCK;
    for (; n < len && data[n] != '\t'; n++)
        if (data[n] == ' ' && (n + 1 == len || (unsigned char)data[n + 1] <= ' ')) break;
    return n;
}

/* Returns how many octets the relaxed form keeps: the first and the last of them are neither
 * whitespace that may go away nor a part of a line end. */
static size_t relaxed_len(const struct dkim_body *b, const char *data, size_t len)
{
    if (data[0] == '\r' || (b->space && (data[0] == ' ' || data[0] == '\t'))) return 0;
    size_t n = unchanged_len(data, len);
    while (n > 0) {
        if (data[n - 1] == ' ' || data[n - 1] == '\r')
            n--;
        else if (n > 1 && data[n - 1] == '\n' && data[n - 2] == '\r')
            n -= 2;
        else
            break;
    }
    return n;
}

/* Takes the octet after a CR. A LF ends the line, and the whitespace at its end does not count. */
static size_t end_line(struct dkim_body *b, char next)
{
    b->after_cr = false;
    if (next != '\n') {
        put_content(b, "\r", 1);
        return 0;
    }
    b->space = false;
    b->line_ends++;
    return 1;
}

void dkim_body_begin(struct dkim_body *b, bool relaxed)
{
    b->relaxed = relaxed;
    crypto_hash_begin(&b->hash);
}

void dkim_body_add(struct dkim_body *b, struct smtp_text piece)
{
    for (size_t i = 0; i < piece.len;) {
        if (b->after_cr) {
            i += end_line(b, piece.data[i]);
            continue;
        }
        const char *rest = piece.data + i;
        size_t len = piece.len - i;
        len = b->relaxed ? relaxed_len(b, rest, len) : simple_len(rest, len);
        if (len > 0)
            put_content(b, rest, len);
        else if (*rest == '\r')
            b->after_cr = true;
        else
            b->space = true;
        i += len > 0 ? len : 1;
    }
}

const char *dkim_body_end(struct dkim_body *b, unsigned char hash[CRYPTO_HASH_LEN])
{
    if (b->after_cr) put_content(b, "\r", 1);
    /* An empty body is one line end in the one (RFC 6376 3.4.3), nothing in the other (3.4.4). */
    if (b->content || !b->relaxed) crypto_hash_put(&b->hash, "\r\n", 2);
    return crypto_hash_end(&b->hash, hash);
}

void dkim_body_drop(struct dkim_body *b)
{
    crypto_hash_drop(&b->hash);
}
