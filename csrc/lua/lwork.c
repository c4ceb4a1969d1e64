/* lwork.c - working memory for sessions: those that rest, or are over, have none, and leave theirs
 * to others. */
#include "lsmtp.h"

/* Big enough that bulk goes out in few writes. The whole stays under 128 KiB: a larger userdata has
 * LuaJIT ask the system for pages, and give them back, for every session (measured: 400
 * microseconds instead of 10). */
enum { BUFFER_LEN = 60 * 1024 };

/* So many connections may be between two messages at a time without cost. */
enum { SPARE_MAX = 4 };

/* In the registry: this table contains struct works at 1, and every working memory, by its address,
 * so that the collector leaves it. */
#define WORKS "smtp.Works"

struct works {
    size_t count;
    void *spare[SPARE_MAX];
};

struct works *works_of(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, WORKS);
    lua_rawgeti(L, -1, 1);
    struct works *works = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return works;
}

static void *take(lua_State *L, struct works *works)
{
    if (works->count > 0) return works->spare[--works->count];
    lua_getfield(L, LUA_REGISTRYINDEX, WORKS);
    void *memory = lua_newuserdata(L, smtp_work_size(BUFFER_LEN));
    lua_pushlightuserdata(L, memory);
    lua_insert(L, -2);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return memory;
}

static void give(lua_State *L, struct works *works, void *memory)
{
    if (memory == NULL) return;
    if (works->count < SPARE_MAX) {
        works->spare[works->count++] = memory;
        return;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, WORKS);
    lua_pushlightuserdata(L, memory);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

void session_work(lua_State *L, struct smtp_session *s)
{
    if (smtp_session_works(s)) return;
    struct works *works = session_extra(s)->works;
    void *memory = take(L, works);
    if (smtp_session_works(s)) /* by a finalizer that ran meanwhile */
        give(L, works, memory);
    else
        smtp_session_work(s, memory, BUFFER_LEN);
}

void session_rest(lua_State *L, struct smtp_session *s)
{
    give(L, session_extra(s)->works, smtp_session_rest(s));
}

struct smtp_session *to_working_session(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    session_work(L, s);
    return s;
}

void session_start(lua_State *L, void *memory, const struct smtp_options *options,
                   const struct smtp_facts *facts)
{
    struct session_extra *extra = session_extra(memory);
    smtp_session_init(memory, take(L, extra->works), BUFFER_LEN, options, facts);
}

void session_end(lua_State *L, struct smtp_session *s)
{
    struct session_extra *extra = session_extra(s);
    flights_forget(&extra->waiting);
    give(L, extra->works, smtp_session_end(s));
}

/* The module may be opened again in a Lua state, where a program forgets its modules and requires
 * them anew. The sessions that exist need the table that is there. */
void lwork_open(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, WORKS);
    bool is_open = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (is_open) return;
    lua_newtable(L);
    struct works *works = lua_newuserdata(L, sizeof *works);
    works->count = 0;
    lua_rawseti(L, -2, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, WORKS);
}
