/* listen.c - the other end: listening sockets for the embedded test server. */
#include "host.h"

static const char *fail(struct smtp_listener *l, const char *what)
{
    int error = errno;
    listen_drop(l);
    return host_say(l->text, host_errno_word(error, "listen"), "%s: %s", what, strerror(error));
}

const char *listen_open(struct smtp_listener *l, const char *host, int port, int backlog)
{
    int on = 1;
    if (address_is_unix(host)) {
        const char *word = address_unix(&l->address, host, l->text);
        if (word != NULL) return word;
    } else if (!address_parse(&l->address, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                              port)) {
        return host_say(l->text, "listen", "%s is not an IP address", host);
    }
    int family = l->address.u.any.sa_family;
    l->fd = port_socket(family, 0);
    if (l->fd < 0) return fail(l, host);
    l->pid = getpid();
    if (family != AF_UNIX) (void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6) (void)setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(l->fd, &l->address.u.any, l->address.len) < 0) return fail(l, host);
    if (listen(l->fd, backlog) < 0) return fail(l, host);
    return NULL;
}

const char *listen_accept(struct smtp_listener *l, struct smtp_socket *s, int timeout_ms)
{
    int64_t deadline_ms = l->until_ms != 0 ? l->until_ms : host_deadline_ms(timeout_ms);
    l->until_ms = 0;
    if (l->fd < 0) return host_say(l->text, "closed", "not listening");
    for (;;) {
        short ready;
        int fd = port_accept(l->fd);
        if (fd >= 0) {
            stream_adopt(s, fd, l->address.u.any.sa_family);
            return NULL;
        }
        /* A connection that was gone before it could be accepted is not an error of ours. */
        if (errno == EINTR) return "again";
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ECONNABORTED) {
            return host_say(l->text, host_errno_word(errno, "closed"), "%s", strerror(errno));
        }
        if (l->nonblocking && !host_is_over(deadline_ms)) {
            l->until_ms = deadline_ms;
            return "again";
        }
        const char *word = host_wait(l->fd, POLLIN, deadline_ms, &ready);
        if (word != NULL) return host_say(l->text, word, "%s", "nobody connected");
    }
}

void listen_drop(struct smtp_listener *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
    l->until_ms = 0; /* whoever waits for it goes on */
}

void listen_close(struct smtp_listener *l)
{
    if (l->fd >= 0 && l->address.u.any.sa_family == AF_UNIX && l->pid == getpid()) {
        unlink(l->address.u.un.sun_path);
    }
    listen_drop(l);
}
