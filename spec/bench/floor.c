/* floor.c - what a message costs from Lua at least: a table for each, its fields read and checked
 * in C, framed as BDAT, and nothing else. No protocol: it trusts the server. See spec/bench/run.
 *
 * floor.open(port); send{ from=, to=, data= } waits for the replies; post{…} keeps 64 in flight;
 * close(). One connection for the process. */
#include <arpa/inet.h>
#include <lauxlib.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUT_MAX = 256 * 1024, IN_MAX = 64 * 1024, WINDOW = 64, REPLIES = 3, FRAME_MAX = 1024 };

static int fd = -1;
static char out[OUT_MAX], in[IN_MAX];
static size_t out_len, owed;

static size_t hear(lua_State *L)
{
    size_t lines = 0;
    ssize_t n = recv(fd, in, sizeof in, 0);
    if (n <= 0) luaL_error(L, "the connection is lost");
    const char *end = in + n;
    for (const char *at = in; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        lines++;
    return lines;
}

static void flush(lua_State *L)
{
    for (size_t at = 0; at < out_len;) {
        ssize_t n = send(fd, out + at, out_len - at, MSG_NOSIGNAL);
        if (n <= 0) luaL_error(L, "the connection is lost");
        at += (size_t)n;
    }
    out_len = 0;
}

static void settle(lua_State *L, size_t most)
{
    if (owed > most) flush(L);
    while (owed > most) {
        size_t lines = hear(L);
        owed -= lines < owed ? lines : owed;
    }
}

/* A table, its field `key` on the top. */
static const char *field(lua_State *L, const char *key, size_t *len)
{
    lua_getfield(L, 1, key);
    return luaL_checklstring(L, -1, len);
}

static void address(lua_State *L, const char *key, const char *before)
{
    size_t len, before_len = strlen(before);
    const char *text = field(L, key, &len);
    bool at = false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '<' || text[i] == '>')
            luaL_error(L, "%s is no address", key);
        at = at || text[i] == '@';
    }
    if (!at || len > 254) luaL_error(L, "%s is no address", key);
    memcpy(out + out_len, before, before_len);
    memcpy(out + out_len + before_len, text, len);
    memcpy(out + out_len + before_len + len, ">\r\n", 3);
    out_len += before_len + len + 3;
    lua_pop(L, 1);
}

static bool lines_are_whole(const char *data, size_t len)
{
    const char *end = data + len;
    for (const char *at = data; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        if (at == data || at[-1] != '\r') return false;
    return len >= 2 && end[-2] == '\r' && end[-1] == '\n';
}

static void message(lua_State *L)
{
    size_t len;
    luaL_checktype(L, 1, LUA_TTABLE);
    address(L, "from", "MAIL FROM:<");
    address(L, "to", "RCPT TO:<");
    const char *data = field(L, "data", &len);
    if (!lines_are_whole(data, len)) luaL_error(L, "the message has a bare line feed");
    if (len > OUT_MAX / 2) luaL_error(L, "the message is too long for this");
    out_len += (size_t)snprintf(out + out_len, 64, "BDAT %zu LAST\r\n", len);
    memcpy(out + out_len, data, len);
    out_len += len;
    owed += REPLIES;
    lua_pop(L, 1);
    if (out_len > OUT_MAX / 2 - FRAME_MAX) flush(L);
}

static int floor_send(lua_State *L)
{
    message(L);
    settle(L, 0);
    return 0;
}

static int floor_post(lua_State *L)
{
    if (owed >= (size_t)WINDOW * REPLIES) settle(L, (size_t)(WINDOW - 1) * REPLIES);
    message(L);
    return 0;
}

static int floor_open(lua_State *L)
{
    static const char ehlo[] = "EHLO floor.example\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    to.sin_port = htons((uint16_t)luaL_checkinteger(L, 1));
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        return luaL_error(L, "no connection");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    hear(L); /* a short greeting and the reply to EHLO: the sink sends each at once */
    memcpy(out, ehlo, sizeof ehlo - 1);
    out_len = sizeof ehlo - 1;
    flush(L);
    hear(L);
    return 0;
}

static int floor_close(lua_State *L)
{
    settle(L, 0);
    close(fd);
    return 0;
}

int luaopen_floor(lua_State *L);

int luaopen_floor(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"open", floor_open}, {"send", floor_send}, {"post", floor_post}, {"close", floor_close}};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushcfunction(L, functions[i].func);
        lua_setfield(L, -2, functions[i].name);
    }
    return 1;
}
