/* hash.c - HMAC and digests, as libcrypto has them; SHA-256 of what comes in pieces. */
#include "crypto.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

static struct smtp_text or_empty(struct smtp_text b)
{
    return b.data != NULL ? b : (struct smtp_text){"", 0};
}

EVP_MAC_CTX *crypto_keyed(const char *hash, struct smtp_text key)
{
    char name[16] = "";
    memcpy(name, hash, strnlen(hash, sizeof name - 1));
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                            OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *keyed = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    key = or_empty(key);
    if (keyed == NULL) return NULL;
    if (EVP_MAC_init(keyed, (const unsigned char *)key.data, key.len, params) == 1) return keyed;
    EVP_MAC_CTX_free(keyed);
    return NULL;
}

bool crypto_mac(EVP_MAC_CTX *keyed, struct smtp_text data, unsigned char out[CRYPTO_HASH_MAX])
{
    size_t len;
    return EVP_MAC_init(keyed, NULL, 0, NULL) == 1 && /* the key stays */
           EVP_MAC_update(keyed, (const unsigned char *)data.data, data.len) == 1 &&
           EVP_MAC_final(keyed, out, &len, CRYPTO_HASH_MAX) == 1;
}

const char *crypto_hmac(const char *hash, struct smtp_text key, struct smtp_text data,
                        unsigned char out[CRYPTO_HASH_MAX], size_t *out_len)
{
    EVP_MAC_CTX *keyed = crypto_keyed(hash, key);
    if (keyed == NULL) return "crypto";
    bool made = crypto_mac(keyed, or_empty(data), out);
    *out_len = EVP_MAC_CTX_get_mac_size(keyed);
    EVP_MAC_CTX_free(keyed);
    return made ? NULL : "crypto";
}

const char *crypto_digest(const char *hash, struct smtp_text data,
                          unsigned char out[CRYPTO_HASH_MAX], size_t *out_len)
{
    data = or_empty(data);
    int made = EVP_Q_digest(NULL, hash, NULL, data.data, data.len, out, out_len);
    return made == 1 ? NULL : "crypto";
}

/* ---- pieces ---- */

void crypto_hash_begin(struct crypto_hash *h)
{
    h->digest = EVP_MD_CTX_new();
    h->failed = h->digest == NULL || EVP_DigestInit_ex(h->digest, EVP_sha256(), NULL) != 1;
}

static void update(struct crypto_hash *h, const char *data, size_t len)
{
    if (!h->failed && len > 0) h->failed = EVP_DigestUpdate(h->digest, data, len) != 1;
}

void crypto_hash_put(struct crypto_hash *h, const char *data, size_t len)
{
    if (len > sizeof h->pieces - h->len) {
        update(h, h->pieces, h->len);
        h->len = 0;
    }
    if (len > sizeof h->pieces) {
        update(h, data, len);
        return;
    }
    memcpy(h->pieces + h->len, data, len);
    h->len += len;
}

const char *crypto_hash_end(struct crypto_hash *h, unsigned char out[CRYPTO_HASH_LEN])
{
    update(h, h->pieces, h->len);
    if (!h->failed) h->failed = EVP_DigestFinal_ex(h->digest, out, NULL) != 1;
    const char *word = h->failed ? "crypto" : NULL;
    crypto_hash_drop(h);
    return word;
}

void crypto_hash_drop(struct crypto_hash *h)
{
    EVP_MD_CTX_free(h->digest);
    h->digest = NULL;
    h->failed = true;
    h->len = 0;
}
