/* connection.c - a socket from its making to its end: bytes in clear or inside TLS, what it waits
 * for. */
#include "socket.h"

#include <stdlib.h>

enum {
    TURN_LEN = 262144, /* bytes that a socket which gives way to others sends at once */
    FEW = 16           /* descriptors that need no memory of their own */
};

static unsigned char *input(void)
{
    static _Thread_local unsigned char heard[SOCKET_INPUT_MAX];
    return heard;
}

void connection_init(struct smtp_socket *s)
{
    memset(s, 0, offsetof(struct smtp_socket, host));
    s->host[0] = s->text[0] = '\0';
    s->fd = -1;
    s->input = input;
    s->connect_ms = s->send_ms = s->read_ms = 60000;
}

void connection_adopt(struct smtp_socket *s, int fd, int family)
{
    s->fd = fd;
    s->tcp = family != AF_UNIX;
    s->nodelay = !s->tcp;
    s->heard = s->said = false;
    s->read_error = s->recv_ms = 0;
    s->pid = getpid();
}

/* ---- bytes ---- */

static const char *send_some(struct smtp_socket *s, const void *data, size_t len,
                             int64_t deadline_ms, size_t *sent)
{
    if (s->tls != NULL) return s->tls_calls->send(s, data, len, deadline_ms, sent);
    while (*sent < len) {
        size_t n;
        const char *word =
            stream_write(s, (const char *)data + *sent, len - *sent, deadline_ms, &n);
        if (word != NULL || n == 0) return word;
        *sent += n;
    }
    return NULL;
}

const char *connection_send(struct smtp_socket *s, const void *data, size_t len, size_t *sent)
{
    *sent = 0;
    if (s->fd < 0) return words_say(s->text, "closed", "not connected");
    if (len == 0) return NULL;
    int64_t deadline_ms = stream_deadline_ms(s, s->send_ms);
    if (!s->nonblocking || len <= TURN_LEN) return send_some(s, data, len, deadline_ms, sent);
    const char *word = send_some(s, data, TURN_LEN, deadline_ms, sent);
    if (word != NULL || *sent < TURN_LEN) return word;
    return stream_put_off(s, POLLIN | POLLOUT, deadline_ms);
}

const char *connection_receive(struct smtp_socket *s, size_t max, const char **data, size_t *len)
{
    *data = (const char *)s->input();
    if (s->fd < 0) return words_say(s->text, "closed", "not connected");
    if (max > SOCKET_INPUT_MAX) max = SOCKET_INPUT_MAX;
    int64_t deadline_ms = stream_deadline_ms(s, s->read_ms);
    if (s->tls != NULL) return s->tls_calls->receive(s, max, deadline_ms, len);
    return stream_read(s, max, deadline_ms, len);
}

void connection_drop(struct smtp_socket *s)
{
    smtp_io_release(&s->io);
    connect_drop(s);
    if (s->tls != NULL) s->tls_calls->drop(s);
    listen_forget(s);
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
    s->until_ms = 0; /* connection_wait_many then reports it as ready */
}

void connection_close(struct smtp_socket *s)
{
    /* What a forked child writes would end its parent's session. */
    if (s->tls != NULL && s->pid == getpid()) s->tls_calls->say_goodbye(s);
    connection_drop(s);
}

/* ---- waiting ---- */

nfds_t connection_awaited(const struct smtp_socket *s, struct pollfd *fds, int64_t *until_ms)
{
    if (s->connecting != NULL) return connect_awaited(s, fds, until_ms);
    *fds = (struct pollfd){.fd = s->fd, .events = s->events};
    *until_ms = s->until_ms;
    return 1;
}

const char *connection_wait_many(struct waiting *list, size_t count, int64_t deadline_ms)
{
    struct pollfd one[SOCKET_AWAITED_MAX];
    int64_t until_ms;
    nfds_t fd_count = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        fd_count += connection_awaited(list[i].socket, one, &until_ms);
        if (until_ms < deadline_ms) deadline_ms = until_ms;
    }
    struct pollfd few[FEW + SOCKET_AWAITED_MAX], *fds = few;
    if (fd_count > FEW) fds = malloc((fd_count + SOCKET_AWAITED_MAX) * sizeof *fds);
    if (fds == NULL) return "system";
    for (size_t i = 0; i < count; i++)
        at += connection_awaited(list[i].socket, fds + at, &until_ms);
    const char *word = wait_poll(fds, fd_count, deadline_ms);
    int64_t now_ms = wait_now_ms();
    at = 0;
    for (size_t i = 0; i < count; i++) {
        nfds_t own = connection_awaited(list[i].socket, one, &until_ms);
        list[i].ready = until_ms <= now_ms;
        for (; own > 0; own--)
            if (fds[at++].revents != 0) list[i].ready = true;
    }
    if (fds != few) free(fds);
    return word != NULL && strcmp(word, "timeout") == 0 ? NULL : word;
}
