/* stream.c - a connected socket: bytes in and out, in clear or inside TLS. */
#include "host.h"

#include <stdlib.h>

void stream_init(struct smtp_socket *s)
{
    memset(s, 0, sizeof *s);
    s->fd = -1;
    s->connect_ms = s->send_ms = s->read_ms = 60000;
}

void stream_adopt(struct smtp_socket *s, int fd, int family)
{
    int on = 1;
    s->fd = fd;
    s->pid = getpid();
    s->tcp = family != AF_UNIX;
    s->spoke = false;
    s->in_start = s->in_end = 0;
    if (s->tcp) (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

const char *stream_input(struct smtp_socket *s)
{
    if (s->in == NULL) s->in = malloc(HOST_INPUT_MAX);
    return s->in != NULL ? NULL : host_say(s->text, "system", "no memory");
}

static const char *send_plain(struct smtp_socket *s, const unsigned char *data, size_t len,
                              size_t *sent, int64_t deadline_ms)
{
    while (*sent < len) {
        ssize_t n = send(s->fd, data + *sent, len - *sent, PORT_SEND_FLAGS);
        if (n >= 0) {
            *sent += (size_t)n;
            continue;
        }
        int error = errno;
        if (error == EINTR) return "again";
        if (error != EAGAIN && error != EWOULDBLOCK) {
            return host_say(s->text, host_errno_word(error, "closed"), "%s", strerror(error));
        }
        if (s->in_start < s->in_end) return NULL;
        short ready;
        const char *word = host_wait(s->fd, POLLIN | POLLOUT, deadline_ms, &ready);
        if (word != NULL) return host_say(s->text, word, "%s", "the peer does not read");
        if ((ready & (POLLOUT | POLLERR | POLLHUP)) == 0) return NULL;
    }
    return NULL;
}

const char *stream_send(struct smtp_socket *s, const void *data, size_t len, size_t *sent)
{
    *sent = 0;
    if (s->fd < 0) return host_say(s->text, "closed", "not connected");
    if (len == 0) return NULL;
    s->spoke = true;
    if (s->tls != NULL) return tls_send(s, data, len, sent);
    return send_plain(s, data, len, sent, host_deadline_ms(s->send_ms));
}

/* Right behind something sent there is nothing to read yet: then it is cheaper to wait first. */
static const char *receive_plain(struct smtp_socket *s, size_t max, int64_t deadline_ms)
{
    bool wait_first = s->spoke;
    for (;;) {
        if (wait_first) {
            short ready;
            if (s->tcp) port_quickack(s->fd);
            const char *word = host_wait(s->fd, POLLIN, deadline_ms, &ready);
            if (word != NULL) return host_say(s->text, word, "%s", "nothing came from the peer");
        }
        ssize_t n = recv(s->fd, s->in, max, 0);
        if (n > 0) {
            s->in_start = 0;
            s->in_end = (size_t)n;
            s->spoke = false;
            return NULL;
        }
        if (n == 0) return host_say(s->text, "closed", "%s", "the peer closed the connection");
        int error = errno;
        if (error == EINTR) return "again";
        if (error != EAGAIN && error != EWOULDBLOCK) {
            return host_say(s->text, host_errno_word(error, "closed"), "%s", strerror(error));
        }
        wait_first = true;
    }
}

const char *stream_receive(struct smtp_socket *s, size_t max)
{
    if (s->in_start < s->in_end) return NULL;
    if (s->fd < 0) return host_say(s->text, "closed", "not connected");
    const char *word = stream_input(s);
    if (word != NULL) return word;
    if (s->tls != NULL) return tls_receive(s);
    return receive_plain(s, max < HOST_INPUT_MAX ? max : HOST_INPUT_MAX,
                         host_deadline_ms(s->read_ms));
}

void stream_drop(struct smtp_socket *s)
{
    connect_drop(s);
    tls_drop(s);
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
    free(s->in);
    s->in = NULL;
    s->in_start = s->in_end = 0;
}

void stream_close(struct smtp_socket *s)
{
    /* What a forked child writes would end the session of its parent. */
    if (s->tls != NULL && s->pid == getpid()) tls_say_goodbye(s);
    stream_drop(s);
}
