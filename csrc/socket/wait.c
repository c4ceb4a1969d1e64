/* wait.c - the clock, and waiting for descriptors. */
#include "socket.h"

#include <limits.h>
#include <stdlib.h>

enum { FEW = 16 }; /* descriptors that need no memory of their own */

int64_t wait_now_ms(void)
{
    return port_now_us() / 1000;
}

int64_t wait_deadline_ms(int timeout_ms)
{
    return timeout_ms <= 0 ? 0 : wait_now_ms() + timeout_ms;
}

bool wait_is_over(int64_t deadline_ms)
{
    return deadline_ms == 0 || wait_now_ms() >= deadline_ms;
}

const char *wait_poll(struct pollfd *fds, nfds_t count, int64_t deadline_ms)
{
    /* The clock was cut to whole milliseconds: one more, so as not to wake early and spin. */
    int64_t left = deadline_ms == 0 ? 0 : deadline_ms - wait_now_ms() + 1;
    if (left < 0) left = 0;
    int ready = poll(fds, count, left > INT_MAX ? INT_MAX : (int)left);
    if (ready > 0) return NULL;
    if (ready == 0) return "timeout";
    if (errno != EINTR) return "system";
    return wait_is_over(deadline_ms) ? "timeout" : "again"; /* even if signals come without end */
}

const char *wait_fd(int fd, short events, int64_t deadline_ms, short *ready)
{
    struct pollfd one = {.fd = fd, .events = events};
    const char *word = wait_poll(&one, 1, deadline_ms);
    *ready = one.revents;
    return word;
}

const char *wait_many(struct waiting *list, size_t count, int64_t deadline_ms)
{
    struct pollfd one[SOCKET_AWAITED_MAX];
    int64_t until_ms;
    nfds_t fd_count = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        fd_count += stream_awaited(list[i].socket, one, &until_ms);
        if (until_ms < deadline_ms) deadline_ms = until_ms;
    }
    struct pollfd few[FEW + SOCKET_AWAITED_MAX], *fds = few;
    if (fd_count > FEW) fds = malloc((fd_count + SOCKET_AWAITED_MAX) * sizeof *fds);
    if (fds == NULL) return "system";
    for (size_t i = 0; i < count; i++)
        at += stream_awaited(list[i].socket, fds + at, &until_ms);
    const char *word = wait_poll(fds, fd_count, deadline_ms);
    int64_t now_ms = wait_now_ms();
    at = 0;
    for (size_t i = 0; i < count; i++) {
        nfds_t own = stream_awaited(list[i].socket, one, &until_ms);
        list[i].ready = until_ms <= now_ms;
        for (; own > 0; own--)
            if (fds[at++].revents != 0) list[i].ready = true;
    }
    if (fds != few) free(fds);
    return word != NULL && strcmp(word, "timeout") == 0 ? NULL : word;
}
