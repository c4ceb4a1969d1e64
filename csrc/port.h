/* port.h - what differs between unixes: Linux with glibc or musl, FreeBSD, macOS.
 *
 * To be included before any system header, because it asks for the extensions of the platform: a
 * rock build passes no compiler flags. */
#ifndef PORT_H
#define PORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#ifdef __APPLE__
#define _DARWIN_C_SOURCE 1
#endif

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h> /* getentropy */
#endif

/* Flags of send(): it never waits, and a connection reset by the peer is an error value, never
 * SIGPIPE. macOS knows the latter as an option of the socket only, see port_prepare. */
#ifdef MSG_NOSIGNAL
#define PORT_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define PORT_SEND_FLAGS MSG_DONTWAIT
#endif

/* May a descriptor block in connect() and recv()? On Linux a signal always ends those that have a
 * time-out, which saves a poll; elsewhere they may be restarted (SA_RESTART, which
 * Lua's interpreter uses). Then the descriptor stays non-blocking. */
#ifdef __linux__
#define PORT_WAITS 1
#else
#define PORT_WAITS 0
#endif

/* The member of struct stat that says when a file's contents changed. */
#ifdef __APPLE__
#define PORT_MTIM st_mtimespec
#else
#define PORT_MTIM st_mtim
#endif

/* Returns microseconds of a clock that only goes forward. */
static inline int64_t port_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Fills `bytes` with random bytes, at most 256. Returns false where the system has none. */
static inline bool port_random(void *bytes, size_t len)
{
    return getentropy(bytes, len) == 0;
}

/* Makes a new descriptor non-blocking, closed on exec and free of SIGPIPE, where the system cannot
 * make it so from the start. Closes it and returns -1 on failure. */
static inline int port_prepare(int fd)
{
#ifndef SOCK_CLOEXEC
    if (fd >= 0 && (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
#endif
#ifdef SO_NOSIGPIPE
    int on = 1;
    if (fd >= 0) (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return fd;
}

/* Makes a socket. `wait_ms`, where PORT_WAITS: connect() may take so long; it goes on after
 * EINPROGRESS. 0: it does not wait at all. */
static inline int port_socket(int family, int wait_ms)
{
#ifdef SOCK_CLOEXEC
    int flags = SOCK_CLOEXEC | (wait_ms > 0 ? 0 : SOCK_NONBLOCK);
    int fd = port_prepare(socket(family, SOCK_STREAM | flags, 0));
#else
    int fd = port_prepare(socket(family, SOCK_STREAM, 0));
#endif
    struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000L};
    if (fd >= 0 && wait_ms > 0) (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    return fd;
}

/* Lets recv wait on a descriptor that is connected. */
static inline void port_connected(int fd)
{
    if (PORT_WAITS) (void)fcntl(fd, F_SETFL, 0);
}

static inline int port_accept(int listener)
{
#ifdef SOCK_CLOEXEC
    return port_prepare(
        accept4(listener, NULL, NULL, SOCK_CLOEXEC | (PORT_WAITS ? 0 : SOCK_NONBLOCK)));
#else
    return port_prepare(accept(listener, NULL, NULL));
#endif
}

/* Makes a pipe that does not block and that no other program inherits. Returns 0, or -1 with errno
 * set. */
static inline int port_pipe(int ends[2])
{
#ifdef SOCK_CLOEXEC
    return pipe2(ends, O_CLOEXEC | O_NONBLOCK);
#else
    if (pipe(ends) < 0) return -1;
    if (port_prepare(ends[0]) < 0) {
        close(ends[1]);
        return -1;
    }
    if (port_prepare(ends[1]) < 0) {
        close(ends[0]);
        return -1;
    }
    return 0;
#endif
}

/* Acknowledges at once what has been received. A server that writes each reply by itself waits for
 * our acknowledgement between two of them (Nagle's algorithm), and the kernel would delay it by 40
 * ms. The kernel forgets this wish soon. */
static inline void port_quickack(int fd)
{
#ifdef TCP_QUICKACK
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#else
    (void)fd;
#endif
}

#endif
