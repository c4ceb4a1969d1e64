/* lcrypto.h - what the files of smtp.crypto's binding share. */
#ifndef LCRYPTO_H
#define LCRYPTO_H

#include "crypto.h"

#include "../lbinding.h"

#pragma GCC visibility push(hidden)

/* Returns the octets, or nil, word. */
int lcrypto_result(lua_State *L, const char *word, const unsigned char *data, size_t len);

/* ldkim.c: adds its functions to the module on top of the stack. */
void ldkim_open(lua_State *L);

#pragma GCC visibility pop

#endif
