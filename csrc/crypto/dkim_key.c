/* dkim_key.c - the private keys of DKIM: RSA (RFC 8301) and Ed25519 (RFC 8463). */
#include "crypto.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

/* Asks nothing: a server has no terminal at which a pass phrase could be typed. */
static int note_question(char *buffer, int size, int writing, void *asked)
{
    (void)buffer, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static const char *read_pem(struct smtp_text pem, EVP_PKEY **key)
{
    bool asked = false;
    BIO *text = BIO_new_mem_buf(pem.data, (int)pem.len);
    if (text != NULL) *key = PEM_read_bio_PrivateKey(text, NULL, note_question, &asked);
    bool full = text == NULL || ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
    BIO_free(text);
    if (*key != NULL) return NULL;
    if (full) return "crypto"; /* no memory */
    return asked ? "encrypted" : "unreadable";
}

static const char *check(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "ED25519")) return NULL;
    if (!EVP_PKEY_is_a(key, "RSA")) return "kind";
    int bits = EVP_PKEY_get_bits(key);
    return bits < DKIM_RSA_BITS_MIN || bits > DKIM_RSA_BITS_MAX ? "length" : NULL;
}

/* What libcrypto looks up for each signature otherwise. */
static const char *begin_signing(struct dkim_key *k)
{
    k->algorithm = EVP_PKEY_is_a(k->key, "RSA") ? "rsa-sha256" : "ed25519-sha256";
    if (k->algorithm[0] == 'r') {
        k->rsa = EVP_PKEY_CTX_new(k->key, NULL);
        return k->rsa != NULL && EVP_PKEY_sign_init(k->rsa) == 1 &&
                       EVP_PKEY_CTX_set_rsa_padding(k->rsa, RSA_PKCS1_PADDING) == 1 &&
                       EVP_PKEY_CTX_set_signature_md(k->rsa, EVP_sha256()) == 1
                   ? NULL
                   : "crypto";
    }
    k->ed25519 = EVP_MD_CTX_new();
    k->copy = EVP_MD_CTX_new();
    bool begun = k->ed25519 != NULL && k->copy != NULL &&
                 EVP_DigestSignInit(k->ed25519, NULL, NULL, NULL, k->key) == 1;
    return begun ? NULL : "crypto";
}

/* The errors that libcrypto queues here are removed from its queue; those of other code stay. */
const char *dkim_key_read(struct dkim_key *k, struct smtp_text pem)
{
    if (pem.len > DKIM_PEM_MAX) return "unreadable";
    ERR_set_mark();
    const char *word = read_pem(pem, &k->key);
    if (word == NULL) word = check(k->key);
    if (word == NULL) word = begin_signing(k);
    ERR_pop_to_mark();
    if (word != NULL) dkim_key_drop(k);
    return word;
}

const char *dkim_key_sign(struct dkim_key *k, const unsigned char hash[CRYPTO_HASH_LEN],
                          unsigned char out[DKIM_SIGNATURE_MAX], size_t *out_len)
{
    bool made = false;
    *out_len = DKIM_SIGNATURE_MAX;
    ERR_set_mark();
    if (k->rsa != NULL)
        made = EVP_PKEY_sign(k->rsa, out, out_len, hash, CRYPTO_HASH_LEN) == 1;
    else if (k->ed25519 != NULL)
        made = EVP_MD_CTX_copy_ex(k->copy, k->ed25519) == 1 &&
               EVP_DigestSign(k->copy, out, out_len, hash, CRYPTO_HASH_LEN) == 1;
    ERR_pop_to_mark();
    return made ? NULL : "crypto";
}

void dkim_key_drop(struct dkim_key *k)
{
    EVP_PKEY_CTX_free(k->rsa);
    EVP_MD_CTX_free(k->ed25519);
    EVP_MD_CTX_free(k->copy);
    EVP_PKEY_free(k->key);
    k->rsa = NULL;
    k->ed25519 = k->copy = NULL;
    k->key = NULL;
}
