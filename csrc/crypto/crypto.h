/* crypto.h - the inside of smtp.crypto: what needs libcrypto. No Lua, no sockets, nothing global.
 *
 * A function that can fail returns a stable word (a string constant) or NULL for success:
 *
 *   again                 call once more with the same arguments; so much at a time is enough
 *   protocol, iterations, server_not_authentic     the peer's fault: reasons of AuthRejectedError
 *   crypto                libcrypto would not: a hash it does not have, no memory
 */
#ifndef CRYPTO_H
#define CRYPTO_H

#include "../port.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum {
    CRYPTO_HASH_MAX = EVP_MAX_MD_SIZE,
    SCRAM_NAME_MAX = 1024,      /* octets of a user name or identity, prepared */
    SCRAM_BINDING_MAX = 128,    /* octets of channel binding data */
    SCRAM_NONCE_MAX = 64,       /* octets of our nonce */
    SCRAM_CHALLENGE_MAX = 3072, /* octets of a server's message */
    SCRAM_TEXT_MAX = 24576
};

struct bytes {
    const char *data;
    size_t len;
};

/* hash.c: what one call of libcrypto gives. `hash` is a name of its: "SHA256". */
const char *crypto_hmac(const char *hash, struct bytes key, struct bytes data,
                        unsigned char out[CRYPTO_HASH_MAX], size_t *out_len);
const char *crypto_digest(const char *hash, struct bytes data, unsigned char out[CRYPTO_HASH_MAX],
                          size_t *out_len);
/* An HMAC that is keyed once and used many times; NULL where libcrypto has no such hash. */
EVP_MAC_CTX *crypto_keyed(const char *hash, struct bytes key);
/* One use of it. */
bool crypto_mac(EVP_MAC_CTX *keyed, struct bytes data, unsigned char out[CRYPTO_HASH_MAX]);

/* cram_md5.c: the answer of RFC 2195 2: name, space, 32 hex digits. `out` has room for the name and
 * 33 octets more. */
const char *cram_md5_answer(struct bytes username, struct bytes password, struct bytes challenge,
                            char *out, size_t *out_len);

/* saslprep.c: RFC 4013 by libidn, which is opened when it is first needed. *out is to be freed with
 * saslprep_free. Returns NULL, "saslprep_unavailable" or "saslprep". Plain ASCII needs no libidn.
 */
const char *saslprep(struct bytes text, char **out);
void saslprep_free(char *text);

/* scram.c: the client's side of SCRAM (RFC 5802). */
struct scram_settings {
    const char *hash;
    struct bytes username, password, authzid; /* prepared; authzid may be empty */
    char flag;                                /* of GS2 (RFC 5802 6): n, y or p */
    struct bytes binding_type, binding;       /* with p: "tls-exporter", its data */
    struct bytes nonce;                       /* printable, no comma */
    uint32_t iterations_min, iterations_max;
};

struct scram {
    enum { SCRAM_FIRST, SCRAM_HASHING, SCRAM_FINAL, SCRAM_CONTENT, SCRAM_OVER } state;
    char hash[16];
    size_t hash_len;
    uint32_t iterations_min, iterations_max, iterations_left;
    EVP_MAC_CTX *keyed; /* with the password */
    /* The GS2 header, our first message, the server's, and our last without its proof, joined by
     * commas: from bare_at on it is the AuthMessage of RFC 5802 3. */
    char text[SCRAM_TEXT_MAX];
    size_t bare_at, first_len, final_at, text_len;
    size_t nonce_at, nonce_len;
    size_t binding_len;
    char binding[SCRAM_BINDING_MAX];
    unsigned char round[CRYPTO_HASH_MAX], salted[CRYPTO_HASH_MAX], server[CRYPTO_HASH_MAX];
};

/* `s` is zeroed memory. NULL or "crypto"; the lengths above are the caller's to check. */
const char *scram_begin(struct scram *s, const struct scram_settings *settings);
struct bytes scram_first(const struct scram *s);
/* Takes a challenge; the answer points into `s`. After "again" it hashes on. *content: the server
 * has proved itself. */
const char *scram_step(struct scram *s, struct bytes challenge, struct bytes *answer,
                       bool *content);
/* Frees and wipes. */
void scram_drop(struct scram *s);

#pragma GCC visibility pop

#endif
