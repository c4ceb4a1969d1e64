/* handshake.c - the TLS handshake: names, certificates, sessions, and what its failures mean. */
#include "tls.h"

#include <openssl/x509v3.h>

/* OpenSSL calls this for each certificate. It decides nothing, but keeps what is wrong. */
int tls_verified(int ok, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = ssl != NULL ? SSL_get_app_data(ssl) : NULL;
    X509 *certificate = X509_STORE_CTX_get_current_cert(ctx);
    if (certificate == NULL) certificate = X509_STORE_CTX_get0_cert(ctx);
    if (ok || t == NULL || t->fault[0] != '\0' || certificate == NULL) return ok;
    certificate_names(certificate, " ", t->fault, sizeof t->fault);
    t->nameless = t->fault[0] == '\0';
    certificate_fault(X509_STORE_CTX_get_error(ctx), X509_STORE_CTX_get_error_depth(ctx),
                      certificate, t->fault, sizeof t->fault);
    return ok;
}

int tls_asked(SSL *ssl, void *unused)
{
    struct tls *t = SSL_get_app_data(ssl);
    (void)unused;
    if (t != NULL) t->asked = true;
    return 1;
}

static bool has_pinned_key(const struct tls *t)
{
    const struct tls_context *c = t->context;
    unsigned char digest[TLS_PIN_LEN];
    if (!c->has_pin) return true;
    if (!certificate_key(SSL_get0_peer_certificate(t->ssl), digest)) return false;
    return memcmp(digest, c->pin, TLS_PIN_LEN) == 0;
}

/* A resumed session shows no certificate: OpenSSL takes the one it began with, and what
 * verification said then. So both are looked at before a session is offered, and after every
 * handshake that resumed none. */
static const char *distrust(struct smtp_socket *s)
{
    struct tls *t = s->tls;
    if (t->context->server) return NULL;
    X509 *certificate = SSL_get0_peer_certificate(t->ssl);
    long result = t->context->verify ? SSL_get_verify_result(t->ssl) : X509_V_OK;
    if (t->context->verify && certificate == NULL) result = X509_V_ERR_UNSPECIFIED;
    if (result != X509_V_OK) {
        words_say(s->text, NULL, "%s", X509_verify_cert_error_string(result));
        if (certificate != NULL) certificate_fault(result, 0, certificate, s->text, sizeof s->text);
        return certificate_word(result);
    }
    if (has_pinned_key(t)) return NULL;
    return words_say(s->text, "certificate:pin_mismatch", "its key is not the one in tls_pin");
}

/* ---- sessions ---- */

/* Makes the key under which sessions are kept. The process is part of it: a forked child does not
 * use its parent's sessions, because a ticket of TLS 1.3 is for one use (RFC 8446, C.4). */
static bool make_key(const struct smtp_socket *s, const char *name)
{
    char text[2 * SOCKET_NAME_LEN_MAX + 48];
    int len = snprintf(text, sizeof text, "%ld %s:%d %s", (long)s->pid, s->host, s->port, name);
    return len > 0 && (size_t)len < sizeof text &&
           EVP_Digest(text, (size_t)len, s->tls->key, NULL, EVP_sha256(), NULL) == 1;
}

/* What else was verified cannot change: a session is kept for one context and one name. A resumed
 * session verifies nothing. */
int64_t tls_verified_until(const struct tls *t)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(t->ssl);
    if (!t->context->verify) return INT64_MAX;
    return chain == NULL ? t->until : certificate_first_end(chain);
}

/* TLS 1.3 gives sessions after the handshake, when the first reply is read or later (RFC 8446,
 * 4.6.1); several, if it likes. */
int tls_given_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);
    return tls_session_keep(t->context, t->key, session, tls_verified_until(t));
}

static void offer_session(struct smtp_socket *s)
{
    SSL *ssl = s->tls->ssl;
    SSL_SESSION *session = tls_session_take(s->tls->context, s->tls->key, &s->tls->until);
    if (session == NULL) return;
    if (SSL_set_session(ssl, session) != 1 || distrust(s) != NULL) SSL_set_session(ssl, NULL);
    SSL_SESSION_free(session);
}

/* Keeps a session of TLS 1.2, which is for many uses and may come without a new one. */
static void keep_session(struct tls *t)
{
    if (SSL_session_reused(t->ssl) == 0 || SSL_version(t->ssl) >= TLS1_3_VERSION) return;
    SSL_SESSION *session = SSL_get1_session(t->ssl);
    if (!tls_session_keep(t->context, t->key, session, t->until)) SSL_SESSION_free(session);
}

/* ---- beginning ---- */

/* A certificate is for the bare address, without brackets; the name of SNI has no dot at its end.
 */
static bool set_name(struct tls *t, const char *name)
{
    char bare[SOCKET_NAME_LEN_MAX];
    struct address address;
    int port;
    size_t len = strlen(name);
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (address_parse(&address, name, 0)) {
        address_format(&address, bare, &port);
        return X509_VERIFY_PARAM_set1_ip_asc(param, bare) == 1;
    }
    if (len == 0 || len >= sizeof bare) return false;
    memcpy(bare, name, len + 1);
    if (bare[len - 1] == '.') bare[--len] = '\0';
    return X509_VERIFY_PARAM_set1_host(param, bare, len) == 1 &&
           SSL_set_tlsext_host_name(t->ssl, bare) == 1;
}

static const char *begin(struct smtp_socket *s, struct tls_context *c, const char *name)
{
    const char *word = tls_open(s, c);
    if (word != NULL) return word;
    if (name != NULL && !set_name(s->tls, name))
        return words_say(s->text, "tls:handshake", "%s is not a name that a certificate can be for",
                         name);
    if (!make_key(s, name != NULL ? name : "")) return words_say(s->text, "system", "no memory");
    if (!c->server) offer_session(s);
    return NULL;
}

/* ---- failures ---- */

/* The number of the alert by which the peer ended it; 0: it sent none. */
static int alert_of(unsigned long error)
{
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    return reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256
               ? reason - SSL_AD_REASON_OFFSET
               : 0;
}

/* A server that asked for a certificate of ours and then refuses means that, whatever the alert. */
static bool is_of_client(const struct tls *t, int alert)
{
    return t->asked && alert != 0 && alert != SSL3_AD_UNEXPECTED_MESSAGE &&
           alert != TLS1_AD_PROTOCOL_VERSION && alert != TLS1_AD_INTERNAL_ERROR;
}

static const char *reason_word(unsigned long error)
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
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
    case SSL_R_UNKNOWN_CIPHER_RETURNED:
    case SSL_R_WRONG_CIPHER_RETURNED: return "tls:no_common_cipher";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME: return "tls:unknown_name";
    default: return "tls:handshake";
    }
}

const char *handshake_word(const struct tls *t, unsigned long error)
{
    return is_of_client(t, alert_of(error)) ? "tls:client_certificate" : reason_word(error);
}

/* OpenSSL has no words for alerts that are new in TLS 1.3. */
static const char *alert_text(int alert)
{
    switch (alert) {
    case TLS13_AD_MISSING_EXTENSION: return "missing extension";
    case TLS13_AD_CERTIFICATE_REQUIRED: return "certificate required";
    case TLS1_AD_NO_APPLICATION_PROTOCOL: return "no application protocol";
    default: return SSL_alert_desc_string_long(alert);
    }
}

void handshake_reason(unsigned long error, char text[SOCKET_TEXT_MAX])
{
    int alert = alert_of(error);
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;
    if (alert != 0)
        words_say(text, NULL, "the server ended it with alert %d (%s)", alert, alert_text(alert));
    else
        words_say(text, NULL, "%s", reason != NULL ? reason : "the server ended it");
}

/* To look for an issuer in a directory takes a descriptor. OpenSSL 3.0.22 does not say that it had
 * none. Returns errno, or 0. */
static int lack_of_descriptors(long result)
{
    if (result != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT &&
        result != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY &&
        result != X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE &&
        result != X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN &&
        result != X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
        return 0;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return words_of_errno(errno, NULL) != NULL ? errno : 0;
    close(fd);
    return 0;
}

/* Says why the handshake failed. To verify a certificate takes memory: tls_blame finds that out. */
static const char *explain(struct smtp_socket *s)
{
    struct tls *t = s->tls;
    unsigned long error = ERR_peek_error();
    long result = SSL_get_verify_result(t->ssl);
    char why[SOCKET_TEXT_MAX];
    handshake_reason(error, why);
    if (t->context->server || !t->context->verify || result == X509_V_OK)
        return tls_blame(s->text, handshake_word(t, error), why);
    int lack = lack_of_descriptors(result);
    if (lack != 0) return words_say(s->text, "system", "%s", strerror(lack));
    const char *word = certificate_word(result);
    if (t->nameless && strcmp(word, "certificate:wrong_host") == 0)
        word = "certificate:wrong_host:nameless";
    return tls_blame(s->text, word,
                     t->fault[0] != '\0' ? t->fault : X509_verify_cert_error_string(result));
}

static const char *fail(struct smtp_socket *s, const char *word)
{
    bool flushed;
    s->tls->dead = true;
    (void)tls_flush(s, 0, &flushed); /* the alert, so that the peer knows why */
    tls_forget_errors();
    return word;
}

/* Is the peer's first byte not that of a TLS record? Then there is no TLS on this port. */
static bool is_plaintext(struct tls *t)
{
    char *data;
    if (t->heard_any || BIO_get_mem_data(t->heard, &data) <= 0) return false;
    t->heard_any = true;
    return data[0] != 0x14 && data[0] != 0x15 && data[0] != 0x16;
}

/* ---- the handshake ---- */

/* One step of the handshake, and one wait for the peer. *done: there is nothing more to do. A
 * client's last words are sent with its first data, or before it reads. */
static const char *shake_once(struct smtp_socket *s, int64_t deadline_ms, size_t *taken, bool *done)
{
    struct tls *t = s->tls;
    bool flushed = false;
    tls_forget_errors();
    int result = SSL_do_handshake(t->ssl);
    int want = SSL_get_error(t->ssl, result);
    *done = result == 1;
    if (!*done && want != SSL_ERROR_WANT_READ) return fail(s, explain(s));
    const char *word = *done && !SSL_session_reused(t->ssl) ? distrust(s) : NULL;
    if (word != NULL) return fail(s, word);
    if (*done && !t->context->server) return NULL;
    word = tls_flush(s, deadline_ms, &flushed);
    *done = *done && flushed;
    if (word == NULL && !*done) word = tls_fill(s, deadline_ms, taken);
    if (word != NULL || *done || !is_plaintext(t)) return word;
    return fail(s, words_say(s->text, "tls:plaintext", "its first byte is not one of TLS"));
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

const char *tls_handshake(struct smtp_socket *s, struct tls_context *c, const char *name)
{
    const char *word = NULL;
    if (s->fd < 0) return words_say(s->text, "closed", "not connected");
    if (s->tls != NULL && (s->tls->open || s->tls->dead || s->tls->context != c))
        return words_say(s->text, "tls:handshake", "TLS was begun on this connection before");
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
