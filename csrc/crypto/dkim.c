/* dkim.c - the header DKIM-Signature: its tags, the headers that it covers, the signature. */
#include "crypto.h"

#include "../text/ascii.h"

#include <stdio.h>

enum { LINE_MAX_LEN = 78, SIGNATURE_LINE = 72 };

/* ---- headers in their canonical form (RFC 6376 3.4.1, 3.4.2) ---- */

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void put_lower(struct crypto_hash *hash, const char *name, size_t len)
{
    char lower[64];
    for (size_t done = 0, n; done < len; done += n) {
        n = len - done < sizeof lower ? len - done : sizeof lower;
        for (size_t i = 0; i < n; i++)
            lower[i] = to_lower(name[done + i]);
        crypto_hash_put(hash, lower, n);
    }
}

/* Is it a blank, or a line end? One by itself is a character like any other. */
static size_t space_len(const char *data, size_t len)
{
    if (is_blank(*data)) return 1;
    return len > 1 && data[0] == '\r' && data[1] == '\n' ? 2 : 0;
}

/* Writes a value without its line ends; of the blanks only one remains between two words. */
static void put_value(struct crypto_hash *hash, const char *data, size_t len)
{
    bool blank = false, word = false;
    for (size_t i = 0, n; i < len; i += n) {
        n = space_len(data + i, len - i);
        if (n > 0) {
            blank |= n == 1;
            continue;
        }
        for (n = 1; i + n < len && !is_blank(data[i + n]) && data[i + n] != '\r'; n++) {
        }
        if (blank && word) crypto_hash_put(hash, " ", 1);
        blank = false;
        word = true;
        crypto_hash_put(hash, data + i, n);
    }
}

/* Writes a header, which ends with CRLF; the line end is left out if it is the last one. */
static void put_header(struct crypto_hash *hash, struct smtp_text raw, bool relaxed, bool last)
{
    if (relaxed) {
        const char *colon = memchr(raw.data, ':', raw.len);
        size_t name_len = colon != NULL ? (size_t)(colon - raw.data) : raw.len - 1;
        put_lower(hash, raw.data, name_len);
        crypto_hash_put(hash, ":", 1);
        put_value(hash, raw.data + name_len + 1, raw.len - name_len - 1);
        if (!last) crypto_hash_put(hash, "\r\n", 2);
    } else {
        crypto_hash_put(hash, raw.data, raw.len);
    }
}

/* ---- the text of the header ---- */

struct layout {
    char *text;
    size_t len, max, line; /* line: characters of the last line */
};

static void put(struct layout *l, const char *data, size_t len)
{
    if (len > l->max - l->len) len = l->max - l->len;
    memcpy(l->text + l->len, data, len);
    l->len += len;
    l->line += len;
}

static void break_line(struct layout *l)
{
    put(l, "\r\n ", 3);
    l->line = 1;
}

/* Writes a word of three parts, on a new line where it does not fit into this one. */
static void put_word(struct layout *l, const char *space, const char *before, struct smtp_text word,
                     const char *after)
{
    size_t len = strlen(before) + word.len + strlen(after);
    if (l->line + strlen(space) + len > LINE_MAX_LEN)
        break_line(l);
    else
        put(l, space, strlen(space));
    put(l, before, strlen(before));
    put(l, word.data, word.len);
    put(l, after, strlen(after));
}

static void put_time(struct layout *l, const char *tag, double seconds)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%.0f", seconds);
    put_word(l, " ", tag, (struct smtp_text){digits, len > 0 && len < 32 ? (size_t)len : 0}, ";");
}

static void put_tags(struct layout *l, const struct dkim_signer *s)
{
    char form[16];
    snprintf(form, sizeof form, "%s/%s", s->relaxed_headers ? "relaxed" : "simple",
             s->relaxed_body ? "relaxed" : "simple");
    put(l, "DKIM-Signature: v=1;", 20);
    put_word(l, " ", "a=", text_of(s->key->algorithm), ";");
    put_word(l, " ", "c=", text_of(form), ";");
    put_word(l, " ", "d=", s->domain, ";");
    put_word(l, " ", "s=", s->selector, ";");
    if (s->identity.len > 0) put_word(l, " ", "i=", s->identity, ";");
    put_time(l, "t=", s->time);
    if (s->expires > 0) put_time(l, "x=", s->time + s->expires);
}

static bool has_name(const struct dkim_field *field, struct smtp_text name)
{
    if (field->name.len != name.len) return false;
    for (size_t i = 0; i < name.len; i++)
        if (to_lower(field->name.data[i]) != to_lower(name.data[i])) return false;
    return true;
}

/* Takes the text before the next colon off the rules. */
static struct smtp_text next_part(struct smtp_text *rules)
{
    const char *colon = rules->len > 0 ? memchr(rules->data, ':', rules->len) : NULL;
    struct smtp_text part = {rules->data,
                             colon != NULL ? (size_t)(colon - rules->data) : rules->len};
    size_t taken = colon != NULL ? part.len + 1 : part.len;
    rules->data += taken;
    rules->len -= taken;
    return part;
}

/* Writes the names of h=, and hashes the headers in their order: of several headers with one name
 * the lowest comes first (RFC 6376 5.4.2). */
static void put_names(struct layout *l, struct crypto_hash *hash, const struct dkim_signer *s,
                      const struct dkim_headers *headers)
{
    const char *space = " ", *tag = "h=";
    for (struct smtp_text rest = s->rules; rest.len > 0;) {
        struct smtp_text name = next_part(&rest), word = next_part(&rest);
        size_t times = word.len > 0 && *word.data == 'a';
        for (size_t j = headers->count; j-- > 0;) {
            if (!has_name(&headers->list[j], name)) continue;
            put_header(hash, headers->list[j].raw, s->relaxed_headers, false);
            times += times == 0 && word.len > 0 ? 2 : 1;
        }
        for (; times > 0; times--) {
            put_word(l, space, tag, name, ":");
            space = tag = "";
        }
    }
    if (l->len < l->max) l->text[l->len - 1] = ';';
}

static void put_signature(struct layout *l, const unsigned char *signature, size_t len)
{
    char coded[DKIM_SIGNATURE_MAX / 3 * 4 + 8];
    size_t coded_len = smtp_base64_encode((const char *)signature, len, coded);
    for (size_t done = 0, n; done < coded_len; done += n) {
        if (done > 0) break_line(l);
        n = coded_len - done < SIGNATURE_LINE ? coded_len - done : SIGNATURE_LINE;
        put(l, coded + done, n);
    }
    put(l, "\r\n", 2);
}

/* ---- both ---- */

size_t dkim_header_max(const struct dkim_signer *s, const struct dkim_headers *headers)
{
    enum { BREAK = 8, TAGS = 512, PER_RULE = 4 }; /* a rule has at least three octets */
    size_t len = TAGS + s->domain.len + s->selector.len + s->identity.len + PER_RULE * s->rules.len;
    for (size_t i = 0; i < headers->count; i++)
        len += headers->list[i].name.len + BREAK;
    return len + 2 * (size_t)EVP_PKEY_get_size(s->key->key);
}

/* What the signature covers is hashed while it is written (RFC 6376 3.7). */
const char *dkim_header(const struct dkim_signer *s, const struct dkim_headers *headers, char *out,
                        size_t *len)
{
    struct crypto_hash hash = {0};
    struct layout l = {.text = out, .max = *len};
    unsigned char digest[CRYPTO_HASH_LEN], signature[DKIM_SIGNATURE_MAX];
    char coded[CRYPTO_HASH_LEN / 3 * 4 + 8];
    size_t signature_len;
    crypto_hash_begin(&hash);
    put_tags(&l, s);
    put_names(&l, &hash, s, headers);
    size_t coded_len = smtp_base64_encode(s->body_hash.data, s->body_hash.len, coded);
    put_word(&l, " ", "bh=", (struct smtp_text){coded, coded_len}, ";");
    break_line(&l);
    put(&l, "b=", 2);
    put_header(&hash, (struct smtp_text){out, l.len}, s->relaxed_headers, true);
    const char *word = crypto_hash_end(&hash, digest);
    if (word == NULL) word = dkim_key_sign(s->key, digest, signature, &signature_len);
    if (word != NULL) return word;
    put_signature(&l, signature, signature_len);
    *len = l.len;
    return l.len < l.max ? NULL : "crypto";
}
