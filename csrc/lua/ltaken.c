/* ltaken.c - what a pipeline gives back: the transactions that are over, with their receipts. */
#include "lpipeline.h"
#include "lreceipt.h"
#include "lsmtp.h"

/* Where pipeline_take has its values. */
enum { OUT = 2, NOW, PARTS, RING };

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

/* What pipeline:take returns of those that have receipts, and of the others. */
static void push_taken(lua_State *L, const struct pipeline *p, int count, bool incomplete)
{
    lua_pushinteger(L, count);
    push_integer(L, p->count);
    push_deadline(L, p);
    push_grade(L, p->s);
    lua_pushboolean(L, incomplete);
}

/* The oldest, of which more is to be reported than a receipt. */
static int give(lua_State *L, struct pipeline *p, int count, bool incomplete)
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
    push_taken(L, p, count, incomplete);
    lua_pushvalue(L, top + 1);
    lua_pushvalue(L, top + 2);
    lua_pushnumber(L, started);
    lua_pushvalue(L, top + 3);
    push_integer(L, (size_t)m->size);
    lua_pushboolean(L, m->eightbit);
    push_id(L, id);
    return 12;
}

static bool is_over(const struct pipeline *p)
{
    return p->count > 0 && p->of[p->first].transaction->over;
}

/** pipeline:take(out, now, parts) -> count, how many are left, when the oldest of these must be
 *  over, the session's grade, incomplete, transaction, subject, started, text, size, eightbit,
 *  message_id. Of those that are over, oldest first, two values in `out` each: the subject (its
 *  entry, or the index of a posted one), and the receipt, made with `parts`, see
 *  smtp.result.receipt, which are needed once one was accepted. It ends with the first that has no
 *  receipt: that is what the last seven values are about. `incomplete`: receipts.complete has more
 *  to say of some, those of entries or with refused recipients. */
static int pipeline_take(lua_State *L)
{
    struct pipeline *p = self_pipeline(L);
    luaL_checktype(L, OUT, LUA_TTABLE);
    double now = luaL_checknumber(L, NOW);
    struct receipts r = {0};
    bool incomplete = false;
    int count = 0;
    lua_settop(L, PARTS);
    lua_getuservalue(L, 1);
    note_begun(p);
    for (; is_over(p); count++) {
        const struct smtp_transaction *m = p->of[p->first].transaction;
        bool is_posted = p->of[p->first].index != 0;
        if (!p->of[p->first].whole || !receipt_is_whole(m)) return give(L, p, count, incomplete);
        if (r.shared == 0) receipts_begin(L, PARTS, &r);
        push_subject(L, p, RING, p->first);
        lua_rawseti(L, OUT, 2 * count + 1);
        bool has_refused =
            receipts_push(L, &r, m, now - p->of[p->first].started, p->of[p->first].id);
        lua_rawseti(L, OUT, 2 * count + 2);
        incomplete = incomplete || has_refused || !is_posted;
        advance(L, p, is_posted);
    }
    push_taken(L, p, count, incomplete);
    return 5;
}

static const luaL_Reg methods[] = {METHOD(pipeline, take), {NULL, NULL}};

void ltaken_open(lua_State *L)
{
    add_receipt_methods(L, PIPELINE, methods);
}
