/* lbuffer.c - memory for pieces of messages, used again for each of them: a string for each would
 * cost as much as all that is done with it. */
#include "lsmtp.h"

#include <errno.h>
#include <lualib.h>
#include <stdio.h>

#define BUFFER "smtp.Buffer"

enum { REST_MAX = SMTP_BODY_LINE_MAX + 2 }; /* bytes of a line that may wait */

struct buffer {
    size_t len, max;
    size_t rest_len; /* bytes after these, of a line that did not end yet */
    char data[];
};

char *push_buffer(lua_State *L, size_t max)
{
    struct buffer *b = lua_newuserdata(L, sizeof *b + max + REST_MAX);
    b->len = b->rest_len = 0;
    b->max = max;
    lcompat_setmetatable(L, BUFFER);
    return b->data;
}

char *buffer_room(lua_State *L, int index, size_t len)
{
    struct buffer *b = lua_touserdata(L, index);
    return b != NULL && b->max >= len ? b->data : NULL;
}

void buffer_fill(lua_State *L, int index, size_t len)
{
    struct buffer *b = lua_touserdata(L, index);
    b->len = len;
}

struct smtp_text piece_arg(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA) return text_arg(L, index);
    const struct buffer *b = luaL_checkudata(L, index, BUFFER);
    return (struct smtp_text){b->data, b->len};
}

static FILE *file_arg(lua_State *L, int index)
{
#if LUA_VERSION_NUM >= 502
    const luaL_Stream *stream = luaL_checkudata(L, index, LUA_FILEHANDLE);
    FILE *file = stream->closef != NULL ? stream->f : NULL;
#else
    FILE *file = *(FILE **)luaL_checkudata(L, index, LUA_FILEHANDLE);
#endif
    luaL_argcheck(L, file != NULL, index, "a closed file");
    return file;
}

/** core.buffer(max) -> buffer: room for so many bytes; #buffer: how many it contains */
static int core_buffer(lua_State *L)
{
    push_buffer(L, lcompat_count(L, 1, 1 << 24));
    return 1;
}

/* Returns how many bytes at the end of the text belong to a line that does not end there. */
static size_t rest_len(const char *data, size_t len)
{
    size_t rest = 0;
    while (rest < len && rest <= REST_MAX && data[len - rest - 1] != '\n')
        rest++;
    return rest < len && rest <= REST_MAX ? rest : 0;
}

/** buffer:read(file, max [, lines]) -> true: it contains the next bytes of the file; nil at the
 *  end; nil and why. With `lines` they end with a line, and what was read of the next one comes
 * with the bytes after these; only a line that no message may have is cut. */
static int buffer_read(lua_State *L)
{
    struct buffer *b = self_arg(L, BUFFER);
    FILE *file = file_arg(L, 2);
    size_t max = lcompat_count(L, 3, (lua_Number)b->max);
    memmove(b->data, b->data + b->len, b->rest_len);
    clearerr(file);
    size_t len = fread(b->data + b->rest_len, 1, max, file);
    b->len = b->rest_len + len;
    b->rest_len = lua_toboolean(L, 4) && len == max ? rest_len(b->data, b->len) : 0;
    b->len -= b->rest_len;
    if (ferror(file)) return push_failure(L, strerror(errno));
    if (b->len == 0) return 0;
    lua_pushboolean(L, 1);
    return 1;
}

/** buffer:text() -> its bytes as a string */
static int buffer_text(lua_State *L)
{
    const struct buffer *b = self_arg(L, BUFFER);
    lua_pushlstring(L, b->data, b->len);
    return 1;
}

static int buffer_len(lua_State *L)
{
    const struct buffer *b = luaL_checkudata(L, 1, BUFFER);
    push_integer(L, b->len);
    return 1;
}

static const luaL_Reg methods[] = {METHOD(buffer, read), METHOD(buffer, text), {NULL, NULL}};

static const luaL_Reg functions[] = {METHOD(core, buffer), {NULL, NULL}};

void lbuffer_open(lua_State *L)
{
    new_class(L, BUFFER, methods, NULL);
    luaL_getmetatable(L, BUFFER);
    lua_pushcfunction(L, buffer_len);
    lua_setfield(L, -2, "__len");
    lua_pop(L, 1);
    lcompat_setfuncs(L, functions);
}
