/* lcrypto.h - what the files of smtp.crypto's binding share. */
#ifndef LCRYPTO_H
#define LCRYPTO_H

#include "crypto.h"

#include "../lcompat.h"

#pragma GCC visibility push(hidden)

/* A string argument. */
struct bytes lcrypto_bytes(lua_State *L, int index);
/* Returns nil, word. */
int lcrypto_fail(lua_State *L, const char *word);
/* Returns the octets, or nil, word. */
int lcrypto_result(lua_State *L, const char *word, const unsigned char *data, size_t len);
/* A class of userdata; its metatable can be set once this has been called. */
void lcrypto_class(lua_State *L, const char *name, lua_CFunction gc, const luaL_Reg *methods);

/* ldkim.c: adds its functions to the module on top of the stack. */
void ldkim_open(lua_State *L);

#pragma GCC visibility pop

#endif
