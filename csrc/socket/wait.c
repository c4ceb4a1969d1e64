/* wait.c - the clock, and waiting for descriptors. */
#include "socket.h"

#include <limits.h>

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
