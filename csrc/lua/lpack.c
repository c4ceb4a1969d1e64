/* lpack.c - plain values as bytes and back: nil, booleans, numbers, strings, and tables of these.
 *
 *     ~  nil    +  true    -  false    =12.5;  a number    3:abc  a string of three bytes
 *     {…}  a table: keys and values in turn
 *
 * The bytes of a value say where it ends, so that several may follow each other. */
#include "lsmtp.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 20, NUMBER_MAX = 48, SMALL = 1024, FIELDS = 4 };

static const double WHOLE_MAX = 1e15; /* whole numbers up to here are written as such */

/* ---- writing ---- */

enum { VALUE = 1 };

/* What is written: at first into `small`, then into a userdata at `place` of the stack. */
struct packer {
    char *data, small[SMALL];
    size_t len, max;
    int place;
};

static void put_bytes(lua_State *L, struct packer *p, const char *data, size_t len)
{
    if (len > p->max - p->len) {
        luaL_argcheck(L, len < SIZE_MAX / 4 - p->max, VALUE, "too large");
        size_t max = 2 * (p->max + len);
        char *larger = lua_newuserdata(L, max);
        memcpy(larger, p->data, p->len);
        lua_replace(L, p->place);
        p->data = larger;
        p->max = max;
    }
    memcpy(p->data + p->len, data, len);
    p->len += len;
}

static void pack_string(lua_State *L, struct packer *p, int index)
{
    char head[SMTP_DECIMAL_MAX + 1];
    size_t len;
    const char *text = lua_tolstring(L, index, &len);
    size_t head_len = smtp_decimal(head, len);
    head[head_len++] = ':';
    put_bytes(L, p, head, head_len);
    put_bytes(L, p, text, len);
}

/* Seventeen digits keep every number. The point is a point in every locale. */
static size_t number_text(char *out, double number)
{
    char text[NUMBER_MAX];
    size_t len = 0;
    if (number >= 0 && number < WHOLE_MAX && floor(number) == number)
        return smtp_decimal(out, (uint64_t)number);
    (void)snprintf(text, sizeof text, "%.17g", number);
    for (const char *at = text; *at != '\0'; at++) {
        bool is_kept = strchr("0123456789eE+-", *at) != NULL;
        if (is_kept)
            out[len++] = *at;
        else if (len == 0 || out[len - 1] != '.')
            out[len++] = '.';
    }
    return len;
}

static void pack_number(lua_State *L, struct packer *p, double number)
{
    char text[NUMBER_MAX + 2] = "=";
    luaL_argcheck(L, number - number == 0, VALUE, "a number that is not finite");
    size_t len = 1 + number_text(text + 1, number);
    text[len++] = ';';
    put_bytes(L, p, text, len);
}

static void pack_value(lua_State *L, struct packer *p, int index, int depth);

static void pack_table(lua_State *L, struct packer *p, int index, int depth)
{
    luaL_argcheck(L, depth < DEPTH_MAX, VALUE, "it is a table in too many tables");
    luaL_checkstack(L, 4, "the value is too deep");
    put_bytes(L, p, "{", 1);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        int top = lua_gettop(L);
        pack_value(L, p, top - 1, depth + 1);
        pack_value(L, p, top, depth + 1);
    }
    put_bytes(L, p, "}", 1);
}

static void pack_value(lua_State *L, struct packer *p, int index, int depth)
{
    switch (lua_type(L, index)) {
    case LUA_TSTRING: pack_string(L, p, index); return;
    case LUA_TNUMBER: pack_number(L, p, (double)lua_tonumber(L, index)); return;
    case LUA_TTABLE: pack_table(L, p, index, depth); return;
    case LUA_TBOOLEAN: put_bytes(L, p, lua_toboolean(L, index) ? "+" : "-", 1); return;
    case LUA_TNIL: put_bytes(L, p, "~", 1); return;
    default: luaL_argerror(L, VALUE, "a value of this type cannot be stored");
    }
}

/* Begins after what the stack has. */
static void begin_pack(lua_State *L, struct packer *p)
{
    p->data = p->small;
    p->len = 0;
    p->max = SMALL;
    lua_pushnil(L);
    p->place = lua_gettop(L);
}

/** core.pack(value) -> bytes. Raises an error for a function, a userdata or a coroutine. */
static int core_pack(lua_State *L)
{
    struct packer p;
    lua_settop(L, VALUE);
    begin_pack(L, &p);
    pack_value(L, &p, VALUE, 0);
    lua_pushlstring(L, p.data, p.len);
    return 1;
}

/** core.pack_fields(key, value, …) -> the bytes of a table with these, but for those whose value is
 *  nil. */
static int core_pack_fields(lua_State *L)
{
    struct packer p;
    int count = lua_gettop(L) / 2;
    lua_settop(L, 2 * count);
    luaL_checkstack(L, 4, "too many fields");
    begin_pack(L, &p);
    put_bytes(L, &p, "{", 1);
    for (int at = 1; at < 2 * count; at += 2) {
        if (lua_isnil(L, at + 1)) continue;
        pack_value(L, &p, at, 1);
        pack_value(L, &p, at + 1, 1);
    }
    put_bytes(L, &p, "}", 1);
    lua_pushlstring(L, p.data, p.len);
    return 1;
}

/* ---- reading ---- */

struct unpacker {
    const char *at, *end;
};

/* A decimal number below `max`, and the byte after it. */
static bool read_count(struct unpacker *u, char after, double max, double *count)
{
    const char *at = u->at;
    for (*count = 0; at < u->end && *at >= '0' && *at <= '9' && *count < max; at++)
        *count = 10 * *count + (*at - '0');
    if (at == u->at || at == u->end || *at != after || *count >= max) return false;
    u->at = at + 1;
    return true;
}

static bool unpack_string(lua_State *L, struct unpacker *u)
{
    double len;
    if (!read_count(u, ':', WHOLE_MAX, &len) || len > (double)(u->end - u->at)) return false;
    lua_pushlstring(L, u->at, (size_t)len);
    u->at += (size_t)len;
    return true;
}

static void push_whole(lua_State *L, double number)
{
    if (LUA_VERSION_NUM >= 503 && sizeof(lua_Integer) >= sizeof number)
        lua_pushinteger(L, (lua_Integer)number);
    else
        lua_pushnumber(L, (lua_Number)number);
}

/* strtod expects the point of the locale. */
static bool read_real(const char *data, size_t len, double *number)
{
    const char *point = localeconv()->decimal_point;
    char text[2 * NUMBER_MAX], *end;
    size_t point_len = strlen(point), at = 0;
    for (size_t i = 0; i < len; i++) {
        bool is_point = data[i] == '.';
        if (data[i] == '\0' || (!is_point && strchr("0123456789eE+-", data[i]) == NULL))
            return false;
        if (at + point_len + 1 >= sizeof text) return false;
        memcpy(text + at, is_point ? point : data + i, is_point ? point_len : 1);
        at += is_point ? point_len : 1;
    }
    text[at] = '\0';
    *number = strtod(text, &end);
    return at > 0 && *end == '\0';
}

static bool unpack_number(lua_State *L, struct unpacker *u)
{
    double number;
    if (read_count(u, ';', WHOLE_MAX, &number)) {
        push_whole(L, number);
        return true;
    }
    const char *end = memchr(u->at, ';', (size_t)(u->end - u->at));
    if (end == NULL || end - u->at > NUMBER_MAX) return false;
    if (!read_real(u->at, (size_t)(end - u->at), &number)) return false;
    u->at = end + 1;
    if (floor(number) == number && fabs(number) < WHOLE_MAX)
        push_whole(L, number);
    else
        lua_pushnumber(L, (lua_Number)number);
    return true;
}

static bool unpack_value(lua_State *L, struct unpacker *u, int depth);

/* Pushes a table that need not grow for its first values. */
static void push_table(lua_State *L, const struct unpacker *u)
{
    static const char first[] = {'=', '1', ';'};
    size_t left = (size_t)(u->end - u->at);
    bool is_list = left > sizeof first && memcmp(u->at, first, sizeof first) == 0;
    lua_createtable(L, is_list ? 1 : 0, is_list ? 0 : FIELDS);
}

static bool unpack_table(lua_State *L, struct unpacker *u, int depth)
{
    if (depth >= DEPTH_MAX || !lua_checkstack(L, 4)) return false;
    push_table(L, u);
    while (u->at < u->end && *u->at != '}') {
        if (!unpack_value(L, u, depth + 1) || lua_isnil(L, -1)) return false;
        if (!unpack_value(L, u, depth + 1)) return false;
        lua_rawset(L, -3);
    }
    return u->at++ < u->end;
}

/* Pushes a value. Returns false where the bytes are damaged; what was pushed is left. */
static bool unpack_value(lua_State *L, struct unpacker *u, int depth)
{
    if (u->at >= u->end) return false;
    switch (*u->at) {
    case '{': u->at++; return unpack_table(L, u, depth);
    case '=': u->at++; return unpack_number(L, u);
    case '+':
    case '-': lua_pushboolean(L, *u->at++ == '+'); return true;
    case '~':
        u->at++;
        lua_pushnil(L);
        return true;
    default: return unpack_string(L, u);
    }
}

/** core.unpack(bytes, at) -> the value that begins there (1: the first byte); where the next one
 *  begins. Two times nil: the bytes are damaged. */
static int core_unpack(lua_State *L)
{
    struct smtp_text bytes = text_arg(L, 1);
    size_t first = lua_isnoneornil(L, 2) ? 1 : lcompat_count(L, 2, LCOMPAT_SIZE_MAX);
    lua_settop(L, 1);
    struct unpacker u = {bytes.data, bytes.data + bytes.len};
    if (first > 0 && first <= bytes.len) {
        u.at += first - 1;
        if (unpack_value(L, &u, 0)) {
            push_integer(L, (size_t)(u.at - bytes.data) + 1);
            return 2;
        }
    }
    lua_pushnil(L);
    lua_pushnil(L);
    return 2;
}

static const luaL_Reg functions[] = {
    METHOD(core, pack), METHOD(core, pack_fields), METHOD(core, unpack), {NULL, NULL}};

void lpack_open(lua_State *L)
{
    lcompat_setfuncs(L, functions);
}
