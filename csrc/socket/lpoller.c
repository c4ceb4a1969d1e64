/* lpoller.c - what an event loop of another library needs to know: which descriptor is awaited, for
 * what, and until when; and one descriptor in the place of several. */
#include "../port.h"

#include "lsocket.h"

#include <math.h>

#define POLLER "smtp.Poller"

enum { EVENTS_MAX = 64, ALARM_MAX = 86400 /* seconds */ };

struct poller {
    int fd;    /* -1: closed */
    int timer; /* -1: none yet */
};

/* ---- the system's part ---- */

#ifdef __linux__
#include <sys/epoll.h>
#include <sys/timerfd.h>

static int open_poller(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

/* Reports the next event of the descriptor, and no further one: what is not watched again must not
 * keep the poller readable. A descriptor that was closed is forgotten by the kernel. */
static bool watch(const struct poller *p, int fd, short events)
{
    struct epoll_event event = {.events = EPOLLONESHOT, .data.fd = fd};
    if (events & POLLIN) event.events |= EPOLLIN;
    if (events & POLLOUT) event.events |= EPOLLOUT;
    if (epoll_ctl(p->fd, EPOLL_CTL_MOD, fd, &event) == 0) return true;
    return errno == ENOENT && epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Writes the descriptors that have events. Returns how many these are, at most EVENTS_MAX. */
static int take_events(const struct poller *p, int fds[EVENTS_MAX], int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(p->fd, events, EVENTS_MAX, wait_ms);
    for (int i = 0; i < count; i++)
        fds[i] = events[i].data.fd;
    return count;
}

static bool set_alarm(struct poller *p, double seconds)
{
    if (p->timer < 0) p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (p->timer < 0) return false;
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)seconds}};
    at.it_value.tv_nsec = (long)((seconds - (double)at.it_value.tv_sec) * 1e9);
    if (at.it_value.tv_sec == 0 && at.it_value.tv_nsec == 0) at.it_value.tv_nsec = 1; /* 0: never */
    return timerfd_settime(p->timer, 0, &at, NULL) == 0 && watch(p, p->timer, POLLIN);
}
#else
static int open_poller(void)
{
    return -1;
}

static bool watch(const struct poller *p, int fd, short events)
{
    (void)p, (void)fd, (void)events;
    return false;
}

static int take_events(const struct poller *p, int fds[EVENTS_MAX], int wait_ms)
{
    (void)p, (void)fds, (void)wait_ms;
    return 0;
}

static bool set_alarm(struct poller *p, double seconds)
{
    (void)p, (void)seconds;
    return false;
}
#endif

/* ---- the class ---- */

static struct poller *to_poller(lua_State *L)
{
    return luaL_checkudata(L, 1, POLLER);
}

/** socket.poller() -> a poller | nil: this system has none, or no descriptor is left */
static int socket_poller(lua_State *L)
{
    struct poller *p = new_object(L, POLLER, sizeof *p);
    p->timer = -1;
    p->fd = open_poller();
    return p->fd >= 0 ? 1 : 0;
}

static int poller_close(lua_State *L)
{
    struct poller *p = to_poller(L);
    if (p->timer >= 0) close(p->timer);
    if (p->fd >= 0) close(p->fd);
    p->fd = p->timer = -1;
    return 0;
}

/** poller:fd() -> the descriptor that is readable once something that is watched can go on */
static int poller_fd(lua_State *L)
{
    lua_pushinteger(L, to_poller(L)->fd);
    return 1;
}

/** poller:watch(sock) -> true: the next event that the socket waits for, which had said "again" */
static int poller_watch(lua_State *L)
{
    const struct poller *p = to_poller(L);
    struct pollfd fds[SOCKET_AWAITED_MAX];
    int64_t until_ms;
    nfds_t count = connection_awaited(to_socket(L, 2), fds, &until_ms);
    bool ok = p->fd >= 0;
    for (nfds_t i = 0; i < count && ok; i++)
        if (fds[i].fd >= 0) ok = watch(p, fds[i].fd, fds[i].events);
    lua_pushboolean(L, ok);
    return 1;
}

/** poller:add(fd, events) -> true: the next event of this descriptor, "r", "w" or "rw" */
static int poller_add(lua_State *L)
{
    const struct poller *p = to_poller(L);
    int fd = (int)lcompat_count(L, 2, INT32_MAX);
    const char *events = luaL_checkstring(L, 3);
    short wanted = 0;
    if (strchr(events, 'r') != NULL) wanted |= POLLIN;
    if (strchr(events, 'w') != NULL) wanted |= POLLOUT;
    lua_pushboolean(L, p->fd >= 0 && watch(p, fd, wanted));
    return 1;
}

/** poller:alarm(seconds) -> true: it is readable after so many seconds, up to a day */
static int poller_alarm(lua_State *L)
{
    struct poller *p = to_poller(L);
    lua_Number seconds = luaL_checknumber(L, 2);
    if (!(seconds > 0)) seconds = 0;
    if (seconds > ALARM_MAX) seconds = ALARM_MAX;
    lua_pushboolean(L, p->fd >= 0 && set_alarm(p, (double)seconds));
    return 1;
}

/** poller:wait(seconds) -> the descriptors that are ready, each of which is not watched any more */
static int poller_wait(lua_State *L)
{
    const struct poller *p = to_poller(L);
    lua_Number seconds = luaL_optnumber(L, 2, 0);
    int fds[EVENTS_MAX], count, found = 0;
    int wait_ms =
        seconds > 0 ? (int)ceil((seconds < ALARM_MAX ? (double)seconds : ALARM_MAX) * 1000) : 0;
    lua_newtable(L);
    do {
        count = p->fd >= 0 ? take_events(p, fds, wait_ms) : 0;
        for (int i = 0; i < count; i++) {
            lua_pushinteger(L, fds[i]);
            lua_rawseti(L, -2, ++found);
        }
        wait_ms = 0;
    } while (count == EVENTS_MAX);
    return 1;
}

static const luaL_Reg poller_methods[] = {
    METHOD(poller, fd),   METHOD(poller, watch), METHOD(poller, add), METHOD(poller, alarm),
    METHOD(poller, wait), METHOD(poller, close), {NULL, NULL}};

/* ---- what sockets wait for ---- */

static const char *events_word(short events)
{
    if ((events & POLLIN) == 0) return "w";
    return (events & POLLOUT) != 0 ? "rw" : "r";
}

/** socket.awaited(socks) -> seconds until one of these sockets, which had said "again", can go on
 * in any case, nil where there are none; how many descriptors they wait for; and where that is one,
 * the descriptor, and "r", "w" or "rw" */
static int socket_awaited(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int64_t first_ms = INT64_MAX, until_ms;
    struct pollfd fds[SOCKET_AWAITED_MAX], last = {0};
    lua_Integer found = 0;
    size_t count = lcompat_rawlen(L, 1);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        nfds_t own = connection_awaited(to_socket(L, lua_gettop(L)), fds, &until_ms);
        lua_pop(L, 1);
        if (until_ms < first_ms) first_ms = until_ms;
        for (; own > 0; own--) {
            if (fds[own - 1].fd < 0) continue;
            found++;
            last = fds[own - 1];
        }
    }
    if (count == 0) return 0;
    /* One more millisecond, as in wait_poll. */
    int64_t left_ms = first_ms - wait_now_ms() + 1;
    lua_pushnumber(L, left_ms > 0 && first_ms != 0 ? (lua_Number)left_ms / 1000 : 0);
    lua_pushinteger(L, found);
    if (found != 1) return 2;
    lua_pushinteger(L, last.fd);
    lua_pushstring(L, events_word(last.events));
    return 4;
}

static const luaL_Reg functions[] = {METHOD(socket, poller), METHOD(socket, awaited), {NULL, NULL}};

void lpoller_open(lua_State *L)
{
    new_class(L, POLLER, poller_methods, poller_close);
    lcompat_setfuncs(L, functions);
}
