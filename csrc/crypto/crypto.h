/* crypto.h - the inside of smtp.crypto: what needs libcrypto. No Lua, no sockets, nothing global.
 *
 * A function that can fail returns a stable word (a string constant) or NULL for success:
 *
 *   again                 call once more with the same arguments; so much at a time is enough
 *   protocol, iterations, server_not_authentic     the peer's fault: reasons of AuthRejectedError
 *   unreadable, encrypted, kind, length            what is wrong with a key: see dkim_key_read
 *   crypto                libcrypto would not: a hash it does not have, no memory
 */
#ifndef CRYPTO_H
#define CRYPTO_H

#include "../openssl3.h"
#include "../port.h"
#include "../text/text.h"
#include "../wipe.h"

#include <openssl/evp.h>

#pragma GCC visibility push(hidden)

enum {
    CRYPTO_HASH_MAX = EVP_MAX_MD_SIZE,
    CRYPTO_HASH_LEN = 32,       /* octets of SHA-256 */
    CRYPTO_PIECES_LEN = 1024,   /* octets that are hashed together */
    SCRAM_NAME_MAX = 1024,      /* octets of a user name or identity, prepared */
    SCRAM_BINDING_MAX = 128,    /* octets of channel binding data */
    SCRAM_NONCE_MAX = 64,       /* octets of our nonce */
    SCRAM_CHALLENGE_MAX = 3072, /* octets of a server's message */
    SCRAM_TEXT_MAX = 24576,
    DKIM_PEM_MAX = 65536,      /* octets of a key's text */
    DKIM_RSA_BITS_MIN = 1024,  /* RFC 8301 3.2 */
    DKIM_RSA_BITS_MAX = 16384, /* verifiers do not accept more */
    DKIM_SIGNATURE_MAX = DKIM_RSA_BITS_MAX / 8
};

/* hash.c: what one call of libcrypto gives. `hash` is a name of its: "SHA256". */
const char *crypto_hmac(const char *hash, struct smtp_text key, struct smtp_text data,
                        unsigned char out[CRYPTO_HASH_MAX], size_t *out_len);
const char *crypto_digest(const char *hash, struct smtp_text data,
                          unsigned char out[CRYPTO_HASH_MAX], size_t *out_len);
/* An HMAC that is keyed once and used many times; NULL where libcrypto has no such hash. */
EVP_MAC_CTX *crypto_keyed(const char *hash, struct smtp_text key);
/* One use of it. */
bool crypto_mac(EVP_MAC_CTX *keyed, struct smtp_text data, unsigned char out[CRYPTO_HASH_MAX]);

/* SHA-256 of what comes in pieces, of which short ones are hashed together. `h` is zeroed memory.
 * What fails is reported at the end, which comes once and frees; what is not ended is dropped. */
struct crypto_hash {
    EVP_MD_CTX *digest;
    bool failed;
    size_t len;
    char pieces[CRYPTO_PIECES_LEN];
};

void crypto_hash_begin(struct crypto_hash *h);
void crypto_hash_put(struct crypto_hash *h, const char *data, size_t len);
/* NULL or "crypto". */
const char *crypto_hash_end(struct crypto_hash *h, unsigned char out[CRYPTO_HASH_LEN]);
void crypto_hash_drop(struct crypto_hash *h);

/* saslprep.c: RFC 4013 by libidn, which is opened when it is first needed. *out is to be freed with
 * saslprep_free. Returns NULL, "saslprep_unavailable" or "saslprep". Plain ASCII needs no libidn.
 */
const char *saslprep(struct smtp_text text, char **out);
void saslprep_free(char *text);

/* scram.c: the client's side of SCRAM (RFC 5802). */
struct scram_settings {
    const char *hash;
    struct smtp_text username, password, authzid; /* prepared; authzid may be empty */
    char flag;                                    /* of GS2 (RFC 5802 6): n, y or p */
    struct smtp_text binding_type, binding;       /* with p: "tls-exporter", its data */
    struct smtp_text nonce;                       /* printable, no comma */
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
    size_t bare_at, first_len, final_at, text_len; /* our first message is the first part */
    size_t nonce_at, nonce_len;
    size_t binding_len;
    char binding[SCRAM_BINDING_MAX];
    unsigned char round[CRYPTO_HASH_MAX], salted[CRYPTO_HASH_MAX], server[CRYPTO_HASH_MAX];
};

/* `s` is zeroed memory. NULL or "crypto"; the lengths above are the caller's to check. */
const char *scram_begin(struct scram *s, const struct scram_settings *settings);
/* Takes a challenge; the answer points into `s`. After "again" it hashes on. *content: the server
 * has proved itself. */
const char *scram_step(struct scram *s, struct smtp_text challenge, struct smtp_text *answer,
                       bool *content);
/* Frees and wipes. */
void scram_drop(struct scram *s);

/* dkim_body.c: the two canonicalizations of a body (RFC 6376 3.4.3, 3.4.4) and SHA-256 over them.
 * The pieces may be cut anywhere. A line ends with CRLF, which the caller has made of whatever it
 * had; a CR or LF by itself is a character like any other. What of the body's end counts only where
 * something follows is held back: empty lines and, relaxed, the whitespace at the end of a line. */
struct dkim_body {
    bool relaxed;
    bool after_cr, space, content; /* content: a line that is not empty has been written */
    size_t line_ends;
    struct crypto_hash hash;
};

/* `b` is zeroed memory. */
void dkim_body_begin(struct dkim_body *b, bool relaxed);
void dkim_body_add(struct dkim_body *b, struct smtp_text piece);
/* Once, and nothing is added after it. NULL or "crypto", also for all that failed before. */
const char *dkim_body_end(struct dkim_body *b, unsigned char hash[CRYPTO_HASH_LEN]);
void dkim_body_drop(struct dkim_body *b);

/* dkim_key.c: a private key, with what libcrypto would otherwise prepare again for each signature:
 * the contexts of the algorithm, and in the key the blinding of RSA, which costs as much as a
 * signature. */
struct dkim_key {
    EVP_PKEY *key;
    const char *algorithm; /* "rsa-sha256" or "ed25519-sha256": the tag a= */
    EVP_PKEY_CTX *rsa;
    EVP_MD_CTX *ed25519, *copy; /* a context signs once: each signature is made by a copy */
};

/* Reads a private key from its PEM text, into zeroed memory; there is no prompt for a pass phrase.
 * NULL, "crypto", or
 *
 *   unreadable   no private key is in it, or a damaged one
 *   encrypted    there is one, protected by a pass phrase
 *   kind         neither RSA nor Ed25519
 *   length       RSA, shorter or longer than the bounds above */
const char *dkim_key_read(struct dkim_key *k, struct smtp_text pem);
/* Signs a SHA-256 (RFC 6376 3.3.2, RFC 8463 3). NULL or "crypto". */
const char *dkim_key_sign(struct dkim_key *k, const unsigned char hash[CRYPTO_HASH_LEN],
                          unsigned char out[DKIM_SIGNATURE_MAX], size_t *out_len);
/* Frees and wipes. */
void dkim_key_drop(struct dkim_key *k);

/* dkim.c: the header DKIM-Signature (RFC 6376 3.5). */
struct dkim_signer {
    struct dkim_key *key;
    struct smtp_text domain, selector;
    struct smtp_text identity; /* i=, in dkim-quoted-printable; may be empty */
    bool relaxed_headers, relaxed_body;
    double time,
        expires; /* seconds since 1970; seconds after that, 0: the signature does not expire */
    struct smtp_text body_hash;
    /* The names of the headers that are signed, in this order, each once: "From:a:Date:p:X-Own::".
     * The header is signed once more than it occurs: a, always; p, if it occurs. */
    struct smtp_text rules;
};

struct dkim_field {
    struct smtp_text name, raw; /* raw: "Name: value\r\n", folded or not */
};

struct dkim_headers {
    const struct dkim_field *list;
    size_t count;
};

/* Returns how many octets the header may have. */
size_t dkim_header_max(const struct dkim_signer *s, const struct dkim_headers *headers);
/* Writes the header with its signature over itself, the headers and the hash of the body. `*len`:
 * the room in `out`, then the octets written. NULL or "crypto". */
const char *dkim_header(const struct dkim_signer *s, const struct dkim_headers *headers, char *out,
                        size_t *len);

#pragma GCC visibility pop

#endif
