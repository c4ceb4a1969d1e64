/* memory.c - no secret stays in memory that a function of smtp.crypto frees, whichever allocation of
 * Lua fails.
 *
 * Prepares a password (SASLprep) in a Lua whose allocations fail from the n-th on, for every n, and looks for
 * the result in each block that Lua frees. Prints whether calls failed, and how many blocks had it. */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int luaopen_smtp_crypto(lua_State *L);

static const char given[] = "pass\302\255word-4711", prepared[] = "password-4711"; /* a soft hyphen */

static long countdown;
static int leaks, made;

static void *allocate(void *unused, void *block, size_t before, size_t size)
{
    (void)unused;
    if (block != NULL && !made && size < before &&
        memmem(block, before, prepared, sizeof prepared - 1) != NULL)
        leaks++;
    if (size == 0) {
        free(block);
        return NULL;
    }
    if (block == NULL || size > before) {
        if (countdown == 1) return NULL;
        if (countdown > 1) countdown--;
    }
    return realloc(block, size);
}

/* Where it succeeds, the string that Lua has of it is no leak. */
static int prepare(lua_State *L)
{
    lua_getfield(L, 1, "saslprep");
    lua_pushvalue(L, 2);
    lua_call(L, 1, 1);
    made = 1;
    return 0;
}

int main(void)
{
    int failed = 0;
    for (long n = 1; !made; n++) {
        countdown = 0;
        made = 0;
        lua_State *L = lua_newstate(allocate, NULL);
        luaL_requiref(L, "smtp.crypto", luaopen_smtp_crypto, 0);
        lua_pushcfunction(L, prepare);
        lua_insert(L, 1);
        lua_pushstring(L, given);
        countdown = n;
        if (lua_pcall(L, 2, 0, 0) != LUA_OK) failed++;
        countdown = 0;
        lua_close(L);
    }
    printf("%s calls failed, %d blocks had it\n", failed > 2 ? "some" : "no", leaks);
    return 0;
}
