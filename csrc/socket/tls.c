/* tls.c - one TLS connection, through memory BIOs: the socket I/O stays ours, so that a reset is an
 * error value (SSL_set_fd would be killed by SIGPIPE) and every wait has its deadline. */
#include "tls.h"

#include <stdlib.h>

enum {
    TURN_LEN = 65536, /* ciphertext without data that one call takes, before others have a turn */
    IDLE_LEN = 16384, /* memory for ciphertext that a connection keeps while it waits */
    /* Records and messages without data in the life of a connection. A handshake has thirty; after
     * it come two tickets, and a KeyUpdate each few GiB. Those without end are an attack, which
     * OpenSSL would follow for as long as input comes. */
    STRAYS_MAX = 1000
};

/* ---- ciphertext to and from the socket ---- */

const char *tls_flush(struct smtp_socket *s, int64_t deadline_ms, bool *flushed)
{
    struct tls *t = s->tls;
    for (;;) {
        char *data;
        size_t written, len = (size_t)BIO_get_mem_data(t->said, &data) - t->said_at;
        *flushed = len == 0;
        if (len == 0) break;
        const char *word = stream_write(s, data + t->said_at, len, deadline_ms, &written);
        t->said_at += written;
        if (word != NULL || written == 0) return word;
    }
    if (t->said_at > 0) (void)BIO_reset(t->said);
    t->said_at = 0;
    return NULL;
}

/* What was sent may have been a large message: gives back the memory of its ciphertext. */
static void shrink(struct tls *t)
{
    BUF_MEM *large, *small;
    if (BIO_get_mem_ptr(t->said, &large) != 1 || large->max <= IDLE_LEN) return;
    if (BIO_pending(t->said) > 0 || (small = BUF_MEM_new()) == NULL) return;
    BIO_set_mem_buf(t->said, small, BIO_CLOSE);
}

/* OpenSSL calls this for each record and for each message within one. */
static void count_stray(int written, int version, int type, const void *data, size_t len, SSL *ssl,
                        void *arg)
{
    struct tls *t = arg;
    (void)version, (void)data, (void)len, (void)ssl;
    if (!written && (type == SSL3_RT_HEADER || type == SSL3_RT_HANDSHAKE)) t->strays++;
}

/* The connection is not used any more. */
static const char *end(struct smtp_socket *s, const char *word, const char *why)
{
    s->tls->dead = true;
    s->tls->end = tls_blame(s->text, word, why);
    return s->tls->end;
}

/* May this call, which took so much ciphertext without data, go on? */
static const char *check_turn(struct smtp_socket *s, size_t taken, int64_t deadline_ms)
{
    if (s->tls->strays > STRAYS_MAX) return end(s, "protocol", "");
    if (taken == 0) return NULL;
    if (wait_is_over(deadline_ms)) return words_say(s->text, "timeout", "%s", "");
    return taken < TURN_LEN ? NULL : stream_put_off(s, POLLIN, deadline_ms);
}

const char *tls_fill(struct smtp_socket *s, int64_t deadline_ms, size_t *taken)
{
    size_t len = 0;
    const char *word = check_turn(s, *taken, deadline_ms);
    if (word == NULL) word = stream_read(s, SOCKET_INPUT_MAX, deadline_ms, &len);
    if (word != NULL) return word;
    *taken += len;
    if (BIO_write(s->tls->heard, s->input(), (int)len) == (int)len) return NULL;
    return words_say(s->text, "system", "no memory");
}

/* ---- records ---- */

/* Can the connection be used? What ended it is said again. */
static const char *check_open(struct smtp_socket *s)
{
    const struct tls *t = s->tls;
    if (t->open && !t->dead) return NULL;
    return t->end != NULL ? t->end : words_say(s->text, "closed", "TLS has ended");
}

/* In TLS 1.3 a client has finished the handshake before the server looks at its certificate, or
 * misses it. What the server thinks of that is heard in the place of its first words. */
static const char *refused(struct smtp_socket *s)
{
    unsigned long error = ERR_peek_error();
    const char *word = handshake_word(s->tls, error);
    char why[SOCKET_TEXT_MAX];
    bool telling = strcmp(word, "tls:client_certificate") == 0 || strcmp(word, "protocol") == 0;
    handshake_reason(error, why);
    return end(s, telling ? word : "closed",
               telling ? why : "it sent a TLS record that is not valid");
}

/* Makes the next records of this data. */
static const char *seal(struct smtp_socket *s, const char *data, size_t len)
{
    struct tls *t = s->tls;
    size_t sealed = 0;
    tls_forget_errors();
    for (int i = 0; i < TLS_GATHERED && sealed < len; i++) {
        size_t left = len - sealed, piece = left < TLS_RECORD_LEN ? left : TLS_RECORD_LEN;
        if (SSL_write(t->ssl, data + sealed, (int)piece) != (int)piece)
            return end(s, "closed", "TLS failed while writing");
        sealed += piece;
        t->ends[i] = BIO_ctrl_pending(t->said);
    }
    t->pending_len = sealed;
    t->pending_at = 0;
    return NULL;
}

/* Returns how much plaintext the kernel has in whole records that were not counted before. The peer
 * can read these, and may answer them, whatever becomes of the others. */
static size_t count_sent(struct tls *t, bool flushed)
{
    size_t sent = 0;
    while (t->pending_len > 0 && (flushed || t->ends[t->pending_at] <= t->said_at)) {
        size_t len = t->pending_len < TLS_RECORD_LEN ? t->pending_len : TLS_RECORD_LEN;
        t->pending_len -= len;
        t->pending_at++;
        sent += len;
    }
    return sent;
}

static const char *send_data(struct smtp_socket *s, const char *data, size_t len,
                             int64_t deadline_ms, size_t *sent)
{
    struct tls *t = s->tls;
    const char *word = check_open(s);
    while (word == NULL && *sent < len) {
        bool flushed = false;
        if (t->pending_len == 0) word = seal(s, data + *sent, len - *sent);
        if (word == NULL) word = tls_flush(s, deadline_ms, &flushed);
        *sent += count_sent(t, flushed);
        if (!flushed) return *sent < len ? word : NULL;
    }
    return word;
}

/* SSL_read had no data, for the reason `want`. NULL: more ciphertext has come. *taken: how much of
 * it this call has read. */
static const char *receive_more(struct smtp_socket *s, int want, int64_t deadline_ms, size_t *taken)
{
    struct tls *t = s->tls;
    bool flushed;
    if (want == SSL_ERROR_WANT_READ) {
        /* The peer may wait for the end of the handshake, or for the answer to a KeyUpdate. Data
         * that waits to be sent leaves in send_data only, which counts it. */
        const char *word = t->pending_len == 0 ? tls_flush(s, deadline_ms, &flushed) : NULL;
        if (word != NULL && strcmp(word, "closed") != 0 && strcmp(word, "timeout") != 0)
            return word;
        shrink(t);
        return tls_fill(s, deadline_ms, taken);
    }
    if (want != SSL_ERROR_ZERO_RETURN) {
        tls_session_forget(t->context, t->key);
        return refused(s);
    }
    SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN); /* so that the session can be resumed */
    t->dead = true;
    return words_say(s->text, "closed", "it ended TLS");
}

/* Has OpenSSL nothing to decrypt, and no data to give? So it is directly after an answer: SSL_read
 * would only find that out. */
static bool is_drained(const struct tls *t)
{
    return BIO_pending(t->heard) == 0 && SSL_has_pending(t->ssl) == 0;
}

static const char *receive(struct smtp_socket *s, size_t max, int64_t deadline_ms, size_t *len)
{
    struct tls *t = s->tls;
    const char *word = check_open(s);
    size_t taken = 0;
    if (word == NULL && is_drained(t))
        word = receive_more(s, SSL_ERROR_WANT_READ, deadline_ms, &taken);
    while (word == NULL) {
        tls_forget_errors();
        int n = SSL_read(t->ssl, s->input(), (int)max);
        if (n > 0) {
            *len = (size_t)n;
            if (t->strays > 0) t->strays--; /* the record of the data */
            return NULL;
        }
        word = receive_more(s, SSL_get_error(t->ssl, n), deadline_ms, &taken);
    }
    return word;
}

static void say_goodbye(struct smtp_socket *s)
{
    bool flushed;
    struct tls *t = s->tls;
    if (!t->open || t->dead || t->pending_len > 0) return;
    tls_forget_errors();
    (void)SSL_shutdown(t->ssl);
    (void)tls_flush(s, 0, &flushed);
    tls_forget_errors();
}

static void drop(struct smtp_socket *s)
{
    SSL_free(s->tls->ssl);
    free(s->tls);
    s->tls = NULL;
}

/* ---- the connection ---- */

static const struct tls_calls calls = {send_data, receive, say_goodbye, drop};

const char *tls_open(struct smtp_socket *s, struct tls_context *c)
{
    struct tls *t = calloc(1, sizeof *t);
    if (t == NULL) return words_say(s->text, "system", "no memory");
    s->tls = t;
    s->tls_calls = &calls;
    s->pid = getpid();
    t->context = c;
    t->ssl = SSL_new(c->ctx);
    t->heard = BIO_new(BIO_s_mem());
    t->said = BIO_new(BIO_s_mem());
    if (t->ssl == NULL || t->heard == NULL || t->said == NULL) {
        BIO_free(t->heard);
        BIO_free(t->said);
        return end(s, "system", "no memory");
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
    return NULL;
}

SSL *tls_connection(const struct smtp_socket *s)
{
    const struct tls *t = s->tls;
    return t != NULL && t->open && !t->dead ? t->ssl : NULL;
}
