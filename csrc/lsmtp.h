/* lsmtp.h - what the files of the module smtp.core share. */
#ifndef LSMTP_H
#define LSMTP_H

#include "lcompat.h"

#pragma GCC visibility push(hidden)

/* A metatable for userdata, in the registry under `name`. */
static inline void new_class(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushstring(L, name); /* getmetatable() shows this, so that nobody calls a method on */
    lua_setfield(L, -2, "__metatable"); /* another object than its own */
    lua_newtable(L);
    lcompat_setfuncs(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* Its functions into the table on top. */
void lencode_open(lua_State *L);

#pragma GCC visibility pop

#endif
