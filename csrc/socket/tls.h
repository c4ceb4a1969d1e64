/* tls.h - the inside of smtp.tls, TLS on sockets by OpenSSL: connections, handshakes, certificates,
 * settings, sessions.
 * The words that are returned are explained in socket.h. */
#ifndef TLS_H
#define TLS_H

#include "../openssl3.h"

#include "socket.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#pragma GCC visibility push(hidden)

enum {
    TLS_PIN_LEN = 32,
    TLS_KEY_LEN = 32,
    TLS_RECORD_LEN = 16384, /* plaintext of the longest record */
    TLS_GATHERED = 4        /* records that go out in one write */
};

/* One connection. */
struct tls {
    SSL *ssl;
    BIO *heard, *said; /* ciphertext on its way in and out; owned by ssl */
    size_t said_at;    /* so much of `said` is with the kernel */
    struct tls_context *context;
    unsigned char key[TLS_KEY_LEN]; /* of sessions for this server and name */
    int64_t until;                  /* of a session that is resumed: see tls_session_keep */
    size_t pending_len;             /* plaintext of records that are not wholly with the kernel */
    size_t ends[TLS_GATHERED];      /* where in `said` the records end that were made together */
    int pending_at;                 /* the first one of these that is not wholly with the kernel */
    size_t strays; /* records and messages that were heard, except those with data */
    bool open, dead;
    bool heard_any;
    const char *end; /* once dead: the word for it; the socket's text explains it */
    bool asked;      /* the server asked for a certificate of ours */
    bool nameless;   /* that certificate names no host */
    char fault[320]; /* what is wrong with a certificate that was refused */
};

/* Empties OpenSSL's list of errors, as must be before each call whose failure it explains. It is
 * empty already, most likely, and to find that out takes a tenth of the time. */
static inline void tls_forget_errors(void)
{
    if (ERR_peek_error() != 0) ERR_clear_error();
}

/* tls.c: also what sockets call, see struct tls_calls. */
/* Begins TLS on the socket, without a byte sent. */
const char *tls_open(struct smtp_socket *s, struct tls_context *c);
/* Writes ciphertext. NULL with *flushed: all is with the kernel. NULL without: there is something
 * to read first. */
const char *tls_flush(struct smtp_socket *s, int64_t deadline_ms, bool *flushed);
/* Reads more ciphertext. *taken: how much this call of the user's took before. */
const char *tls_fill(struct smtp_socket *s, int64_t deadline_ms, size_t *taken);
/* Returns the connection once the handshake is done, else NULL. */
SSL *tls_connection(const struct smtp_socket *s);

/* handshake.c */
/* `name`: what the certificate must be for (NULL: not checked). Call again after "again". */
const char *tls_handshake(struct smtp_socket *s, struct tls_context *c, const char *name);
/* Returns the word for an error of OpenSSL's, in the handshake or later. */
const char *handshake_word(const struct tls *t, unsigned long error);
/* Writes what such an error means, for a person. */
void handshake_reason(unsigned long error, char text[SOCKET_TEXT_MAX]);
/* For SSL_CTX_set_cert_cb: notes that the server asked for a certificate. */
int tls_asked(SSL *ssl, void *unused);
/* For SSL_CTX_set_verify: keeps what is wrong with a certificate that is refused. */
int tls_verified(int ok, X509_STORE_CTX *store);
/* Returns when the first certificate that was verified ends, in seconds since 1970; INT64_MAX where
 * none was. */
int64_t tls_verified_until(const struct tls *t);
/* For SSL_CTX_sess_set_new_cb: keeps what the server gave, for the next connection to it. */
int tls_given_session(SSL *ssl, SSL_SESSION *session);

/* binding.c */
struct tls_binding {
    const char *type; /* "tls-exporter", "tls-unique", "tls-server-end-point" */
    size_t len;
    unsigned char data[64];
};

/* Returns false where there is no TLS, or no binding can be made of it. */
bool tls_bind(const struct smtp_socket *s, struct tls_binding *b);

/* certificate.c */
/* Writes the DNS names and addresses of a certificate, printable, with `separator` between two.
 * Those that do not fit are left out. Returns how many these are. */
int certificate_names(const X509 *certificate, const char *separator, char *out, size_t out_max);
/* Makes the SHA-256 of its public key (RFC 7469 2.4). Returns false where there is no certificate.
 */
bool certificate_key(X509 *certificate, unsigned char digest[TLS_PIN_LEN]);
/* Writes a distinguished name (RFC 4514). All but printable ASCII is escaped, so that a terminal
 * may show it. */
void certificate_distinguished(const X509_NAME *name, char *out, size_t out_max);
/* Returns seconds since 1970; 0 for a time that cannot be read. */
int64_t certificate_seconds(const ASN1_TIME *time);
/* Returns when the first of these ends, in such seconds. */
int64_t certificate_first_end(const STACK_OF(X509) * chain);

/* fault.c */
/* Returns the word for what OpenSSL found. */
const char *certificate_word(long result);
/* Writes what is wrong with a certificate, for a person: `result` is what OpenSSL found, `depth`
 * how far it is from the server's own. */
void certificate_fault(long result, int depth, X509 *certificate, char *out, size_t out_max);

/* tls_context.c: settings, made once and used by many connections. */
struct tls_context {
    SSL_CTX *ctx; /* NULL: not made yet */
    bool verify, server;
    bool has_pin;
    unsigned char pin[TLS_PIN_LEN];
    struct tls_session *sessions; /* the newest first */
    char text[SOCKET_TEXT_MAX];
};

struct tls_settings {
    bool verify, server, tls13_only, tls12_only;
    const char *ca_file, *ca_path, *cert, *key; /* NULL: not given */
};

/* Says why OpenSSL failed: `word` and `why`, or "system" where it noted that this machine lacks
 * descriptors or memory. Forgets what it noted. */
const char *tls_blame(char text[SOCKET_TEXT_MAX], const char *word, const char *why);
/* These return NULL, or the name of the option that is wrong, or "system". */
const char *tls_context_open(struct tls_context *c, const struct tls_settings *settings);
const char *tls_context_pin(struct tls_context *c, const char *base64, size_t len);
void tls_context_close(struct tls_context *c);

/* tls_session.c: sessions to resume, by a hash of where they lead to. */
/* `until`: when the first certificate that was verified for it ends, in seconds since 1970. Returns
 * false where the session is not kept, and still the caller's. */
bool tls_session_keep(struct tls_context *c, const unsigned char key[TLS_KEY_LEN],
                      SSL_SESSION *session, int64_t until);
/* Returns the newest one whose certificates have not ended, for one use, which is now the caller's;
 * or NULL. */
SSL_SESSION *tls_session_take(struct tls_context *c, const unsigned char key[TLS_KEY_LEN],
                              int64_t *until);
/* Drops the sessions under this key; NULL: all of them. */
void tls_session_forget(struct tls_context *c, const unsigned char *key);

#pragma GCC visibility pop

#endif
