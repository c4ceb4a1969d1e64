/* lbinding.h - what the bindings of smtp.core, smtp.crypto and smtp.socket share: classes of
 * userdata, arguments and fields as C values, C values as fields. */
#ifndef LBINDING_H
#define LBINDING_H

#include "lcompat.h"
#include "text/text.h"

#include "wipe.h"

#include <string.h>

/* A row of luaL_Reg: METHOD(session, wants) is the function session_wants under the name "wants".
 */
/* clang-format off */
#define METHOD(class, name) {#name, class##_##name}
/* clang-format on */

/* Adds methods to the table on top, whose class has its metatable at `class`; each method has that
 * as its upvalue, for self_arg. */
static inline void set_methods(lua_State *L, int class, const luaL_Reg *methods)
{
    for (; methods->name != NULL; methods++) {
        lua_pushvalue(L, class);
        lua_pushcclosure(L, methods->func, 1);
        lua_setfield(L, -2, methods->name);
    }
}

/* Returns the userdata that a method of the class was called with. To compare its metatable with
 * the upvalue takes a third of the time that luaL_checkudata takes for a look into the registry. */
static inline void *self_arg(lua_State *L, const char *class_name)
{
    void *self = lua_touserdata(L, 1);
    if (self != NULL && lua_getmetatable(L, 1)) {
        bool same = lua_rawequal(L, -1, lua_upvalueindex(1));
        lua_pop(L, 1);
        if (same) return self;
    }
    return luaL_checkudata(L, 1, class_name);
}

/* Makes a class of userdata: a metatable in the registry under `name`. getmetatable() shows only
 * the name, so that no program calls a method on an object of another class. `gc`, if any, also
 * runs where an object is a to-be-closed variable. */
static inline void new_class(lua_State *L, const char *name, const luaL_Reg *methods,
                             lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    if (gc != NULL) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__close");
    }
    lua_newtable(L);
    set_methods(L, lua_gettop(L) - 1, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* Adds methods to a class that new_class has made. */
static inline void add_methods(lua_State *L, const char *class_name, const luaL_Reg *methods)
{
    luaL_getmetatable(L, class_name);
    lua_getfield(L, -1, "__index");
    set_methods(L, lua_gettop(L) - 1, methods);
    lua_pop(L, 2);
}

/* Pushes a zeroed userdata of the class. */
static inline void *new_object(lua_State *L, const char *class_name, size_t size)
{
    void *object = memset(lua_newuserdata(L, size), 0, size);
    lcompat_setmetatable(L, class_name);
    return object;
}

#define SECRET_CLASS "smtp.Secret"

static inline int secret_gc(lua_State *L)
{
    wipe(lua_touserdata(L, 1), lcompat_rawlen(L, 1));
    return 0;
}

/* Pushes zeroed memory for a secret. Its owner wipes it; the collector does so where an error of
 * Lua, such as no memory for the string that the secret becomes, keeps the owner from it. */
static inline void *new_secret(lua_State *L, size_t size)
{
    if (luaL_newmetatable(L, SECRET_CLASS)) {
        lua_pushcfunction(L, secret_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    return new_object(L, SECRET_CLASS, size);
}

/* Returns nil and a word. */
static inline int push_failure(lua_State *L, const char *word)
{
    lua_pushnil(L);
    lua_pushstring(L, word);
    return 2;
}

/* Returns the string argument at `index`. */
static inline struct smtp_text text_arg(lua_State *L, int index)
{
    struct smtp_text text;
    text.data = luaL_checklstring(L, index, &text.len);
    luaL_argcheck(L, text.len <= SIZE_MAX / 4, index, "too long"); /* encoded, too */
    return text;
}

/* The arguments from 2 on: bytes [, from [, len]]: those of the bytes that are meant. */
static inline struct smtp_text slice_of(lua_State *L, struct smtp_text bytes)
{
    size_t from = lua_isnoneornil(L, 3) ? 1 : lcompat_count(L, 3, (lua_Number)bytes.len + 1);
    size_t len = lua_isnoneornil(L, 4) ? bytes.len : lcompat_count(L, 4, LCOMPAT_SIZE_MAX);
    luaL_argcheck(L, from >= 1, 3, "before the first");
    size_t rest = bytes.len - (from - 1);
    return (struct smtp_text){bytes.data + from - 1, len < rest ? len : rest};
}

/* Returns field `key` of table 1, which has to keep the string; data is NULL where it is not a
 * string. */
static inline struct smtp_text text_field(lua_State *L, const char *key)
{
    struct smtp_text text = {NULL, 0};
    lua_getfield(L, 1, key);
    if (lua_type(L, -1) == LUA_TSTRING) text.data = lua_tolstring(L, -1, &text.len);
    lua_pop(L, 1);
    return text;
}

/* Is field `key` of table 1 true? */
static inline bool flag_field(lua_State *L, const char *key)
{
    lua_getfield(L, 1, key);
    bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

/* Returns field `key` of table 1, a number from 0 to `max`, which is below 2^53; 0 where it is nil.
 */
static inline size_t count_field(lua_State *L, const char *key, size_t max)
{
    lua_getfield(L, 1, key);
    lua_Number count = luaL_optnumber(L, -1, 0);
    lua_pop(L, 1);
    luaL_argcheck(L, count >= 0 && count <= (lua_Number)max, 1, key);
    return (size_t)count;
}

/* The functions below set field `key` of the table on top of the stack. */

static inline void set_text(lua_State *L, const char *key, const char *data, size_t len)
{
    lua_pushlstring(L, data, len);
    lua_setfield(L, -2, key);
}

static inline void set_string(lua_State *L, const char *key, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static inline void set_flag(lua_State *L, const char *key, bool flag)
{
    lua_pushboolean(L, flag);
    lua_setfield(L, -2, key);
}

/* Sets an integer where Lua has integers that can represent the number. */
static inline void set_number(lua_State *L, const char *key, uint64_t number)
{
    if (number <= INT32_MAX)
        lua_pushinteger(L, (lua_Integer)number);
    else
        lua_pushnumber(L, (lua_Number)number);
    lua_setfield(L, -2, key);
}

#endif
