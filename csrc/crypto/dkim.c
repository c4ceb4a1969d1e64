/* dkim.c - DKIM (RFC 6376, 8301, 8463): the hash of a body, keys, signatures. */
#include "crypto.h"

#include <openssl/err.h>
#include <openssl/pem.h>

/* ---- the body ---- */

const char *dkim_body_begin(struct dkim_body *b, bool relaxed)
{
    b->relaxed = relaxed;
    b->hash = EVP_MD_CTX_new();
    b->failed = b->hash == NULL || EVP_DigestInit_ex(b->hash, EVP_sha256(), NULL) != 1;
    return b->failed ? "crypto" : NULL;
}

static void update(struct dkim_body *b, const char *data, size_t len)
{
    if (!b->failed && len > 0) b->failed = EVP_DigestUpdate(b->hash, data, len) != 1;
}

static void put(struct dkim_body *b, const char *data, size_t len)
{
    if (len > sizeof b->canonical - b->len) {
        update(b, b->canonical, b->len);
        b->len = 0;
    }
    if (len > sizeof b->canonical) {
        update(b, data, len);
        return;
    }
    memcpy(b->canonical + b->len, data, len);
    b->len += len;
}

/* Writes characters of a line, after the line ends and the space that were held back before them.
 */
static void put_content(struct dkim_body *b, const char *data, size_t len)
{
    for (; b->line_ends > 0; b->line_ends--)
        put(b, "\r\n", 2);
    if (b->space) put(b, " ", 1);
    b->space = false;
    b->content = true;
    put(b, data, len);
}

static bool is_plain(char c)
{
    return (unsigned char)c > ' ' || (c != ' ' && c != '\t' && c != '\r');
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

/* Returns how many octets the relaxed form keeps: words, one space between two of them, line ends
 * that a word follows. */
static size_t relaxed_len(const struct dkim_body *b, const char *data, size_t len)
{
    for (size_t n = 0;;) {
        while (n < len && is_plain(data[n]))
            n++;
        if (n == 0 && b->space) return 0;
        if (len - n > 1 && data[n] == ' ' && is_plain(data[n + 1]))
            n += 2;
        else if (len - n > 2 && data[n] == '\r' && data[n + 1] == '\n' && is_plain(data[n + 2]))
            n += 3;
        else
            return n;
    }
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

const char *dkim_body_end(struct dkim_body *b, unsigned char hash[CRYPTO_HASH_MAX],
                          size_t *hash_len)
{
    unsigned len = 0;
    if (b->after_cr) put_content(b, "\r", 1);
    /* An empty body is one line end in the one (RFC 6376 3.4.3), nothing in the other (3.4.4). */
    if (b->content || !b->relaxed) put(b, "\r\n", 2);
    update(b, b->canonical, b->len);
    if (!b->failed) b->failed = EVP_DigestFinal_ex(b->hash, hash, &len) != 1;
    *hash_len = len;
    return b->failed ? "crypto" : NULL;
}

void dkim_body_drop(struct dkim_body *b)
{
    EVP_MD_CTX_free(b->hash);
    b->hash = NULL;
    b->failed = true;
}

/* ---- keys ---- */

/* Asks nothing: a server has no terminal at which a pass phrase could be typed. */
static int note_question(char *buffer, int size, int writing, void *asked)
{
    (void)buffer, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static const char *check(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "ED25519")) return NULL;
    if (!EVP_PKEY_is_a(key, "RSA")) return "kind";
    int bits = EVP_PKEY_get_bits(key);
    return bits < DKIM_RSA_BITS_MIN || bits > DKIM_RSA_BITS_MAX ? "length" : NULL;
}

/* The errors that libcrypto queues here are removed from its queue; those of other code stay. */
const char *dkim_key_read(struct smtp_text pem, EVP_PKEY **key)
{
    bool asked = false;
    *key = NULL;
    if (pem.len > DKIM_PEM_MAX) return "unreadable";
    ERR_set_mark();
    BIO *text = BIO_new_mem_buf(pem.data, (int)pem.len);
    if (text != NULL) *key = PEM_read_bio_PrivateKey(text, NULL, note_question, &asked);
    bool full = text == NULL || ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
    BIO_free(text);
    ERR_pop_to_mark();
    if (*key == NULL && full) return "crypto"; /* no memory */
    if (*key == NULL) return asked ? "encrypted" : "unreadable";
    const char *word = check(*key);
    if (word == NULL) return NULL;
    EVP_PKEY_free(*key);
    *key = NULL;
    return word;
}

const char *dkim_key_algorithm(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "RSA") ? "rsa-sha256" : "ed25519-sha256";
}

/* ---- signatures ---- */

static bool sign(EVP_PKEY *key, const EVP_MD *hash, struct smtp_text data, unsigned char *out,
                 size_t *out_len)
{
    EVP_MD_CTX *signing = EVP_MD_CTX_new();
    bool made =
        signing != NULL && EVP_DigestSignInit(signing, NULL, hash, NULL, key) == 1 &&
        EVP_DigestSign(signing, out, out_len, (const unsigned char *)data.data, data.len) == 1;
    EVP_MD_CTX_free(signing);
    return made;
}

const char *dkim_sign(EVP_PKEY *key, struct smtp_text data, unsigned char out[DKIM_SIGNATURE_MAX],
                      size_t *out_len)
{
    unsigned char hash[CRYPTO_HASH_MAX];
    size_t hash_len = 0;
    bool made = false;
    *out_len = DKIM_SIGNATURE_MAX;
    ERR_set_mark();
    if (EVP_PKEY_is_a(key, "RSA"))
        made = sign(key, EVP_sha256(), data, out, out_len);
    else if (crypto_digest("SHA256", data, hash, &hash_len) == NULL)
        made = sign(key, NULL, (struct smtp_text){(char *)hash, hash_len}, out, out_len);
    ERR_pop_to_mark();
    return made ? NULL : "crypto";
}
