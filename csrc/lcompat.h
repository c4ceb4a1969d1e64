/* lcompat.h - Lua 5.1 to 5.5 and LuaJIT with one interface: that of Lua 5.2. */
#ifndef LCOMPAT_H
#define LCOMPAT_H

#include <lauxlib.h>
#include <lua.h>

#include <stdint.h>

/* The largest size_t that every lua_Number below it can be converted to. */
#define LCOMPAT_SIZE_MAX (SIZE_MAX > 0xFFFFFFFFu ? 9007199254740992.0 : (lua_Number)SIZE_MAX)

#if LUA_VERSION_NUM < 502
#define lua_getuservalue(L, i) lua_getfenv(L, i)
#define lua_setuservalue(L, i) lua_setfenv(L, i)
/* OpenResty's LuaJIT brings these itself, as macros or functions; hence names of our own. */
#define lcompat_newlib(L, list)   (lua_newtable(L), luaL_register(L, NULL, list))
#define lcompat_rawlen(L, i)      lua_objlen(L, i)
#define lcompat_setfuncs(L, list) luaL_register(L, NULL, list)
#else
#define lcompat_newlib(L, list)   luaL_newlib(L, list)
#define lcompat_rawlen(L, i)      ((size_t)lua_rawlen(L, i)) /* wider on 32-bit machines */
#define lcompat_setfuncs(L, list) luaL_setfuncs(L, list, 0)
#endif

#define lcompat_setmetatable(L, name) (luaL_getmetatable(L, name), lua_setmetatable(L, -2))

/* Returns a whole number from 0 to `max`, which is at most 2^53. Numbers are checked before they
 * are converted, because converting one that does not fit is undefined in C. */
static inline size_t lcompat_whole(lua_State *L, int index, lua_Number number, lua_Number max)
{
    luaL_argcheck(L, number >= 0 && number <= max, index, "out of range");
    luaL_argcheck(L, (lua_Number)(size_t)number == number, index, "not a whole number");
    return (size_t)number;
}

static inline size_t lcompat_count(lua_State *L, int index, lua_Number max)
{
    return lcompat_whole(L, index, luaL_checknumber(L, index), max);
}

/* May this thread yield, or is a function of C that cannot below it? Lua 5.1 and 5.2 have no
 * lua_isyieldable and cannot tell. LuaJIT has it, also where this was built for Lua 5.1. */
extern int lua_isyieldable(lua_State *L) __attribute__((weak));

static inline int lcompat_can_yield(lua_State *L)
{
    return lua_isyieldable == NULL || lua_isyieldable(L) != 0;
}

/* A shared object exports its luaopen_ function and nothing else. A rock build passes no compiler
 * flags, so the rest is hidden by a pragma in each header. */
#define LCOMPAT_EXPORT __attribute__((visibility("default")))

/* The beginning of a module's luaopen_ function. */
#define LCOMPAT_OPEN(name)                                                                         \
    LCOMPAT_EXPORT int luaopen_smtp_##name(lua_State *L);                                          \
    LCOMPAT_EXPORT int luaopen_smtp_##name(lua_State *L)

#endif
