/* listen.c - the other end: listening sockets for the embedded test server. */
#include "socket.h"

#include <sys/stat.h>

static const char *fail(struct smtp_socket *l, const char *what)
{
    int error = errno;
    connection_drop(l);
    return words_say(l->text, words_of_errno(error, "listen"), "%s: %s", what, strerror(error));
}

/* ---- unix sockets ---- */

/* Does no process listen there? Only a refused connection shows that. */
static bool is_deserted(const struct address *address)
{
    int fd = port_socket(AF_UNIX, 0);
    if (fd < 0) return false;
    bool refused = connect(fd, &address->u.any, address->len) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* Removes the socket that a process left when it died: nothing else, and not the socket of another
 * process that has replaced it meanwhile. NULL: the path is free. */
static const char *replace(struct smtp_socket *l)
{
    const char *path = l->address.u.un.sun_path;
    struct stat before, after;
    if (lstat(path, &before) != 0) return fail(l, path);
    if (!S_ISSOCK(before.st_mode)) {
        connection_drop(l);
        return words_say(l->text, "listen", "%s exists and is not a socket", path);
    }
    if (!is_deserted(&l->address) || lstat(path, &after) != 0 || before.st_dev != after.st_dev ||
        before.st_ino != after.st_ino) {
        connection_drop(l);
        return words_say(l->text, "listen", "another process listens at %s", path);
    }
    if (unlink(path) != 0) return fail(l, path);
    return NULL;
}

/* Remembers which file the socket is: listen_forget removes no other. */
static void note_file(struct smtp_socket *l)
{
    struct stat s = {0};
    l->has_file = lstat(l->address.u.un.sun_path, &s) == 0;
    l->device = s.st_dev;
    l->inode = s.st_ino;
}

static bool is_own_file(const struct smtp_socket *l)
{
    struct stat s;
    return l->has_file && l->pid == getpid() && lstat(l->address.u.un.sun_path, &s) == 0 &&
           s.st_dev == l->device && s.st_ino == l->inode;
}

static const char *bind_unix(struct smtp_socket *l)
{
    int bound = bind(l->fd, &l->address.u.any, l->address.len);
    if (bound < 0 && errno == EADDRINUSE) {
        const char *word = replace(l);
        if (word != NULL) return word;
        bound = bind(l->fd, &l->address.u.any, l->address.len);
    }
    if (bound < 0) return fail(l, l->address.u.un.sun_path);
    note_file(l);
    return NULL;
}

static const char *bind_inet(struct smtp_socket *l, const char *host)
{
    int on = 1;
    (void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (l->address.u.any.sa_family == AF_INET6)
        (void)setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    return bind(l->fd, &l->address.u.any, l->address.len) < 0 ? fail(l, host) : NULL;
}

const char *listen_open(struct smtp_socket *l, const char *host, int port, int backlog)
{
    const char *word;
    if (address_is_unix(host)) {
        word = address_unix(&l->address, host, l->text);
        if (word != NULL) return word;
    } else if (!address_parse(&l->address, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                              port))
        return words_say(l->text, "listen", "%s is not an IP address", host);
    int family = l->address.u.any.sa_family;
    l->fd = port_socket(family, 0);
    if (l->fd < 0) return fail(l, host);
    l->pid = getpid();
    word = family == AF_UNIX ? bind_unix(l) : bind_inet(l, host);
    if (word != NULL) return word;
    if (listen(l->fd, backlog) < 0) return fail(l, host);
    return NULL;
}

const char *listen_accept(struct smtp_socket *l, struct smtp_socket *s, int timeout_ms)
{
    int64_t deadline_ms = stream_deadline_ms(l, timeout_ms);
    l->until_ms = 0;
    if (l->fd < 0) return words_say(l->text, "closed", "not listening");
    for (;;) {
        short ready;
        int fd = port_accept(l->fd);
        if (fd >= 0) {
            connection_adopt(s, fd, l->address.u.any.sa_family);
            return NULL;
        }
        /* A connection that ended before it could be accepted is not an error. */
        if (errno == EINTR) return "again";
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ECONNABORTED)
            return words_say(l->text, words_of_errno(errno, "closed"), "%s", strerror(errno));
        if (l->nonblocking && !wait_is_over(deadline_ms))
            return stream_put_off(l, POLLIN, deadline_ms);
        const char *word = wait_fd(l->fd, POLLIN, deadline_ms, &ready);
        if (word != NULL) return words_say(l->text, word, "%s", "no client connected");
    }
}

void listen_forget(struct smtp_socket *l)
{
    if (is_own_file(l)) unlink(l->address.u.un.sun_path);
    l->has_file = false;
}
