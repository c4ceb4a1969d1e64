/* faults.h - what the files of the failing machine share: see faults.c. */
#ifndef FAULTS_H
#define FAULTS_H

#define _GNU_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma GCC visibility push(hidden)

/* The functions that can fail; `time` is also clock_gettime of the time of day, and gettimeofday. A
 * function with two names has one here. */
#define CALL_NAMES(X)                                                                              \
    X(accept4)                                                                                     \
    X(access) X(bind) X(close) X(connect) X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(fclose)    \
        X(fcntl) X(fdatasync) X(fflush) X(fopen) X(fread) X(fseek) X(fstat) X(fsync) X(ftruncate)  \
            X(fwrite) X(getaddrinfo) X(getentropy) X(gethostname) X(getpeername) X(getsockname)    \
                X(getsockopt) X(listen) X(lstat) X(malloc) X(mkdir) X(mmap) X(mremap) X(nanosleep) \
                    X(open) X(opendir) X(pipe2) X(poll) X(popen) X(posix_spawnp) X(pread)          \
                        X(pthread_create) X(pwrite) X(read) X(recv) X(send) X(setsockopt)          \
                            X(socket) X(stat) X(time) X(timerfd_create) X(timerfd_settime)         \
                                X(tmpfile) X(unlink) X(waitpid) X(write)

enum {
#define X(name) CALL_##name,
    CALL_NAMES(X)
#undef X
        CALLS
};

enum { FAULTS_ERRNO, FAULTS_RESULT, FAULTS_SHORT, FAULTS_JUMP };

/* Is this call, by the code at this address, one that fails? Then errno is set. */
bool faults_strike(int call, void *caller_address);
/* How it fails, and the number of the plan. */
int faults_way(void);
long faults_number(void);

#pragma GCC visibility pop

#endif
