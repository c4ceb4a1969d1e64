/* tls.h - what tls.c and handshake.c share: one TLS connection. */
#ifndef TLS_H
#define TLS_H

#include "socket.h"

#include <openssl/ssl.h>

#pragma GCC visibility push(hidden)

struct tls {
    SSL *ssl;
    BIO *heard, *said; /* ciphertext on its way in and out; owned by ssl */
    size_t said_at;    /* so much of `said` is with the kernel */
    struct tls_context *context;
    unsigned char key[TLS_KEY_LEN]; /* of sessions for this server and name */
    size_t pending_len; /* plaintext that is encrypted, but not wholly with the kernel */
    size_t strays;      /* records and messages that were heard, except those with data */
    bool open, dead;
    bool heard_any;
    const char *end; /* once dead: the word for it; the socket's text explains it */
    bool asked;      /* the server asked for a certificate of ours */
    bool nameless;   /* that certificate names no host */
    char fault[320]; /* what is wrong with a certificate that was refused */
};

/* Begins TLS on the socket, without a byte sent. */
const char *tls_open(struct smtp_socket *s, struct tls_context *c);
/* Writes ciphertext. NULL with *flushed: all is with the kernel. NULL without: there is something
 * to read first. */
const char *tls_flush(struct smtp_socket *s, int64_t deadline_ms, bool *flushed);
/* Reads more ciphertext. *taken: how much this call of the user's took before. */
const char *tls_fill(struct smtp_socket *s, int64_t deadline_ms, size_t *taken);
/* The word for an error of OpenSSL's, in the handshake or later, and what it means for a person. */
const char *handshake_word(const struct tls *t, unsigned long error);
void handshake_reason(unsigned long error, char text[HOST_TEXT_MAX]);

#pragma GCC visibility pop

#endif
