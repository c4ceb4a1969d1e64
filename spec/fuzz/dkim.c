/* dkim.c - what DKIM signs: any body in any pieces, and any headers. A verifier of a few lines
 * reads the signature as RFC 6376 6.1 has it: by the names in h=, from the last header of each name
 * upwards.
 *
 * The first byte of the input is a set of options, the second the size of the pieces. Then come
 * headers, one a line, in which "\1" is a fold, and after an empty line the body. */
#include "../../csrc/crypto/crypto.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

enum { RELAXED_HEADERS = 1, RELAXED_BODY = 2, IDENTITY = 4, EXPIRES = 8, HEADERS_MAX = 40 };

/* RFC 8463 A.2. */
static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                          "-----END PRIVATE KEY-----\n";

static const char rules[] = "From:a:To:p:Subject:p:X:p:Received::X-Long-Name-Of-A-Header:p:";

struct text {
    char *data;
    size_t len;
};

static void add(struct text *t, const char *data, size_t len)
{
    if (len > 0) memcpy(t->data + t->len, data, len);
    t->len += len;
}

static struct text room(size_t len)
{
    struct text t = {.data = malloc(len + 1)};
    MUST(t.data != NULL);
    return t;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* ---- the body (RFC 6376 3.4.3, 3.4.4) ---- */

static struct text canonical_body(const char *in, size_t len, bool relaxed)
{
    struct text t = room(len + 2);
    for (size_t i = 0; i < len; i++) {
        if (relaxed && is_blank(in[i])) {
            if (t.len == 0 || t.data[t.len - 1] != ' ') add(&t, " ", 1);
            continue;
        }
        bool ends = in[i] == '\r' && i + 1 < len && in[i + 1] == '\n';
        if (relaxed && ends && t.len > 0 && t.data[t.len - 1] == ' ') t.len--;
        add(&t, in + i, ends ? 2 : 1);
        i += ends;
    }
    if (relaxed && t.len > 0 && t.data[t.len - 1] == ' ') t.len--;
    if (t.len < 2 || memcmp(t.data + t.len - 2, "\r\n", 2) != 0) add(&t, "\r\n", 2);
    while (t.len >= 4 && memcmp(t.data + t.len - 4, "\r\n\r\n", 4) == 0)
        t.len -= 2;
    if (relaxed && t.len == 2) t.len = 0;
    return t;
}

static void digest(struct text t, unsigned char out[CRYPTO_HASH_MAX])
{
    size_t len;
    MUST(crypto_digest("SHA256", (struct smtp_text){t.data, t.len}, out, &len) == NULL);
}

static void body_hash(const char *in, size_t len, size_t step, bool relaxed, unsigned char *out)
{
    struct dkim_body body = {0};
    unsigned char expected[CRYPTO_HASH_MAX];
    dkim_body_begin(&body, relaxed);
    for (size_t at = 0; at < len; at += step)
        dkim_body_add(&body, (struct smtp_text){in + at, len - at < step ? len - at : step});
    MUST(dkim_body_end(&body, out) == NULL);
    struct text canonical = canonical_body(in, len, relaxed);
    digest(canonical, expected);
    MUST(memcmp(out, expected, CRYPTO_HASH_LEN) == 0);
    free(canonical.data);
}

/* ---- headers (RFC 6376 3.4.1, 3.4.2) ---- */

static void add_header(struct text *t, struct smtp_text raw, bool relaxed)
{
    const char *colon = memchr(raw.data, ':', raw.len);
    MUST(colon != NULL);
    if (!relaxed) {
        add(t, raw.data, raw.len);
        return;
    }
    size_t name_len = (size_t)(colon - raw.data);
    for (size_t i = 0; i < name_len; i++)
        add(t, &(char){lower(raw.data[i])}, 1);
    add(t, ":", 1);
    size_t begin = t->len;
    for (size_t i = name_len + 1; i < raw.len; i++) {
        char c = raw.data[i];
        if (c == '\r' && i + 1 < raw.len && raw.data[i + 1] == '\n')
            i++;
        else if (!is_blank(c))
            add(t, &c, 1);
        else if (t->len > begin && t->data[t->len - 1] != ' ')
            add(t, " ", 1);
    }
    if (t->len > begin && t->data[t->len - 1] == ' ') t->len--;
    add(t, "\r\n", 2);
}

static bool is_named(const struct dkim_field *field, const char *name, size_t len)
{
    if (field->name.len != len) return false;
    for (size_t i = 0; i < len; i++)
        if (lower(field->name.data[i]) != lower(name[i])) return false;
    return true;
}

/* The headers that the names choose: of each name the last one that was not chosen yet. */
static void add_chosen(struct text *t, const char *names, size_t len,
                       const struct dkim_headers *headers, bool relaxed)
{
    bool used[HEADERS_MAX] = {false};
    for (size_t at = 0; at < len;) {
        const char *end = memchr(names + at, ':', len - at);
        size_t name_len = end != NULL ? (size_t)(end - names) - at : len - at;
        for (size_t i = headers->count; i-- > 0;) {
            if (used[i] || !is_named(&headers->list[i], names + at, name_len)) continue;
            used[i] = true;
            add_header(t, headers->list[i].raw, relaxed);
            break;
        }
        at += name_len + 1;
    }
}

/* The value of a tag without its blanks and folds. */
static struct text tag(const char *header, size_t len, const char *name)
{
    struct text t = room(len), unfolded = room(len);
    for (size_t i = 0; i < len; i++)
        if (header[i] != '\r' && header[i] != '\n' && !is_blank(header[i]))
            add(&unfolded, header + i, 1);
    unfolded.data[unfolded.len] = '\0';
    const char *at = strstr(unfolded.data, name);
    MUST(at != NULL);
    at += strlen(name);
    add(&t, at, strcspn(at, ";"));
    free(unfolded.data);
    return t;
}

static void verify(const struct dkim_signer *s, const struct dkim_headers *headers,
                   const char *header, size_t len, size_t headers_len)
{
    struct text names = tag(header, len, ";h="), coded = tag(header, len, ";b=");
    struct text bh = tag(header, len, ";bh=");
    unsigned char hash[CRYPTO_HASH_MAX], signature[64];
    char expected[CRYPTO_HASH_LEN * 2];
    size_t signature_len = 0;
    MUST(bh.len == smtp_base64_encode(s->body_hash.data, s->body_hash.len, expected));
    MUST(memcmp(bh.data, expected, bh.len) == 0 && coded.len == 88);
    MUST(smtp_base64_decode(coded.data, coded.len, (char *)signature, &signature_len));
    struct text signed_text = room(2 * headers_len + 2 * len + 8);
    add_chosen(&signed_text, names.data, names.len, headers, s->relaxed_headers);
    /* The header itself, with an empty b= and without its last line end. */
    size_t b = 0;
    while (memcmp(header + b, ";\r\n b=", 6) != 0)
        MUST(++b + 6 < len);
    b += 6;
    struct text own = room(len + 2);
    add(&own, header, b);
    add(&own, "\r\n", 2);
    add_header(&signed_text, (struct smtp_text){own.data, own.len}, s->relaxed_headers);
    signed_text.len -= 2;
    digest(signed_text, hash);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    MUST(ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, s->key->key) == 1);
    MUST(EVP_DigestVerify(ctx, signature, signature_len, hash, CRYPTO_HASH_LEN) == 1);
    EVP_MD_CTX_free(ctx);
    free(names.data);
    free(coded.data);
    free(bh.data);
    free(signed_text.data);
    free(own.data);
}

static void check_lines(const char *header, size_t len)
{
    MUST(len > 16 && memcmp(header, "DKIM-Signature:", 15) == 0);
    MUST(memcmp(header + len - 2, "\r\n", 2) == 0);
    for (size_t i = 0, begin = 0; i < len; i++) {
        MUST((header[i] >= ' ' && header[i] <= '~') || header[i] == '\r' || header[i] == '\n');
        MUST(i - begin <= 80);
        if (header[i] != '\r') continue;
        MUST(header[++i] == '\n' && (i + 1 == len || header[i + 1] == ' '));
        begin = i + 1;
    }
}

/* One header of a line: a name of one of the rules, and its value. */
static struct dkim_field field_of(const char *line, size_t len)
{
    static const char *const names[] = {
        "From", "To", "sUBJECT", "x", "Received", "X-Long-Name-Of-A-Header", "Other", "x "};
    const char *name = names[len > 0 ? (unsigned char)line[0] % 8 : 0];
    struct text raw = room(3 * len + 64);
    add(&raw, name, strlen(name));
    add(&raw, ":", 1);
    for (size_t i = 1; i < len; i++) {
        if (line[i] == '\1')
            add(&raw, "\r\n ", 3);
        else if (line[i] != '\r')
            add(&raw, line + i, 1);
    }
    add(&raw, "\r\n", 2);
    size_t name_len = strcspn(name, " ");
    return (struct dkim_field){{raw.data, name_len}, {raw.data, raw.len}};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct dkim_key key;
    static struct dkim_field list[HEADERS_MAX];
    struct dkim_headers headers = {list, 0};
    unsigned char hash[CRYPTO_HASH_MAX];
    if (len < 2) return 0;
    if (key.key == NULL) MUST(dkim_key_read(&key, (struct smtp_text){pem, sizeof pem - 1}) == NULL);
    const char *in = (const char *)data + 2, *end = in + len - 2;
    size_t headers_len = 0;
    while (in < end && *in != '\n' && headers.count < HEADERS_MAX) {
        const char *stop = memchr(in, '\n', (size_t)(end - in));
        size_t line_len = (size_t)((stop != NULL ? stop : end) - in);
        list[headers.count] = field_of(in, line_len);
        headers_len += list[headers.count++].raw.len;
        in = stop != NULL ? stop + 1 : end;
    }
    unsigned flags = data[0];
    body_hash(in, (size_t)(end - in), 1 + data[1] % 50, flags & RELAXED_BODY, hash);
    const struct dkim_signer s = {
        .key = &key,
        .domain = {"football.example.com", 20},
        .selector = {"brisbane", 8},
        .identity = {"@football.example.com", (flags & IDENTITY) ? 21 : 0},
        .relaxed_headers = flags & RELAXED_HEADERS,
        .relaxed_body = flags & RELAXED_BODY,
        .time = 1528637909,
        .expires = (flags & EXPIRES) ? 3600 : 0,
        .body_hash = {(const char *)hash, CRYPTO_HASH_LEN},
        .rules = {rules, sizeof rules - 1},
    };
    size_t max = dkim_header_max(&s, &headers), out_len = max;
    char *out = malloc(max);
    MUST(out != NULL && dkim_header(&s, &headers, out, &out_len) == NULL && out_len < max);
    check_lines(out, out_len);
    verify(&s, &headers, out, out_len, headers_len);
    free(out);
    for (size_t i = 0; i < headers.count; i++)
        free((void *)(uintptr_t)list[i].raw.data);
    return 0;
}
