/* lsocket.c - the module smtp.socket: sockets, TLS settings and listeners as Lua objects.
 *
 * An object is closed before it is open: its metatable is set, its descriptor is -1, and only then
 * is anything acquired, so that the collector can always close it. Arguments are all read before
 * anything is pushed. Failing methods return nil, a stable word, and a sentence. */
#include "../port.h"

#include "lcommand.h"
#include "socket.h"

#include <dlfcn.h>

#define SOCKET   "smtp.Socket"
#define LISTENER "smtp.Listener"
#define CONTEXT  "smtp.TlsContext"

static struct smtp_socket *to_socket(lua_State *L, int index)
{
    return luaL_checkudata(L, index, SOCKET);
}

static int fail(lua_State *L, const char *word, const char *text)
{
    lua_pushnil(L);
    lua_pushstring(L, word);
    lua_pushstring(L, text);
    return 3;
}

static int succeed(lua_State *L)
{
    lua_pushboolean(L, 1);
    return 1;
}

static int milliseconds(lua_State *L, int index)
{
    lua_Number ms = luaL_checknumber(L, index);
    if (!(ms > 0)) return 0;
    return ms > 86400000.0 ? 86400000 : (int)ms;
}

/* 0 where there is none. */
static int port_arg(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) ? 0 : (int)lcompat_count(L, index, 65535);
}

static struct smtp_socket *push_socket(lua_State *L)
{
    struct smtp_socket *s = lua_newuserdata(L, sizeof *s);
    stream_init(s);
    lcompat_setmetatable(L, SOCKET);
    lua_newtable(L); /* keeps what the connection borrows */
    lua_setuservalue(L, -2);
    return s;
}

/** socket.new() -> a closed socket */
static int socket_new(lua_State *L)
{
    push_socket(L);
    return 1;
}

/* The end of a call, unless it is to be called again. */
static const char *ended(struct smtp_socket *s, const char *word)
{
    if (word == NULL || strcmp(word, "again") != 0) s->until_ms = 0;
    return word;
}

static const char *io_send(void *socket, const char *data, size_t len, int timeout_ms, size_t *sent)
{
    struct smtp_socket *s = socket;
    s->until_ms = 0;
    s->send_ms = timeout_ms;
    return ended(s, stream_send(s, data, len, sent));
}

static const char *io_receive(void *socket, int timeout_ms, const char **data, size_t *len)
{
    struct smtp_socket *s = socket;
    s->until_ms = 0;
    s->read_ms = timeout_ms;
    const char *word = ended(s, stream_receive(s, HOST_INPUT_MAX));
    if (word != NULL) return word;
    *data = (const char *)s->in + s->in_start;
    *len = s->in_end - s->in_start;
    s->in_start = s->in_end;
    return NULL;
}

/** sock:io() -> for session:flights; the socket must outlive it */
static int socket_io(lua_State *L)
{
    struct smtp_socket *s = to_socket(L, 1);
    s->io = (struct smtp_io){.socket = s, .send = io_send, .receive = io_receive};
    lua_pushlightuserdata(L, &s->io);
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
    const char *word = ended(s, connect_run(s, host, port, source));
    return word == NULL ? succeed(L) : fail(L, word, s->text);
}

/** sock:send(data) -> bytes sent; fewer: there is something to read first. After nil, word, text
 *  comes the number of bytes that did leave. */
static int socket_send(lua_State *L)
{
    struct smtp_socket *s = to_socket(L, 1);
    size_t len, sent;
    const char *data = luaL_checklstring(L, 2, &len);
    const char *word = ended(s, stream_send(s, data, len, &sent));
    if (word != NULL) fail(L, word, s->text);
    lua_pushinteger(L, (lua_Integer)sent);
    return word != NULL ? 4 : 1;
}

/** sock:receiveany(max) -> 1 to max bytes */
static int socket_receiveany(lua_State *L)
{
    struct smtp_socket *s = to_socket(L, 1);
    size_t max = lcompat_count(L, 2, LCOMPAT_SIZE_MAX);
    luaL_argcheck(L, max > 0, 2, "at least 1");
    const char *word = ended(s, stream_receive(s, max));
    if (word != NULL) return fail(L, word, s->text);
    size_t len = s->in_end - s->in_start;
    if (len > max) len = max;
    lua_pushlstring(L, (const char *)s->in + s->in_start, len);
    s->in_start += len;
    return 1;
}

static int shake(lua_State *L, struct smtp_socket *s, int context, const char *name)
{
    struct tls_context *c = luaL_checkudata(L, context, CONTEXT);
    lua_getuservalue(L, 1); /* the context must live as long as the connection */
    lua_pushvalue(L, context);
    lua_setfield(L, -2, "context");
    const char *word = ended(s, tls_handshake(s, c, name));
    return word == NULL ? succeed(L) : fail(L, word, s->text);
}

/** sock:sslhandshake(session, name, verify, context) -> true. `verify` is the context's. */
static int socket_sslhandshake(lua_State *L)
{
    struct smtp_socket *s = to_socket(L, 1);
    const char *name = luaL_optstring(L, 3, NULL);
    return shake(L, s, 5, name);
}

/** sock:sslaccept(context) -> true: the server's side */
static int socket_sslaccept(lua_State *L)
{
    return shake(L, to_socket(L, 1), 2, NULL);
}

/** sock:tlsinfo() -> { version, cipher, verified, resumed } | nil */
static int socket_tlsinfo(lua_State *L)
{
    struct tls_info info;
    if (!tls_describe(to_socket(L, 1), &info)) return 0;
    lua_createtable(L, 0, 4);
    set_string(L, "version", info.version);
    set_string(L, "cipher", info.cipher);
    set_flag(L, "verified", info.verified);
    set_flag(L, "resumed", info.resumed);
    return 1;
}

/* Seconds since 1970, which may be negative. */
static void set_time(lua_State *L, const char *key, int64_t seconds)
{
    lua_pushnumber(L, (lua_Number)seconds);
    lua_setfield(L, -2, key);
}

/** sock:certificate() -> { subject, issuer, names, not_before, not_after, key_pin } of the peer |
 * nil */
static int socket_certificate(lua_State *L)
{
    struct tls_certificate c;
    if (!tls_certificate(to_socket(L, 1), &c)) return 0;
    lua_createtable(L, 0, 6);
    set_string(L, "subject", c.subject);
    set_string(L, "issuer", c.issuer);
    set_string(L, "names", c.names);
    set_time(L, "not_before", c.not_before);
    set_time(L, "not_after", c.not_after);
    set_string(L, "key_pin", c.key_pin);
    return 1;
}

/** sock:channel_binding() -> type, bytes (RFC 5056) | nil: there is none */
static int socket_channel_binding(lua_State *L)
{
    struct tls_binding b;
    if (!tls_bind(to_socket(L, 1), &b)) return 0;
    lua_pushstring(L, b.type);
    lua_pushlstring(L, (const char *)b.data, b.len);
    return 2;
}

static int push_address(lua_State *L, const struct address *address)
{
    char host[HOST_NAME_LEN_MAX];
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
    if (s->fd >= 0 && s->peer.len > 0) return push_address(L, &s->peer);
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

static int socket_getfd(lua_State *L)
{
    lua_pushinteger(L, to_socket(L, 1)->fd);
    return 1;
}

static int socket_close(lua_State *L)
{
    stream_close(to_socket(L, 1));
    return succeed(L);
}

/* The collector closes the descriptor and writes nothing: the process may be a forked child. */
static int socket_gc(lua_State *L)
{
    stream_drop(to_socket(L, 1));
    return 0;
}

static const luaL_Reg socket_methods[] = {METHOD(socket, settimeouts),
                                          METHOD(socket, connect),
                                          METHOD(socket, send),
                                          METHOD(socket, receiveany),
                                          METHOD(socket, sslhandshake),
                                          METHOD(socket, sslaccept),
                                          METHOD(socket, tlsinfo),
                                          METHOD(socket, certificate),
                                          METHOD(socket, channel_binding),
                                          METHOD(socket, getpeername),
                                          METHOD(socket, getsockname),
                                          METHOD(socket, nonblocking),
                                          METHOD(socket, io),
                                          METHOD(socket, getfd),
                                          METHOD(socket, close),
                                          {NULL, NULL}};

/* ---- TLS settings ---- */

static const char *string_field(lua_State *L, const char *key)
{
    lua_getfield(L, 1, key);
    const char *value = luaL_optstring(L, -1, NULL);
    lua_pop(L, 1); /* table 1 keeps it */
    return value;
}

/** socket.tls_context{ verify, ca_file, ca_path, cert, key, min_version, max_version, pin, server }
 *  -> context | nil, the option that is wrong, why. Versions are "1.2" and "1.3". */
static int socket_tls_context(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    const char *min_version = string_field(L, "min_version");
    const char *max_version = string_field(L, "max_version");
    const char *pin = string_field(L, "pin");
    struct tls_settings settings = {
        .verify = flag_field(L, "verify"),
        .server = flag_field(L, "server"),
        .tls13_only = min_version != NULL && strcmp(min_version, "1.3") == 0,
        .tls12_only = max_version != NULL && strcmp(max_version, "1.2") == 0,
        .ca_file = string_field(L, "ca_file"),
        .ca_path = string_field(L, "ca_path"),
        .cert = string_field(L, "cert"),
        .key = string_field(L, "key"),
    };
    struct tls_context *c = lua_newuserdata(L, sizeof *c);
    memset(c, 0, sizeof *c);
    lcompat_setmetatable(L, CONTEXT);
    const char *option = tls_context_open(c, &settings);
    if (option == NULL && pin != NULL) option = tls_context_pin(c, pin, strlen(pin));
    return option == NULL ? 1 : fail(L, option, c->text);
}

static int context_gc(lua_State *L)
{
    tls_context_close(luaL_checkudata(L, 1, CONTEXT));
    return 0;
}

/* ---- listeners ---- */

static struct smtp_listener *to_listener(lua_State *L)
{
    return luaL_checkudata(L, 1, LISTENER);
}

/** socket.listen(address, port) or socket.listen("unix:/path") -> listener */
static int socket_listen(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1);
    int port = port_arg(L, 2);
    struct smtp_listener *l = lua_newuserdata(L, sizeof *l);
    memset(l, 0, sizeof *l);
    l->fd = -1;
    lcompat_setmetatable(L, LISTENER);
    const char *word = listen_open(l, host, port, 64);
    return word == NULL ? 1 : fail(L, word, l->text);
}

/** listener:nonblocking(on): accept returns nil, "again" where it would wait; see sock:nonblocking.
 */
static int listener_nonblocking(lua_State *L)
{
    to_listener(L)->nonblocking = lua_toboolean(L, 2);
    return 0;
}

/** listener:accept(milliseconds) -> sock */
static int listener_accept(lua_State *L)
{
    struct smtp_listener *l = to_listener(L);
    int timeout_ms = milliseconds(L, 2);
    struct smtp_socket *s = push_socket(L);
    const char *word = listen_accept(l, s, timeout_ms);
    return word == NULL ? 1 : fail(L, word, l->text);
}

static int listener_getsockname(lua_State *L)
{
    return push_name(L, to_listener(L)->fd, getsockname);
}

static int listener_close(lua_State *L)
{
    listen_close(to_listener(L));
    return succeed(L);
}

static int listener_gc(lua_State *L)
{
    listen_close(to_listener(L));
    return 0;
}

static const luaL_Reg listener_methods[] = {METHOD(listener, accept),
                                            METHOD(listener, nonblocking),
                                            METHOD(listener, getsockname),
                                            METHOD(listener, close),
                                            {NULL, NULL}};

/* ---- many sockets ---- */

/* A socket or a listener. */
static struct waiting to_waiting(lua_State *L, int index)
{
    bool listens;
    luaL_getmetatable(L, LISTENER);
    listens = lua_getmetatable(L, index) && lua_rawequal(L, -1, -2);
    lua_settop(L, index);
    if (listens) return (struct waiting){.listener = lua_touserdata(L, index)};
    return (struct waiting){.socket = to_socket(L, index)};
}

/** socket.wait(socks, milliseconds) -> the indices of those that may go on, each of which had said
 *  "again"; none where the time is over. A listener is one of them as well. nil, "again": a signal
 *  came */
static int socket_wait(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int64_t deadline_ms = host_deadline_ms(milliseconds(L, 2));
    size_t count = lcompat_rawlen(L, 1);
    struct waiting *list = lua_newuserdata(L, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        list[i] = to_waiting(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    const char *word = host_wait_many(list, count, deadline_ms);
    if (word != NULL) return fail(L, word, "cannot wait");
    lua_newtable(L);
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        if (!list[i].ready) continue;
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_rawseti(L, -2, ++found);
    }
    return 1;
}

static const luaL_Reg functions[] = {METHOD(socket, new),
                                     METHOD(socket, wait),
                                     METHOD(socket, listen),
                                     METHOD(socket, tls_context),
                                     {NULL, NULL}};

LCOMPAT_EXPORT int luaopen_smtp_socket(lua_State *L);

/* sock.duplex: a socket can be read while a write would wait. */
static void set_duplex(lua_State *L)
{
    luaL_getmetatable(L, SOCKET);
    lua_getfield(L, -1, "__index");
    set_flag(L, "duplex", true);
    lua_pop(L, 2);
}

/* OpenSSL keeps pointers into the object that used it, which must never be unloaded. */
static void prevent_unloading(void)
{
    Dl_info self;
    if (dladdr((void *)(size_t)luaopen_smtp_socket, &self) != 0 && self.dli_fname != NULL)
        (void)dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE | RTLD_NOLOAD);
}

LCOMPAT_EXPORT int luaopen_smtp_socket(lua_State *L)
{
    prevent_unloading();
    static const luaL_Reg none[] = {{NULL, NULL}};
    new_class(L, SOCKET, socket_methods, socket_gc);
    set_duplex(L);
    new_class(L, LISTENER, listener_methods, listener_gc);
    new_class(L, CONTEXT, none, context_gc);
    lcompat_newlib(L, functions);
    lcommand_open(L);
    return 1;
}
