/* tls.c - one TLS connection, through memory BIOs: the socket I/O stays ours, so that a reset is an
 * error value (SSL_set_fd would be killed by SIGPIPE) and every wait has its deadline. */
#include "socket.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum {
    GATHER_LEN = 65536, /* plaintext whose records go out in one write */
    TURN_LEN = 65536,   /* ciphertext without data that one call takes, before others have a turn */
    /* Records and messages without data in the life of a connection. A handshake has thirty; after
     * it come two tickets, and a KeyUpdate each few GiB. Those without end are an attack, which
     * OpenSSL would follow for as long as input comes. */
    STRAYS_MAX = 1000
};

struct tls {
    SSL *ssl;
    BIO *heard, *said; /* ciphertext on its way in and out; owned by ssl */
    struct tls_context *context;
    unsigned char key[TLS_KEY_LEN]; /* of sessions for this server and name */
    size_t pending_len; /* plaintext encrypted, its records not yet all with the kernel */
    size_t strays;      /* records and messages heard, but those with data */
    bool open, dead;
    bool heard_any;
    const char *end, *why; /* once dead: the word for it, and a sentence; NULL: of no interest */
    char names[160];       /* of a certificate that was refused */
};

/* ---- certificates ---- */

/* Called by OpenSSL for each certificate; decides nothing, but remembers names for the error. */
int tls_verified(int ok, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = ssl != NULL ? SSL_get_app_data(ssl) : NULL;
    if (!ok && t != NULL && t->names[0] == '\0')
        certificate_names(X509_STORE_CTX_get0_cert(ctx), ", ", t->names, sizeof t->names);
    return ok;
}

static const char *certificate_word(long result)
{
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return "certificate:expired";
    case X509_V_ERR_CERT_NOT_YET_VALID: return "certificate:not_yet_valid";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return "certificate:wrong_host";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "certificate:self_signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return "certificate:unknown_issuer";
    case X509_V_ERR_OUT_OF_MEM: return "system";
    case X509_V_ERR_CERT_REVOKED: return "certificate:revoked";
    case X509_V_ERR_INVALID_PURPOSE: return "certificate:bad_purpose";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK: return "certificate:weak";
    default: return "certificate:untrusted";
    }
}

static bool has_pinned_key(const struct tls *t)
{
    const struct tls_context *c = t->context;
    unsigned char digest[TLS_PIN_LEN];
    if (c->pin_count == 0) return true;
    if (!certificate_key(SSL_get0_peer_certificate(t->ssl), digest)) return false;
    for (int i = 0; i < c->pin_count; i++)
        if (memcmp(digest, c->pin[i], TLS_PIN_LEN) == 0) return true;
    return false;
}

/* Of what OpenSSL has verified, time is all that can change: a session is kept for one context and
 * one name. */
static long verify_again(SSL *ssl)
{
    long result = SSL_get_verify_result(ssl);
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (result != X509_V_OK) return result;
    if (certificate == NULL) return X509_V_ERR_UNSPECIFIED;
    return X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0 ? X509_V_OK
                                                                      : X509_V_ERR_CERT_HAS_EXPIRED;
}

/* A resumed session shows no certificate: OpenSSL takes the one it began with, and what
 * verification said then. So both are looked at before a session is offered, and after every
 * handshake that resumed none. */
static const char *distrust(struct smtp_socket *s)
{
    struct tls *t = s->tls;
    if (t->context->server) return NULL;
    long result = t->context->verify ? verify_again(t->ssl) : X509_V_OK;
    if (result != X509_V_OK)
        return host_say(s->text, certificate_word(result), "%s",
                        X509_verify_cert_error_string(result));
    if (has_pinned_key(t)) return NULL;
    return host_say(s->text, "certificate:pin_mismatch", "its key is not pinned");
}

/* ---- sessions ---- */

/* With the process in it: a forked child leaves its parent's sessions alone, for a ticket of
 * TLS 1.3 is for one use (RFC 8446, C.4). */
static bool make_key(const struct smtp_socket *s, const char *name)
{
    char text[sizeof s->target + HOST_NAME_LEN_MAX + 32];
    int len = snprintf(text, sizeof text, "%ld %s %s", (long)s->pid, s->target, name);
    return len > 0 && (size_t)len < sizeof text &&
           EVP_Digest(text, (size_t)len, s->tls->key, NULL, EVP_sha256(), NULL) == 1;
}

/* TLS 1.3 gives sessions after the handshake, when the first reply is read or later (RFC 8446,
 * 4.6.1); several, if it likes. */
int tls_given_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);
    return tls_session_keep(t->context, t->key, session);
}

static void offer_session(struct smtp_socket *s)
{
    SSL *ssl = s->tls->ssl;
    SSL_SESSION *session = tls_session_take(s->tls->context, s->tls->key);
    if (session == NULL) return;
    if (SSL_set_session(ssl, session) != 1 || distrust(s) != NULL) SSL_set_session(ssl, NULL);
    SSL_SESSION_free(session);
}

/* Until TLS 1.2 a session is for many uses, and may come without a new one. */
static void keep_session(struct tls *t)
{
    if (SSL_session_reused(t->ssl) == 0 || SSL_version(t->ssl) >= TLS1_3_VERSION) return;
    SSL_SESSION *session = SSL_get1_session(t->ssl);
    if (!tls_session_keep(t->context, t->key, session)) SSL_SESSION_free(session);
}

/* ---- ciphertext to and from the socket ---- */

static void forget_said(struct tls *t, size_t len, size_t all)
{
    char trash[4096];
    if (len == all) {
        (void)BIO_reset(t->said);
        return;
    }
    while (len > 0) {
        int n = BIO_read(t->said, trash, (int)(len < sizeof trash ? len : sizeof trash));
        if (n <= 0) return;
        len -= (size_t)n;
    }
}

/* NULL with *flushed: all is with the kernel. NULL without: there is something to read first. */
static const char *flush(struct smtp_socket *s, int64_t deadline_ms, bool *flushed)
{
    struct tls *t = s->tls;
    for (;;) {
        char *data;
        size_t len = (size_t)BIO_get_mem_data(t->said, &data);
        *flushed = len == 0;
        if (len == 0) return NULL;
        size_t written;
        const char *word = stream_write(s, data, len, deadline_ms, &written);
        if (word != NULL || written == 0) return word;
        forget_said(t, written, len);
    }
}

/* Called by OpenSSL for each record and for each message within one. */
static void count_stray(int written, int version, int type, const void *data, size_t len, SSL *ssl,
                        void *arg)
{
    struct tls *t = arg;
    (void)version, (void)data, (void)len, (void)ssl;
    if (!written && (type == SSL3_RT_HEADER || type == SSL3_RT_HANDSHAKE)) t->strays++;
}

/* May this call, which took so much ciphertext without data, go on? */
static const char *check_turn(struct smtp_socket *s, size_t taken, int64_t deadline_ms)
{
    struct tls *t = s->tls;
    if (t->strays > STRAYS_MAX) {
        t->dead = true;
        t->end = "protocol";
        t->why = "the peer sends TLS messages without end, and no data";
        return host_say(s->text, t->end, "%s", t->why);
    }
    if (taken == 0) return NULL;
    if (host_is_over(deadline_ms)) return host_say(s->text, "timeout", "TLS brought no data");
    return taken < TURN_LEN ? NULL : stream_put_off(s, POLLIN, deadline_ms);
}

/* More ciphertext. *taken: how much this call took before. */
static const char *fill(struct smtp_socket *s, int64_t deadline_ms, size_t *taken)
{
    size_t len = 0;
    const char *word = check_turn(s, *taken, deadline_ms);
    if (word == NULL) word = stream_read(s, HOST_INPUT_MAX, deadline_ms, &len);
    if (word != NULL) return word;
    *taken += len;
    if (BIO_write(s->tls->heard, s->in, (int)len) == (int)len) return NULL;
    return host_say(s->text, "system", "no memory");
}

/* ---- the handshake ---- */

static bool is_address(const char *name)
{
    struct address address;
    return address_parse(&address, name, 0);
}

static bool set_name(struct tls *t, const char *name)
{
    char bare[HOST_NAME_LEN_MAX];
    size_t len = strlen(name);
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (len == 0 || len >= sizeof bare) return false;
    memcpy(bare, name, len + 1);
    if (is_address(bare)) {
        if (bare[0] == '[') {
            memmove(bare, bare + 1, len);
            bare[len - 2] = '\0';
        }
        return X509_VERIFY_PARAM_set1_ip_asc(param, bare) == 1;
    }
    if (bare[len - 1] == '.') bare[--len] = '\0'; /* the name of SNI has no dot at its end */
    return X509_VERIFY_PARAM_set1_host(param, bare, len) == 1 &&
           SSL_set_tlsext_host_name(t->ssl, bare) == 1;
}

static const char *begin(struct smtp_socket *s, struct tls_context *c, const char *name)
{
    if (s->in_start < s->in_end)
        return host_say(s->text, "tls:injected",
                        "plain text waits to be read before the handshake");
    const char *word = stream_input(s);
    if (word != NULL) return word;
    struct tls *t = calloc(1, sizeof *t);
    if (t == NULL) return host_say(s->text, "system", "no memory");
    s->tls = t;
    s->pid = getpid();
    t->context = c;
    t->ssl = SSL_new(c->ctx);
    t->heard = BIO_new(BIO_s_mem());
    t->said = BIO_new(BIO_s_mem());
    if (t->ssl == NULL || t->heard == NULL || t->said == NULL) {
        BIO_free(t->heard);
        BIO_free(t->said);
        t->dead = true;
        return host_say(s->text, "system", "no memory");
    }
    BIO_set_mem_eof_return(t->heard, -1);
    SSL_set_bio(t->ssl, t->heard, t->said);
    SSL_set_app_data(t->ssl, t);
    SSL_set_msg_callback(t->ssl, count_stray);
    SSL_set_msg_callback_arg(t->ssl, t);
    if (c->server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    if ((name != NULL && !set_name(t, name)) || !make_key(s, name != NULL ? name : ""))
        return host_say(s->text, "tls:handshake", "%s is no name that a certificate can be for",
                        name);
    if (!c->server) offer_session(s);
    return NULL;
}

static const char *handshake_word(unsigned long error)
{
    switch (ERR_GET_REASON(error)) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_PROTOCOLS_AVAILABLE: return "tls:version";
    case SSL_R_RECORD_TOO_SMALL: /* empty records, or warnings, without end */
    case SSL_R_TOO_MANY_WARN_ALERTS: return "protocol";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST: return "tls:plaintext";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA: return "tls:client_certificate";
    default: return "tls:handshake";
    }
}

static const char *judge(struct smtp_socket *s)
{
    struct tls *t = s->tls;
    unsigned long error = ERR_peek_error();
    long result = SSL_get_verify_result(t->ssl);
    if (!t->context->server && t->context->verify && result != X509_V_OK)
        return host_say(s->text, certificate_word(result), "%s%s%s",
                        X509_verify_cert_error_string(result),
                        t->names[0] != '\0' ? "; the certificate is for " : "", t->names);
    const char *why = error != 0 ? ERR_reason_error_string(error) : NULL;
    return host_say(s->text, handshake_word(error), "%s",
                    why != NULL ? why : "the peer ended the handshake");
}

/* To verify a certificate takes memory, and descriptors where ca_path is a directory. */
static const char *explain(struct smtp_socket *s)
{
    const char *word = judge(s);
    int lack = tls_lack();
    return lack == 0 ? word : host_say(s->text, "system", "%s", strerror(lack));
}

static const char *fail(struct smtp_socket *s, const char *word)
{
    bool flushed;
    s->tls->dead = true;
    (void)flush(s, 0, &flushed); /* the alert, so that the peer knows why */
    ERR_clear_error();
    return word;
}

/* A peer that speaks first, and not in records, has no TLS on this port. */
static bool is_plaintext(struct tls *t)
{
    char *data;
    if (t->heard_any || BIO_get_mem_data(t->heard, &data) <= 0) return false;
    t->heard_any = true;
    return data[0] != 0x14 && data[0] != 0x15 && data[0] != 0x16;
}

static const char *distrust_new(struct smtp_socket *s)
{
    return SSL_session_reused(s->tls->ssl) ? NULL : distrust(s);
}

/* One step of the handshake, and one wait for the peer. *done: there is nothing more to do. A
 * client's last words are sent with its first data, or before it reads. */
static const char *shake_once(struct smtp_socket *s, int64_t deadline_ms, size_t *taken, bool *done)
{
    struct tls *t = s->tls;
    bool flushed = false;
    ERR_clear_error();
    int result = SSL_do_handshake(t->ssl);
    int want = SSL_get_error(t->ssl, result);
    *done = result == 1;
    if (!*done && want != SSL_ERROR_WANT_READ) return fail(s, explain(s));
    const char *word = *done ? distrust_new(s) : NULL;
    if (word != NULL) return fail(s, word);
    if (*done && !t->context->server) return NULL;
    word = flush(s, deadline_ms, &flushed);
    *done = *done && flushed;
    if (word == NULL && !*done) word = fill(s, deadline_ms, taken);
    if (word != NULL || *done || !is_plaintext(t)) return word;
    return fail(s, host_say(s->text, "tls:plaintext", "the peer does not speak TLS"));
}

static const char *shake(struct smtp_socket *s, int64_t deadline_ms)
{
    bool done = false;
    size_t taken = 0;
    const char *word = NULL;
    while (word == NULL && !done)
        word = shake_once(s, deadline_ms, &taken, &done);
    return word;
}

bool tls_uses(const struct smtp_socket *s, const struct tls_context *c)
{
    return s->tls != NULL && s->tls->context == c;
}

const char *tls_handshake(struct smtp_socket *s, struct tls_context *c, const char *name)
{
    const char *word = NULL;
    if (s->fd < 0) return host_say(s->text, "closed", "not connected");
    if (s->tls != NULL && (s->tls->open || s->tls->dead || !tls_uses(s, c)))
        return host_say(s->text, "tls:handshake", "TLS was begun on this connection before");
    if (s->tls == NULL) word = begin(s, c, name);
    if (word == NULL) word = shake(s, stream_deadline_ms(s, s->connect_ms));
    if (s->tls == NULL || (word != NULL && strcmp(word, "again") == 0)) return word;
    s->tls->open = word == NULL;
    s->tls->dead = word != NULL;
    if (word == NULL)
        keep_session(s->tls);
    else
        tls_session_forget(c, s->tls->key); /* whatever it was: the next handshake is a full one */
    return word;
}

/* ---- records ---- */

static const char *ended(struct smtp_socket *s)
{
    const struct tls *t = s->tls;
    if (t->end == NULL) return host_say(s->text, "closed", "TLS has ended");
    return host_say(s->text, t->end, "%s", t->why);
}

/* In TLS 1.3 a client has shaken hands before the server looks at its certificate, or misses it:
 * what the server thinks of that is heard instead of its first words. */
static const char *refused(struct smtp_socket *s)
{
    struct tls *t = s->tls;
    unsigned long error = ERR_peek_error();
    const char *word = handshake_word(error), *why = ERR_reason_error_string(error);
    bool telling = strcmp(word, "tls:client_certificate") == 0 || strcmp(word, "protocol") == 0;
    t->end = telling ? word : "closed";
    t->why = telling && why != NULL ? why : "the peer sent a bad TLS record";
    int lack = tls_lack();
    if (lack != 0) {
        t->end = "system";
        t->why = strerror(lack);
    }
    return ended(s);
}

static const char *seal(struct smtp_socket *s, const unsigned char *data, size_t len)
{
    struct tls *t = s->tls;
    ERR_clear_error();
    if (SSL_write(t->ssl, data, (int)len) == (int)len) {
        t->pending_len = len;
        return NULL;
    }
    t->dead = true;
    int lack = tls_lack();
    if (lack != 0) return host_say(s->text, "system", "%s", strerror(lack));
    return host_say(s->text, "closed", "%s", "TLS failed while writing");
}

const char *tls_send(struct smtp_socket *s, const void *data, size_t len, int64_t deadline_ms,
                     size_t *sent)
{
    struct tls *t = s->tls;
    if (!t->open || t->dead) return ended(s);
    while (*sent < len) {
        bool flushed;
        const char *word = NULL;
        size_t left = len - *sent;
        if (t->pending_len == 0)
            word =
                seal(s, (const unsigned char *)data + *sent, left < GATHER_LEN ? left : GATHER_LEN);
        if (word == NULL) word = flush(s, deadline_ms, &flushed);
        if (word != NULL) return word;
        if (!flushed) return NULL;
        *sent += t->pending_len;
        t->pending_len = 0;
    }
    return NULL;
}

/* SSL_read had no data, for the reason `want`. NULL: more ciphertext has come. *taken: how much of
 * it this call has read. */
static const char *receive_more(struct smtp_socket *s, int want, int64_t deadline_ms, size_t *taken)
{
    struct tls *t = s->tls;
    bool flushed;
    if (want == SSL_ERROR_WANT_READ) {
        /* A KeyUpdate may require an answer, but reading does not wait for it. */
        const char *word = flush(s, 0, &flushed);
        if (word != NULL && strcmp(word, "closed") != 0 && strcmp(word, "timeout") != 0)
            return word;
        return fill(s, deadline_ms, taken);
    }
    t->dead = true;
    if (want != SSL_ERROR_ZERO_RETURN) {
        tls_session_forget(t->context, t->key);
        return refused(s);
    }
    SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN); /* so that the session can be resumed */
    return host_say(s->text, "closed", "the peer ended TLS");
}

const char *tls_receive(struct smtp_socket *s, int64_t deadline_ms)
{
    struct tls *t = s->tls;
    const char *word = NULL;
    size_t taken = 0;
    if (!t->open || t->dead) return ended(s);
    while (word == NULL) {
        ERR_clear_error();
        int n = SSL_read(t->ssl, s->in, HOST_INPUT_MAX);
        if (n > 0) {
            s->in_start = 0;
            s->in_end = (size_t)n;
            if (t->strays > 0) t->strays--; /* the record of the data */
            return NULL;
        }
        word = receive_more(s, SSL_get_error(t->ssl, n), deadline_ms, &taken);
    }
    return word;
}

bool tls_describe(const struct smtp_socket *s, struct tls_info *info)
{
    const struct tls *t = s->tls;
    if (t == NULL || !t->open) return false;
    info->version = SSL_get_version(t->ssl);
    info->cipher = SSL_get_cipher_name(t->ssl);
    info->verified = t->context->verify && SSL_get_verify_result(t->ssl) == X509_V_OK;
    info->resumed = SSL_session_reused(t->ssl) == 1;
    return true;
}

struct ssl_st *tls_connection(const struct smtp_socket *s)
{
    const struct tls *t = s->tls;
    return t != NULL && t->open && !t->dead ? t->ssl : NULL;
}

void tls_say_goodbye(struct smtp_socket *s)
{
    bool flushed;
    struct tls *t = s->tls;
    if (!t->open || t->dead || t->pending_len > 0) return;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    (void)flush(s, 0, &flushed);
    ERR_clear_error();
}

void tls_drop(struct smtp_socket *s)
{
    if (s->tls == NULL) return;
    SSL_free(s->tls->ssl);
    free(s->tls);
    s->tls = NULL;
}
