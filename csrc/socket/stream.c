/* stream.c - bytes from and to the kernel. The modules smtp.socket and smtp.tls both contain it. */
#include "socket.h"

enum {
    WAKE_MS = 1000,    /* how long recv waits by itself, at most */
    SEGMENT_LEN = 1200 /* octets that are one TCP segment on any path of today */
};

/* ---- waiting ---- */

int64_t stream_deadline_ms(const struct smtp_socket *s, int timeout_ms)
{
    return s->until_ms != 0 ? s->until_ms : wait_deadline_ms(timeout_ms);
}

const char *stream_put_off(struct smtp_socket *s, short events, int64_t deadline_ms)
{
    s->events = events;
    s->until_ms = deadline_ms;
    return "again";
}

const char *stream_ended(struct smtp_socket *s, const char *word)
{
    if (word == NULL || strcmp(word, "again") != 0) s->until_ms = 0;
    return word;
}

/* Sets the time-out of recv. Returns whether recv can wait by itself. It must wake before the
 * deadline; sooner does no harm. So the time-out, which costs a call, changes in the last second
 * only. */
static bool set_recv_timeout(struct smtp_socket *s, int64_t deadline_ms)
{
    if (!PORT_WAITS || s->nonblocking || deadline_ms == 0) return false;
    int64_t left_ms = deadline_ms - wait_now_ms() + 1;
    if (left_ms <= 1) return false;
    int wanted_ms = left_ms < WAKE_MS ? (int)left_ms : WAKE_MS;
    if (wanted_ms == s->recv_ms) return true;
    struct timeval wanted = {.tv_sec = wanted_ms / 1000, .tv_usec = wanted_ms % 1000 * 1000L};
    if (setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &wanted, sizeof wanted) < 0) return false;
    s->recv_ms = wanted_ms;
    return true;
}

/* ---- the descriptor ---- */

/* Returns what errno says; NULL: the call would wait. Signals without end do not outlast the
 * deadline. */
static const char *trouble(struct smtp_socket *s, int64_t deadline_ms)
{
    int error = errno;
    if (error == EINTR && wait_is_over(deadline_ms)) return words_say(s->text, "timeout", "%s", "");
    if (error == EINTR) return "again";
    if (error == EAGAIN || error == EWOULDBLOCK) return NULL;
    return words_say(s->text, words_of_errno(error, "closed"), "%s", strerror(error));
}

/* Waits where recv had nothing: it may not have waited, because an event loop has made the
 * descriptor non-blocking. NULL: try again. */
static const char *wait_to_read(struct smtp_socket *s, int64_t deadline_ms)
{
    short ready;
    const char *word = NULL;
    if (wait_is_over(deadline_ms))
        word = "timeout";
    else if (s->nonblocking)
        return stream_put_off(s, POLLIN, deadline_ms);
    else
        word = wait_fd(s->fd, POLLIN, deadline_ms, &ready);
    if (word != NULL) s->text[0] = '\0'; /* the word says all there is to say */
    return word;
}

/* Returns why a read failed; NULL: try again. The kernel reports a reset once, and then the end. */
static const char *read_trouble(struct smtp_socket *s, int64_t deadline_ms)
{
    int error = errno;
    const char *word = trouble(s, deadline_ms);
    if (word == NULL) return wait_to_read(s, deadline_ms);
    if (strcmp(word, "closed") != 0) return word;
    s->read_error = error;
    return "reset";
}

/* A server that writes each reply by itself holds the second one back until we have acknowledged
 * the first (Nagle's algorithm), and the kernel may delay that by 40 ms. A second read in a row has
 * the kernel acknowledge at once. */
const char *stream_read(struct smtp_socket *s, size_t max, int64_t deadline_ms, size_t *len)
{
    bool may_wait = deadline_ms != 0;
    if (s->read_error != 0) return words_say(s->text, "reset", "%s", strerror(s->read_error));
    if (s->heard && s->tcp && may_wait) port_quickack(s->fd);
    /* Directly after a write there is nothing to read yet. */
    if (s->nonblocking && may_wait && !s->heard && s->until_ms == 0)
        return stream_put_off(s, POLLIN, deadline_ms);
    for (;;) {
        bool waits = set_recv_timeout(s, deadline_ms);
        ssize_t n = recv(s->fd, s->input(), max, waits ? 0 : MSG_DONTWAIT);
        if (n > 0) {
            s->heard = true;
            s->said = false;
            *len = (size_t)n;
            return NULL;
        }
        if (n == 0) {
            s->heard = true; /* the end: it is there for each further read */
            return words_say(s->text, "closed", "%s", "");
        }
        const char *word = read_trouble(s, deadline_ms);
        if (word != NULL) return word;
    }
}

/* A small write that follows another one which is not acknowledged yet would wait (Nagle's
 * algorithm), and so would the end of a long one. Most of what is sent in a short conversation
 * answers something that was received, and does not wait: then the call is saved. */
static void disable_nagle(struct smtp_socket *s, size_t len)
{
    int on = 1;
    if (s->nodelay || (!s->said && len <= SEGMENT_LEN)) return;
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    s->nodelay = true;
}

/* Waits where send had no room. NULL: try again, or (*readable) there is something to read first.
 */
static const char *wait_to_write(struct smtp_socket *s, int64_t deadline_ms, bool *readable)
{
    const short events = POLLIN | POLLOUT;
    short ready;
    bool later = s->nonblocking && !wait_is_over(deadline_ms);
    const char *word = wait_fd(s->fd, events, later ? 0 : deadline_ms, &ready);
    *readable = word == NULL && (ready & (POLLOUT | POLLERR | POLLHUP)) == 0;
    if (word == NULL && !*readable && wait_is_over(deadline_ms)) word = "timeout";
    if (word == NULL) return NULL;
    if (later && strcmp(word, "timeout") == 0) return stream_put_off(s, events, deadline_ms);
    return words_say(s->text, word, "%s", "");
}

const char *stream_write(struct smtp_socket *s, const void *data, size_t len, int64_t deadline_ms,
                         size_t *written)
{
    *written = 0;
    disable_nagle(s, len);
    for (;;) {
        bool readable;
        ssize_t n = send(s->fd, data, len, PORT_SEND_FLAGS);
        if (n >= 0) {
            s->heard = false;
            s->said = true;
            *written = (size_t)n;
            return NULL;
        }
        const char *word = trouble(s, deadline_ms);
        if (word != NULL) return word;
        word = wait_to_write(s, deadline_ms, &readable);
        if (readable) s->heard = true;
        if (word != NULL || readable) return word;
    }
}
