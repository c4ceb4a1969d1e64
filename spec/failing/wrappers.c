/* wrappers.c - the functions of libc that can fail: see faults.c. */
#include "faults.h"

#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define HERE __builtin_return_address(0)

/* `name` as the program calls it, `real` the function that follows. */
#define DEFINE(type, name, params)                                                                 \
    static type(*real_##name) params;                                                              \
    static type(*next_##name(void)) params                                                         \
    {                                                                                              \
        void *found = dlsym(RTLD_NEXT, #name);                                                     \
        memcpy(&real_##name, &found, sizeof real_##name);                                          \
        return real_##name;                                                                        \
    }                                                                                              \
    __attribute__((visibility("default"))) type name params

#define NEXT(name) (real_##name != NULL ? real_##name : next_##name())

/* A call that fails does nothing. */
#define WRAP(type, name, call, params, args, failure)                                              \
    DEFINE(type, name, params)                                                                     \
    {                                                                                              \
        if (faults_strike(CALL_##call, HERE))                                                      \
            return faults_way() == FAULTS_RESULT ? (type)faults_number() : failure;                \
        return NEXT(name) args;                                                                    \
    }

/* So does one that moves bytes; or it moves one byte. */
#define WRAP_BYTES(type, name, call, params, args)                                                 \
    DEFINE(type, name, params)                                                                     \
    {                                                                                              \
        if (faults_strike(CALL_##call, HERE)) {                                                    \
            if (faults_way() == FAULTS_RESULT) return (type)faults_number();                       \
            if (faults_way() == FAULTS_ERRNO) return -1;                                           \
            if (len > 1) len = 1;                                                                  \
        }                                                                                          \
        return NEXT(name) args;                                                                    \
    }

/* One that gives something back does so, and fails. */
#define WRAP_LATE(type, name, call, params, args, failure)                                         \
    DEFINE(type, name, params)                                                                     \
    {                                                                                              \
        if (!faults_strike(CALL_##call, HERE)) return NEXT(name) args;                             \
        int error = errno;                                                                         \
        (void)NEXT(name) args;                                                                     \
        errno = error;                                                                             \
        return failure;                                                                            \
    }

/* ---- sockets ---- */

WRAP(int, socket, socket, (int a, int b, int c), (a, b, c), -1)
WRAP(int, bind, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), -1)
WRAP(int, listen, listen, (int fd, int n), (fd, n), -1)
WRAP(int, accept4, accept4, (int fd, struct sockaddr *a, socklen_t *n, int f), (fd, a, n, f), -1)
WRAP(int, getsockopt, getsockopt, (int fd, int l, int o, void *v, socklen_t *n), (fd, l, o, v, n),
     -1)
WRAP(int, setsockopt, setsockopt, (int fd, int l, int o, const void *v, socklen_t n),
     (fd, l, o, v, n), -1)
WRAP(int, getsockname, getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), -1)
WRAP(int, getpeername, getpeername, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), -1)
WRAP_BYTES(ssize_t, recv, recv, (int fd, void *p, size_t len, int f), (fd, p, len, f))
WRAP_BYTES(ssize_t, __recv_chk, recv, (int fd, void *p, size_t len, size_t max, int f),
           (fd, p, len, max, f))
WRAP(int, poll, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms), -1)
WRAP(int, epoll_create1, epoll_create1, (int f), (f), -1)
WRAP(int, epoll_ctl, epoll_ctl, (int e, int o, int fd, struct epoll_event *v), (e, o, fd, v), -1)
WRAP(int, epoll_wait, epoll_wait, (int e, struct epoll_event *v, int n, int ms), (e, v, n, ms), -1)
WRAP(int, timerfd_create, timerfd_create, (int c, int f), (c, f), -1)
WRAP(int, timerfd_settime, timerfd_settime,
     (int fd, int f, const struct itimerspec *a, struct itimerspec *b), (fd, f, a, b), -1)
WRAP(int, pipe2, pipe2, (int ends[2], int f), (ends, f), -1)
WRAP(int, getaddrinfo, getaddrinfo,
     (const char *h, const char *s, const struct addrinfo *a, struct addrinfo **b), (h, s, a, b),
     EAI_SYSTEM)

/* After EINTR the attempt goes on (connect(2)), and the socket keeps the error that ends it: an
 * attempt that waits here would take that error away. */
DEFINE(int, connect, (int fd, const struct sockaddr *to, socklen_t len))
{
    if (!faults_strike(CALL_connect, HERE)) return NEXT(connect)(fd, to, len);
    int error = errno;
    if (error == EINTR) {
        int flags = fcntl(fd, F_GETFL);
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        (void)NEXT(connect)(fd, to, len);
        (void)fcntl(fd, F_SETFL, flags);
    }
    errno = error;
    return -1;
}

/* EPIPE brings a signal, unless the caller declines that. */
DEFINE(ssize_t, send, (int fd, const void *bytes, size_t len, int flags))
{
    if (faults_strike(CALL_send, HERE)) {
        if (faults_way() == FAULTS_ERRNO) {
            int error = errno;
            if (error == EPIPE && (flags & MSG_NOSIGNAL) == 0) raise(SIGPIPE);
            errno = error;
            return -1;
        }
        if (len > 1) len = 1;
    }
    return NEXT(send)(fd, bytes, len, flags);
}

/* ---- files ---- */

WRAP(int, access, access, (const char *p, int m), (p, m), -1)
WRAP(int, mkdir, mkdir, (const char *p, mode_t m), (p, m), -1)
WRAP(int, unlink, unlink, (const char *p), (p), -1)
WRAP(int, stat, stat, (const char *p, struct stat *s), (p, s), -1)
WRAP(int, lstat, lstat, (const char *p, struct stat *s), (p, s), -1)
WRAP(int, fstat, fstat, (int fd, struct stat *s), (fd, s), -1)
WRAP(int, stat64, stat, (const char *p, struct stat64 *s), (p, s), -1)
WRAP(int, lstat64, lstat, (const char *p, struct stat64 *s), (p, s), -1)
WRAP(int, fstat64, fstat, (int fd, struct stat64 *s), (fd, s), -1)
WRAP(DIR *, opendir, opendir, (const char *p), (p), NULL)
WRAP(int, ftruncate64, ftruncate, (int fd, off64_t n), (fd, n), -1)
WRAP(int, fsync, fsync, (int fd), (fd), -1)
WRAP(int, fdatasync, fdatasync, (int fd), (fd), -1)
WRAP(void *, mmap64, mmap, (void *a, size_t n, int p, int f, int fd, off64_t o),
     (a, n, p, f, fd, o), MAP_FAILED)
WRAP_BYTES(ssize_t, read, read, (int fd, void *p, size_t len), (fd, p, len))
WRAP_BYTES(ssize_t, write, write, (int fd, const void *p, size_t len), (fd, p, len))
WRAP_BYTES(ssize_t, pread64, pread, (int fd, void *p, size_t len, off64_t at), (fd, p, len, at))
WRAP_BYTES(ssize_t, pwrite64, pwrite, (int fd, const void *p, size_t len, off64_t at),
           (fd, p, len, at))
WRAP_LATE(int, close, close, (int fd), (fd), -1)

DEFINE(int, open, (const char *path, int flags, ...))
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return faults_strike(CALL_open, HERE) ? -1 : NEXT(open)(path, flags, mode);
}

DEFINE(int, open64, (const char *path, int flags, ...))
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return faults_strike(CALL_open, HERE) ? -1 : NEXT(open64)(path, flags, mode);
}

/* A lock is always given back. */
static bool may_fail(int command, const struct flock *lock)
{
    return command != F_SETLK || lock->l_type != F_UNLCK;
}

DEFINE(int, fcntl, (int fd, int command, ...))
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    bool strikes = may_fail(command, argument) && faults_strike(CALL_fcntl, HERE);
    return strikes ? -1 : NEXT(fcntl)(fd, command, argument);
}

DEFINE(int, fcntl64, (int fd, int command, ...))
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    bool strikes = may_fail(command, argument) && faults_strike(CALL_fcntl, HERE);
    return strikes ? -1 : NEXT(fcntl64)(fd, command, argument);
}

/* ---- files of the C library ---- */

WRAP(FILE *, fopen, fopen, (const char *p, const char *m), (p, m), NULL)
WRAP(FILE *, fopen64, fopen, (const char *p, const char *m), (p, m), NULL)
WRAP(FILE *, tmpfile, tmpfile, (void), (), NULL)
WRAP(FILE *, tmpfile64, tmpfile, (void), (), NULL)
WRAP(FILE *, popen, popen, (const char *p, const char *m), (p, m), NULL)
WRAP(int, fseek, fseek, (FILE * f, long n, int w), (f, n, w), -1)
WRAP(int, fseeko64, fseek, (FILE * f, off64_t n, int w), (f, n, w), -1)
WRAP(int, fflush, fflush, (FILE * f), (f), EOF)
WRAP_LATE(int, fclose, fclose, (FILE * f), (f), EOF)

/* The file remembers that it has failed: ferror. */
static size_t fail_file(FILE *file)
{
    file->_flags |= _IO_ERR_SEEN;
    return 0;
}

WRAP(size_t, fread, fread, (void *p, size_t n, size_t count, FILE *f), (p, n, count, f),
     fail_file(f))
WRAP(size_t, fwrite, fwrite, (const void *p, size_t n, size_t count, FILE *f), (p, n, count, f),
     fail_file(f))

/* ---- the process ---- */

WRAP(int, getentropy, getentropy, (void *p, size_t n), (p, n), -1)
WRAP(int, gethostname, gethostname, (char *p, size_t n), (p, n), -1)
WRAP(int, nanosleep, nanosleep, (const struct timespec *a, struct timespec *b), (a, b), -1)
WRAP(pid_t, waitpid, waitpid, (pid_t p, int *s, int f), (p, s, f), -1)
/* These return the errno value. */
WRAP(int, pthread_create, pthread_create,
     (pthread_t * t, const pthread_attr_t *a, void *(*run)(void *), void *p), (t, a, run, p), errno)
WRAP(int, posix_spawnp, posix_spawnp,
     (pid_t * p, const char *f, const posix_spawn_file_actions_t *a, const posix_spawnattr_t *b,
      char *const v[], char *const e[]),
     (p, f, a, b, v, e), errno)

/* ---- the clock ---- */

static time_t ahead(void *caller)
{
    return faults_strike(CALL_time, caller) ? (time_t)faults_number() : 0;
}

DEFINE(time_t, time, (time_t * out))
{
    time_t now = NEXT(time)(NULL) + ahead(HERE);
    if (out != NULL) *out = now;
    return now;
}

DEFINE(int, clock_gettime, (clockid_t clock, struct timespec *out))
{
    int result = NEXT(clock_gettime)(clock, out);
    if (clock == CLOCK_REALTIME) out->tv_sec += ahead(HERE);
    return result;
}

DEFINE(int, gettimeofday, (struct timeval * out, void *zone))
{
    int result = NEXT(gettimeofday)(out, zone);
    out->tv_sec += ahead(HERE);
    return result;
}

/* ---- memory ---- */

#ifndef SANITIZED

/* Those of glibc by the names that dlsym does not need: it allocates. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

#define PUBLIC __attribute__((visibility("default")))

PUBLIC void *malloc(size_t size)
{
    return faults_strike(CALL_malloc, HERE) ? NULL : __libc_malloc(size);
}

PUBLIC void *calloc(size_t count, size_t size)
{
    return faults_strike(CALL_malloc, HERE) ? NULL : __libc_calloc(count, size);
}

/* What has room enough never fails, as Lua expects. */
PUBLIC void *realloc(void *memory, size_t size)
{
    bool grows = memory == NULL || size > malloc_usable_size(memory);
    return grows && faults_strike(CALL_malloc, HERE) ? NULL : __libc_realloc(memory, size);
}

#endif

/* The allocator of LuaJIT. */
WRAP(void *, mremap, mremap, (void *a, size_t n, size_t m, int f, ...), (a, n, m, f), MAP_FAILED)
