/* scram.c - SCRAM (RFC 5802, RFC 7677), the client's side. The password is hashed in slices, so
 * that an event loop goes on meanwhile; the server counts as authentic only once its signature
 * fits. */
#include "crypto.h"

#include "../text/ascii.h"

#include <openssl/crypto.h>

enum {
    SLICE_US = 400,    /* how long one slice hashes */
    SLICE_ROUNDS = 64, /* rounds between two looks at the clock */
    ITERATION_DIGITS = 9
};

/* ---- text ---- */

static void add(struct scram *s, const char *data, size_t len)
{
    memcpy(s->text + s->text_len, data, len);
    s->text_len += len;
}

static void add_words(struct scram *s, const char *words)
{
    add(s, words, strlen(words));
}

static void add_name(struct scram *s, struct smtp_text name)
{
    s->text_len += smtp_saslname(s->text + s->text_len, name);
}

static void add_base64(struct scram *s, const void *data, size_t len)
{
    s->text_len += smtp_base64_encode(data, len, s->text + s->text_len);
}

/* ---- our first message ---- */

const char *scram_begin(struct scram *s, const struct scram_settings *settings)
{
    memcpy(s->hash, settings->hash, strnlen(settings->hash, sizeof s->hash - 1));
    s->iterations_min = settings->iterations_min;
    s->iterations_max = settings->iterations_max;
    s->keyed = crypto_keyed(s->hash, settings->password);
    if (s->keyed == NULL) return "crypto";
    s->hash_len = EVP_MAC_CTX_get_mac_size(s->keyed);
    add(s, &settings->flag, 1);
    if (settings->flag == 'p') {
        add_words(s, "=");
        add(s, settings->binding_type.data, settings->binding_type.len);
        s->binding_len = settings->binding.len;
        memcpy(s->binding, settings->binding.data, s->binding_len);
    }
    add_words(s, ",");
    if (settings->authzid.len > 0) {
        add_words(s, "a=");
        add_name(s, settings->authzid);
    }
    add_words(s, ",");
    s->bare_at = s->text_len;
    add_words(s, "n=");
    add_name(s, settings->username);
    add_words(s, ",r=");
    s->nonce_at = s->text_len;
    s->nonce_len = settings->nonce.len;
    add(s, settings->nonce.data, settings->nonce.len);
    s->first_len = s->text_len;
    return NULL;
}

/* ---- the server's messages ---- */

/* Takes the next attribute, which must be `name`, off `rest`. *value is its value. */
static bool take(struct smtp_text *rest, char name, struct smtp_text *value)
{
    if (rest->len < 2 || rest->data[0] != name || rest->data[1] != '=') return false;
    const char *comma = memchr(rest->data, ',', rest->len);
    size_t len = comma != NULL ? (size_t)(comma - rest->data) : rest->len;
    *value = (struct smtp_text){rest->data + 2, len - 2};
    rest->data += len;
    rest->len -= len;
    if (comma == NULL) return true;
    rest->data++;
    rest->len--;
    return rest->len > 0; /* a comma needs an attribute after it */
}

/* Does only what future extensions may send follow, which is ignored (RFC 5802 7)? An attribute
 * with a place of its own elsewhere is not an extension. */
static bool is_extension(struct smtp_text rest)
{
    static const char taken[] = "anmrcsipve";
    struct smtp_text value;
    while (rest.len > 0) {
        char name = rest.data[0];
        if (!is_letter(name) || strchr(taken, name) != NULL || !take(&rest, name, &value))
            return false;
    }
    return true;
}

static bool is_nonce(const struct scram *s, struct smtp_text nonce)
{
    if (nonce.len <= s->nonce_len) return false;
    for (size_t i = 0; i < nonce.len; i++)
        if (nonce.data[i] < '!' || nonce.data[i] > '~') return false;
    return memcmp(nonce.data, s->text + s->nonce_at, s->nonce_len) == 0;
}

/* Reads a posit-number, which has neither a sign nor a leading zero; a number beyond all bounds is
 * UINT32_MAX. Returns 0 where it is malformed. */
static uint32_t read_count(struct smtp_text text)
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]) || text.data[0] == '0') return 0;
        count = i < ITERATION_DIGITS ? count * 10 + (uint32_t)(text.data[i] - '0') : UINT32_MAX;
    }
    return count;
}

/* Writes our last message without its proof: what binds it to the channel, and the nonce of both
 * sides. */
static void write_final(struct scram *s, struct smtp_text server_first, struct smtp_text nonce)
{
    char bound[SCRAM_NAME_MAX * 3 + SCRAM_BINDING_MAX + 64];
    memcpy(bound, s->text, s->bare_at);
    memcpy(bound + s->bare_at, s->binding, s->binding_len);
    add_words(s, ",");
    add(s, server_first.data, server_first.len);
    add_words(s, ",");
    s->final_at = s->text_len;
    add_words(s, "c=");
    add_base64(s, bound, s->bare_at + s->binding_len);
    add_words(s, ",r=");
    add(s, nonce.data, nonce.len);
}

static const char *take_first(struct scram *s, struct smtp_text challenge)
{
    static const unsigned char one[4] = {0, 0, 0, 1};
    char salt[SCRAM_CHALLENGE_MAX]; /* longer than what its base64 contains, and `one` */
    struct smtp_text rest = challenge, nonce, salt_text, count;
    if (challenge.len > SCRAM_CHALLENGE_MAX || !take(&rest, 'r', &nonce) || !is_nonce(s, nonce) ||
        !take(&rest, 's', &salt_text) || !take(&rest, 'i', &count) || !is_extension(rest))
        return "protocol";
    size_t salt_len;
    uint32_t iterations = read_count(count);
    if (!smtp_base64_decode(salt_text.data, salt_text.len, salt, &salt_len) || salt_len == 0 ||
        iterations == 0)
        return "protocol";
    if (iterations < s->iterations_min || iterations > s->iterations_max) return "iterations";
    write_final(s, challenge, nonce);
    /* The first round of Hi (RFC 5802 2.2): salt and INT(1). */
    memcpy(salt + salt_len, one, sizeof one);
    if (!crypto_mac(s->keyed, (struct smtp_text){salt, salt_len + sizeof one}, s->round))
        return "crypto";
    memcpy(s->salted, s->round, s->hash_len);
    s->iterations_left = iterations - 1;
    s->state = SCRAM_HASHING;
    return NULL;
}

/* ---- hashing ---- */

/* Hashes on, round after round of Hi, for the length of a slice. */
static const char *hash_on(struct scram *s)
{
    int64_t end_us = port_now_us() + SLICE_US;
    for (uint32_t i = 1; s->iterations_left > 0; i++, s->iterations_left--) {
        if (!crypto_mac(s->keyed, (struct smtp_text){(char *)s->round, s->hash_len}, s->round))
            return "crypto";
        for (size_t k = 0; k < s->hash_len; k++)
            s->salted[k] ^= s->round[k];
        if (i % SLICE_ROUNDS == 0 && s->iterations_left > 1 && port_now_us() >= end_us) {
            s->iterations_left--;
            return "again";
        }
    }
    return NULL;
}

/* Computes ClientProof and ServerSignature (RFC 5802 3). */
static const char *prove(struct scram *s, unsigned char proof[CRYPTO_HASH_MAX])
{
    unsigned char key[CRYPTO_HASH_MAX], stored[CRYPTO_HASH_MAX];
    const char *hash = s->hash;
    size_t len = s->hash_len;
    const struct smtp_text salted = {(char *)s->salted, len}, key_bytes = {(char *)key, len};
    const struct smtp_text message = {s->text + s->bare_at, s->text_len - s->bare_at};
    const char *word = crypto_hmac(hash, salted, (struct smtp_text){"Client Key", 10}, key, &len);
    if (word == NULL) word = crypto_digest(hash, key_bytes, stored, &len);
    if (word == NULL)
        word = crypto_hmac(hash, (struct smtp_text){(char *)stored, len}, message, proof, &len);
    for (size_t i = 0; word == NULL && i < len; i++)
        proof[i] ^= key[i];
    if (word == NULL)
        word = crypto_hmac(hash, salted, (struct smtp_text){"Server Key", 10}, key, &len);
    if (word == NULL) word = crypto_hmac(hash, key_bytes, message, s->server, &len);
    wipe(key, sizeof key);
    wipe(stored, sizeof stored);
    wipe(s->salted, sizeof s->salted);
    wipe(s->round, sizeof s->round);
    return word;
}

static const char *answer_first(struct scram *s, struct smtp_text *answer)
{
    unsigned char proof[CRYPTO_HASH_MAX];
    const char *word = hash_on(s);
    if (word == NULL) word = prove(s, proof);
    if (word != NULL) return word;
    EVP_MAC_CTX_free(s->keyed);
    s->keyed = NULL;
    add_words(s, ",p=");
    add_base64(s, proof, s->hash_len);
    wipe(proof, sizeof proof);
    *answer = (struct smtp_text){s->text + s->final_at, s->text_len - s->final_at};
    s->state = SCRAM_FINAL;
    return NULL;
}

/* ---- the server's proof ---- */

/* After an error (e=…) the server refuses by itself: the answer is empty, and its reply follows. */
static const char *take_final(struct scram *s, struct smtp_text challenge, bool *content)
{
    char signature[SCRAM_CHALLENGE_MAX];
    size_t len;
    struct smtp_text rest = challenge, value;
    if (challenge.len > SCRAM_CHALLENGE_MAX) return "protocol";
    s->state = SCRAM_OVER;
    if (take(&rest, 'e', &value)) return NULL;
    rest = challenge;
    if (!take(&rest, 'v', &value) || !is_extension(rest)) return "protocol";
    if (!smtp_base64_decode(value.data, value.len, signature, &len) || len != s->hash_len ||
        CRYPTO_memcmp(signature, s->server, len) != 0)
        return "server_not_authentic";
    s->state = SCRAM_CONTENT;
    *content = true;
    return NULL;
}

const char *scram_step(struct scram *s, struct smtp_text challenge, struct smtp_text *answer,
                       bool *content)
{
    const char *word = NULL;
    *content = false;
    *answer = (struct smtp_text){"", 0};
    if (s->state == SCRAM_FIRST) word = take_first(s, challenge);
    if (word == NULL && s->state == SCRAM_HASHING)
        word = answer_first(s, answer);
    else if (word == NULL && s->state == SCRAM_FINAL)
        word = take_final(s, challenge, content);
    else if (word == NULL)
        word = "protocol";
    if (word != NULL && strcmp(word, "again") != 0) s->state = SCRAM_OVER;
    return word;
}

void scram_drop(struct scram *s)
{
    EVP_MAC_CTX_free(s->keyed);
    wipe(s, sizeof *s);
    s->state = SCRAM_OVER;
}
