/* ltaken.c - what a pipeline gives back: the transactions that are over, with their receipts. */
#include "lpipeline.h"
#include "lsmtp.h"

/* Where pipeline_take has its values. */
enum { OUT = 2, NOW, RING };

/* The oldest is on its way no more. Its transaction is left where `keep`. */
static void advance(lua_State *L, struct pipeline *p, bool keep)
{
    int at = transaction_at(p->first);
    for (int i = keep ? at + 1 : at; i <= at + 1; i++) {
        lua_pushboolean(L, false);
        lua_rawseti(L, RING, i);
    }
    p->count--; /* with nothing on its way, the next one takes the memory that was used last */
    p->first = p->count == 0 ? 0 : (p->first + 1) % SLOTS;
}

/* The oldest, of which more is to be reported. */
static int give(lua_State *L, struct pipeline *p, int count)
{
    int at = transaction_at(p->first), top = lua_gettop(L);
    double started = p->of[p->first].started;
    const struct smtp_transaction *m = p->of[p->first].transaction;
    struct smtp_text id = p->of[p->first].id;
    lua_rawgeti(L, RING, at);
    push_subject(L, p, RING, p->first);
    if (p->of[p->first].index != 0)
        lua_rawgeti(L, RING, at + 1);
    else
        lua_pushnil(L);
    advance(L, p, false);
    lua_pushinteger(L, count);
    push_integer(L, p->count);
    push_deadline(L, p);
    push_grade(L, p->s);
    lua_pushvalue(L, top + 1);
    lua_pushvalue(L, top + 2);
    lua_pushnumber(L, started);
    lua_pushvalue(L, top + 3);
    push_integer(L, (size_t)m->size);
    lua_pushboolean(L, m->eightbit);
    push_id(L, id);
    return 11;
}

/** pipeline:take(out, now) -> count, how many are left, when the oldest of these must be over,
 *  the session's grade, transaction, subject, started, text, size, eightbit, message_id. Of those
 * that are over, oldest first, all that a receipt needs: nine values in `out` each, the subject
 * (its entry, or the index of a posted one), what transaction:receipt() returns, size, seconds,
 * eightbit and message_id. It ends with the first that has no receipt: that is what the other
 * values are about. */
static int pipeline_take(lua_State *L)
{
    enum { EACH = 9 };
    struct pipeline *p = to_pipeline(L, 1);
    luaL_checktype(L, OUT, LUA_TTABLE);
    double now = luaL_checknumber(L, NOW);
    int count = 0;
    lua_settop(L, NOW);
    lua_getuservalue(L, 1);
    p->begun = p->begun || oldest_has_begun(p);
    for (; p->count > 0 && p->of[p->first].transaction->over; count++) {
        const struct smtp_transaction *m = p->of[p->first].transaction;
        push_subject(L, p, RING, p->first);
        if (!p->of[p->first].whole || push_receipt(L, m) == 0) return give(L, p, count);
        push_integer(L, (size_t)m->size);
        lua_pushnumber(L, now - p->of[p->first].started);
        lua_pushboolean(L, m->eightbit);
        push_id(L, p->of[p->first].id);
        for (int i = EACH; i > 0; i--)
            lua_rawseti(L, OUT, EACH * count + i);
        advance(L, p, p->of[p->first].index != 0);
    }
    lua_pushinteger(L, count);
    push_integer(L, p->count);
    push_deadline(L, p);
    push_grade(L, p->s);
    return 4;
}

static const luaL_Reg methods[] = {METHOD(pipeline, take), {NULL, NULL}};

void ltaken_open(lua_State *L)
{
    add_methods(L, PIPELINE, methods);
}
