/* hash.c - HMAC and digests, as libcrypto has them. */
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
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                            OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *keyed = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    key = or_empty(key);
    memcpy(name, hash, strnlen(hash, sizeof name - 1));
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
