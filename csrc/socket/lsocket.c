/* lsocket.c - the module smtp.socket: sockets as Lua objects.
 *
 * An object is closed before it is open: its metatable is set, its descriptor is -1, and only then
 * is anything acquired, so that the collector can always close it. Arguments are all read before
 * anything is pushed. Failing methods return nil, a stable word, and a sentence. */
#include "../port.h"

#include "lsocket.h"

enum {
    RECEIVED_MAX = 16384, /* bytes that sock:receiveany returns at once */
    FEW = 16              /* sockets that wait together, and need no memory of their own */
};

static int milliseconds(lua_State *L, int index)
{
    lua_Number ms = luaL_checknumber(L, index);
    if (!(ms > 0)) return 0;
    return ms > 86400000.0 ? 86400000 : (int)ms;
}

/* Returns the port, 0 where the argument is nil. */
static int port_arg(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) ? 0 : (int)lcompat_count(L, index, 65535);
}

static const char *io_send(void *socket, const char *data, size_t len, int timeout_ms, size_t *sent)
{
    struct smtp_socket *s = socket;
    s->until_ms = 0;
    s->send_ms = timeout_ms;
    return stream_ended(s, connection_send(s, data, len, sent));
}

static const char *io_receive(void *socket, int timeout_ms, const char **data, size_t *len)
{
    struct smtp_socket *s = socket;
    if (timeout_ms == 0) s->until_ms = 0; /* else a call that said "again" goes on */
    s->read_ms = timeout_ms;
    return stream_ended(s, connection_receive(s, SOCKET_INPUT_MAX, data, len));
}

static struct smtp_socket *push_socket(lua_State *L)
{
    struct smtp_socket *s = lua_newuserdata(L, sizeof *s);
    connection_init(s);
    s->io = (struct smtp_io){.socket = s, .send = io_send, .receive = io_receive};
    lcompat_setmetatable(L, SOCKET);
    return s;
}

/** socket.new() -> a closed socket */
static int socket_new(lua_State *L)
{
    push_socket(L);
    return 1;
}

/** sock:io() -> for session:flights; the socket must outlive it */
static int socket_io(lua_State *L)
{
    lua_pushlightuserdata(L, &to_socket(L, 1)->io);
    return 1;
}

/** sock:settimeouts(connect, send, read): milliseconds for each call to come */
static int socket_settimeouts(lua_State *L)
{
    struct smtp_socket *s = to_socket(L, 1);
    s->until_ms = 0;
    s->connect_ms = milliseconds(L, 2);
    s->send_ms = milliseconds(L, 3);
    s->read_ms = milliseconds(L, 4);
    return 0;
}

/** sock:connect(host, port [, source_address]) -> true; host may be "unix:/path" */
static int socket_connect(lua_State *L)
{
    struct smtp_socket *s = to_socket(L, 1);
    const char *host = luaL_checkstring(L, 2);
    int port = port_arg(L, 3);
    const char *source = luaL_optstring(L, 4, "");
    const char *word = stream_ended(s, connect_run(s, host, port, source));
    return push_result(L, word, s->text);
}

/** sock:send(data) -> bytes sent; fewer: there is something to read first. After nil, word, text
 *  comes the number of bytes that did leave. */
static int socket_send(lua_State *L)
{
    struct smtp_socket *s = to_socket(L, 1);
    struct smtp_text data = text_arg(L, 2);
    size_t sent;
    const char *word = stream_ended(s, connection_send(s, data.data, data.len, &sent));
    if (word != NULL) push_result(L, word, s->text);
    lua_pushinteger(L, (lua_Integer)sent);
    return word != NULL ? 4 : 1;
}

/** sock:receiveany(max) -> 1 to max bytes */
static int socket_receiveany(lua_State *L)
{
    struct smtp_socket *s = to_socket(L, 1);
    size_t max = lcompat_count(L, 2, LCOMPAT_SIZE_MAX), len;
    const char *data;
    char own[RECEIVED_MAX]; /* a finalizer that runs before Lua has copied may receive as well */
    luaL_argcheck(L, max > 0, 2, "at least 1");
    if (max > sizeof own) max = sizeof own;
    const char *word = stream_ended(s, connection_receive(s, max, &data, &len));
    if (word != NULL) return push_result(L, word, s->text);
    memcpy(own, data, len);
    lua_pushlstring(L, own, len);
    return 1;
}

static int push_address(lua_State *L, const struct address *address)
{
    char host[SOCKET_NAME_LEN_MAX];
    int port;
    address_format(address, host, &port);
    if (host[0] == '\0') return 0;
    lua_pushstring(L, host);
    lua_pushinteger(L, port);
    return 2;
}

static int push_name(lua_State *L, int fd, int (*ask)(int, struct sockaddr *, socklen_t *))
{
    struct address address = {.len = sizeof address.u};
    if (fd < 0 || ask(fd, &address.u.any, &address.len) < 0) return 0;
    return push_address(L, &address);
}

/** sock:getpeername(), sock:getsockname() -> address, port */
static int socket_getpeername(lua_State *L)
{
    const struct smtp_socket *s = to_socket(L, 1);
    if (s->fd >= 0 && s->address.len > 0) return push_address(L, &s->address);
    return push_name(L, s->fd, getpeername);
}

static int socket_getsockname(lua_State *L)
{
    return push_name(L, to_socket(L, 1)->fd, getsockname);
}

/** sock:nonblocking(on): its methods return nil, "again" where they would wait. Then call
 *  socket.wait, and the same again: it returns nil, "timeout" once its time is over. */
static int socket_nonblocking(lua_State *L)
{
    to_socket(L, 1)->nonblocking = lua_toboolean(L, 2);
    return 0;
}

/** sock:is_own() -> did this process open it, not one of which this is a fork? */
static int socket_is_own(lua_State *L)
{
    lua_pushboolean(L, to_socket(L, 1)->pid == getpid());
    return 1;
}

/** sock:tlsinfo(), sock:certificate(), sock:verified_until(), sock:channel_binding() -> nil: there
 *  is no TLS before smtp.tls is loaded, which has these methods as well. */
static int socket_has_no_tls(lua_State *L)
{
    (void)to_socket(L, 1);
    return 0;
}

static int socket_close(lua_State *L)
{
    connection_close(to_socket(L, 1));
    return push_result(L, NULL, NULL);
}

/* The collector closes the descriptor and writes nothing: the process may be a forked child. */
static int socket_gc(lua_State *L)
{
    connection_drop(to_socket(L, 1));
    return 0;
}

/* ---- listening ---- */

/** socket.listen(address, port, backlog) or socket.listen("unix:/path") -> a socket that listens
 * `backlog`: how many clients may wait to be accepted; nil: as many as the system allows */
static int socket_listen(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1);
    int port = port_arg(L, 2);
    int backlog = lua_isnoneornil(L, 3) ? SOMAXCONN : (int)lcompat_count(L, 3, SOMAXCONN);
    struct smtp_socket *l = push_socket(L);
    const char *word = listen_open(l, host, port, backlog);
    return word == NULL ? 1 : push_result(L, word, l->text);
}

/** sock:accept(milliseconds) -> sock */
static int socket_accept(lua_State *L)
{
    struct smtp_socket *l = to_socket(L, 1);
    int timeout_ms = milliseconds(L, 2);
    struct smtp_socket *s = push_socket(L);
    const char *word = listen_accept(l, s, timeout_ms);
    return word == NULL ? 1 : push_result(L, word, l->text);
}

static const luaL_Reg socket_methods[] = {METHOD(socket, settimeouts),
                                          METHOD(socket, connect),
                                          METHOD(socket, send),
                                          METHOD(socket, receiveany),
                                          METHOD(socket, getpeername),
                                          METHOD(socket, getsockname),
                                          METHOD(socket, nonblocking),
                                          METHOD(socket, io),
                                          METHOD(socket, is_own),
                                          METHOD(socket, close),
                                          METHOD(socket, accept),
                                          {"tlsinfo", socket_has_no_tls},
                                          {"certificate", socket_has_no_tls},
                                          {"verified_until", socket_has_no_tls},
                                          {"channel_binding", socket_has_no_tls},
                                          {NULL, NULL}};

/* ---- many sockets ---- */

/* Goes on with the flights that wait for those sockets that are ready. Returns whether all of these
 * wait again. */
static bool go_on(struct waiting *list, size_t count)
{
    bool any = false, all = true;
    for (size_t i = 0; i < count; i++) {
        const struct smtp_io *io = &list[i].socket->io;
        if (!list[i].ready) continue;
        any = true;
        list[i].ready = io->go_on == NULL || !io->go_on(io->flight);
        all = all && !list[i].ready;
    }
    return any && all;
}

/** socket.wait(socks, milliseconds, with_flights) -> the indices of those sockets that may go on,
 * each of which had said "again"; none where the time is over | nil, "again": a signal came. With
 * `with_flights`, what session:flights waits for is done here as far as it can be, and the caller
 * has fewer turns. */
static int socket_wait(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int64_t deadline_ms = wait_deadline_ms(milliseconds(L, 2));
    bool with_flights = lua_toboolean(L, 3);
    struct waiting few[FEW], *list = few;
    size_t count = lcompat_rawlen(L, 1);
    if (count > FEW) list = lua_newuserdata(L, count * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        list[i] = (struct waiting){.socket = to_socket(L, lua_gettop(L))};
        lua_pop(L, 1);
    }
    const char *word;
    do {
        word = connection_wait_many(list, count, deadline_ms);
    } while (word == NULL && with_flights && go_on(list, count) && !wait_is_over(deadline_ms));
    if (word != NULL) return push_result(L, word, "cannot wait");
    lua_createtable(L, (int)(count < FEW ? count : FEW), 0);
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        if (!list[i].ready) continue;
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_rawseti(L, -2, ++found);
    }
    return 1;
}

static const luaL_Reg functions[] = {
    METHOD(socket, new), METHOD(socket, wait), METHOD(socket, listen), {NULL, NULL}};

LCOMPAT_EXPORT int luaopen_smtp_socket(lua_State *L);

/* sock.duplex: a socket can be read while a write would wait. */
static void set_fields(lua_State *L)
{
    luaL_getmetatable(L, SOCKET);
    set_number(L, LAYOUT_FIELD, SOCKET_LAYOUT);
    lua_getfield(L, -1, "__index");
    set_flag(L, "duplex", true);
    lua_pop(L, 2);
}

LCOMPAT_EXPORT int luaopen_smtp_socket(lua_State *L)
{
    prevent_unloading(luaopen_smtp_socket); /* a thread of the resolver may still run */
    new_class(L, SOCKET, socket_methods, socket_gc);
    set_fields(L);
    lcompat_newlib(L, functions);
    lcommand_open(L);
    lprivate_open(L);
    lmailbox_open(L);
    lpoller_open(L);
    return 1;
}
