/* lcompat.h - Lua 5.1 to 5.5 and LuaJIT behind one face: that of Lua 5.2. */
#ifndef LCOMPAT_H
#define LCOMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM < 502
#define lua_getuservalue(L, i) lua_getfenv(L, i)
#define lua_setuservalue(L, i) lua_setfenv(L, i)
#define lua_rawlen(L, i)       lua_objlen(L, i)
/* OpenResty's LuaJIT brings these itself, as macros or functions; hence names of our own. */
#define lcompat_newlib(L, list)   (lua_newtable(L), luaL_register(L, NULL, list))
#define lcompat_setfuncs(L, list) luaL_register(L, NULL, list)
#else
#define lcompat_newlib(L, list)   luaL_newlib(L, list)
#define lcompat_setfuncs(L, list) luaL_setfuncs(L, list, 0)
#endif

#define lcompat_setmetatable(L, name) (luaL_getmetatable(L, name), lua_setmetatable(L, -2))

/* What a shared object shows the world: its luaopen_ function and nothing else. A rock build passes
 * no compiler flags, so the rest is hidden by a pragma in each internal header. */
#define LCOMPAT_EXPORT __attribute__((visibility("default")))

#endif
