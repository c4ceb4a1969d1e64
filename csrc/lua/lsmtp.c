/* lsmtp.c - the module smtp.core: grammar, what a host knows, and all that the other files have. */
#include "../port.h"

#include "idna.h"
#include "lsmtp.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/** core.address(text) -> canonical Mailbox | nil, why (a sentence) */
static int core_address(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    char out[SMTP_TEXT_MAX];
    const char *why;
    lua_pushlstring(L, out, smtp_address_check(text.data, text.len, out, &why));
    return why == NULL ? 1 : push_failure(L, why);
}

/** core.domain(text) -> true | nil, why: a domain or an address literal */
static int core_domain(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    const char *why = smtp_domain_check(text.data, text.len);
    lua_pushboolean(L, why == NULL);
    return why == NULL ? 1 : push_failure(L, why);
}

/* The length of an IPv6 address without its zone (fe80::1%eth0), which is this host's own affair.
 */
static size_t len_without_zone(struct smtp_text text)
{
    const char *zone = memchr(text.data, '%', text.len), *end = text.data + text.len;
    if (zone == NULL || zone + 1 == end) return text.len;
    for (const char *at = zone + 1; at < end; at++)
        if (*at <= ' ' || *at > '~') return text.len;
    return (size_t)(zone - text.data);
}

/** core.literal(address) -> the address literal of an IP address (RFC 5321 4.1.3) | nil */
static int core_literal(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    char literal[64];
    bool is_ipv6 = memchr(text.data, ':', text.len) != NULL;
    if (is_ipv6) text.len = len_without_zone(text);
    if (text.len >= sizeof literal || memchr(text.data, '\0', text.len) != NULL) return 0;
    int len = snprintf(literal, sizeof literal, "%s%.*s]", is_ipv6 ? "[IPv6:" : "[", (int)text.len,
                       text.data);
    if ((size_t)len >= sizeof literal || smtp_domain_check(literal, (size_t)len) != NULL) return 0;
    lua_pushlstring(L, literal, (size_t)len);
    return 1;
}

/** core.idna(domain) -> the domain in A-labels, in U-labels | nil, word (see idna_convert) */
static int core_idna(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    struct idna_domain domain;
    const char *word = idna_convert(text.data, text.len, &domain);
    lua_settop(L, 0);
    if (word != NULL) lua_pushnil(L);
    lua_pushstring(L, word != NULL ? word : domain.ascii);
    if (word == NULL) lua_pushstring(L, domain.unicode);
    return 2;
}

/** core.random(count) -> that many random bytes (at most 256), nil where the system has none. */
static int core_random(lua_State *L)
{
    char bytes[256];
    size_t count = lcompat_count(L, 1, sizeof bytes);
    luaL_argcheck(L, count > 0, 1, "1 to 256");
    if (!port_random(bytes, count)) return 0;
    lua_pushlstring(L, bytes, count);
    return 1;
}

/** core.can_yield() -> see lcompat_can_yield */
static int core_can_yield(lua_State *L)
{
    lua_pushboolean(L, lcompat_can_yield(L));
    return 1;
}

/** core.hostname() -> the host's own name, "" where it has none; no DNS. */
static int core_hostname(lua_State *L)
{
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0) name[0] = '\0';
    lua_pushstring(L, name);
    return 1;
}

/** core.now() -> seconds of a clock that only goes forward. */
static int core_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)port_now_us() / 1e6);
    return 1;
}

/** core.seconds_for(size, timeout, fixed) -> how many seconds a message of so many octets may take;
 *  size nil: it is not known. See smtp_message_seconds. */
static int core_seconds_for(lua_State *L)
{
    lua_Number size = luaL_optnumber(L, 1, -1), timeout = luaL_checknumber(L, 2);
    uint64_t len = size >= 0 && size < 1e15 ? (uint64_t)size : SMTP_LEN_UNKNOWN;
    lua_pushnumber(L, smtp_message_seconds(timeout, lua_toboolean(L, 3), len));
    return 1;
}

/** core.sleep(seconds): this thread sleeps so long, or until a signal comes. */
static int core_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= 86400, 1, "0 to 86400");
    struct timespec time = {.tv_sec = (time_t)seconds};
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    nanosleep(&time, NULL);
    return 0;
}

/** core.terminal([descriptor]) -> columns of a descriptor where it is a terminal, else nil; 0 while
 * another process has the terminal and this one is in the background. Without a descriptor: of
 * standard error. */
static int core_terminal(lua_State *L)
{
    struct winsize size = {0};
    int fd = (int)luaL_optinteger(L, 1, STDERR_FILENO);
    if (isatty(fd) == 0) return 0;
    pid_t group = tcgetpgrp(fd); /* -1: it does not control this process */
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    lua_pushinteger(L, group != -1 && group != getpgrp() ? 0 : known ? size.ws_col : 80);
    return 1;
}

/** core.printable(text) -> the text as a terminal may show it: a tab becomes a space; other
 * controls, marks that change the direction of text, and broken UTF-8 become '?'. Line ends stay.
 */
static int core_printable(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    char *out = lua_newuserdata(L, text.len + 1);
    lua_pushlstring(L, out, smtp_printable(out, text.len, text.data, text.len));
    return 1;
}

/** core.invisible(text) -> the first character that readers do not see: "U+200B, a zero-width
 *  space"; nil where there is none */
static int core_invisible(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    char shown[64];
    uint32_t number;
    const char *name = smtp_invisible(text.data, text.len, &number);
    if (name == NULL) return 0;
    snprintf(shown, sizeof shown, "U+%04" PRIX32 ", %s", number, name);
    lua_pushstring(L, shown);
    return 1;
}

/** core.file(path) -> "file", "directory" or "other"; a stamp, which changes when the file does |
 *  nil, why. It is not opened: a pipe would wait for its other end. */
static int core_file(lua_State *L)
{
    struct stat s;
    char stamp[96];
    if (stat(luaL_checkstring(L, 1), &s) != 0) return push_failure(L, strerror(errno));
    snprintf(stamp, sizeof stamp, "%" PRIdMAX ".%09ld %" PRIdMAX " %" PRIuMAX,
             (intmax_t)s.PORT_MTIM.tv_sec, (long)s.PORT_MTIM.tv_nsec, (intmax_t)s.st_size,
             (uintmax_t)s.st_ino);
    lua_pushstring(L, S_ISREG(s.st_mode) ? "file" : S_ISDIR(s.st_mode) ? "directory" : "other");
    lua_pushstring(L, stamp);
    return 2;
}

static const luaL_Reg functions[] = {
    METHOD(core, address),   METHOD(core, domain),      METHOD(core, literal),
    METHOD(core, idna),      METHOD(core, random),      METHOD(core, now),
    METHOD(core, sleep),     METHOD(core, hostname),    METHOD(core, terminal),
    METHOD(core, file),      METHOD(core, printable),   METHOD(core, invisible),
    METHOD(core, can_yield), METHOD(core, seconds_for), {NULL, NULL}};

LCOMPAT_OPEN(core)
{
    lcompat_newlib(L, functions);
#define X(file) file##_open(L);
    CORE_FILES(X)
#undef X
    return 1;
}
