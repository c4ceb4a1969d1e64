/* lpipeline.c - the transactions on their way through one session, which smtp.send_many adds one by
 * one or posts in bulk, and takes back when they are over (ltaken.c). */
#include "lpipeline.h"
#include "lsmtp.h"

enum { LIST_MAX = INT32_MAX - 1, INDEX_MAX = INT32_MAX - 1 };

enum pipeline_news pipeline_news(lua_State *L, int index)
{
    const struct pipeline *p = to_pipeline(L, index);
    size_t over_count = 0;
    bool failed = false;
    for (; over_count < p->count; over_count++) {
        const struct smtp_transaction *m = p->of[(p->first + over_count) % SLOTS].transaction;
        if (!m->over) break;
        failed = failed || m->trouble.error != SMTP_ERROR_NONE;
    }
    if (over_count == 0) return !p->begun && oldest_has_begun(p) ? NEWS_ENOUGH : NEWS_NONE;
    if (over_count == p->count || (p->last && failed)) return NEWS_ENOUGH;
    return !p->last && 2 * over_count >= p->count ? NEWS_ENOUGH : NEWS_SOME;
}

/** pipeline:max(most) -> how many messages this connection may carry: `most`, or fewer where the
 * server has a limit (RFC 9422 4); nil before a transaction has begun: it is not known then. */
static int pipeline_max(lua_State *L)
{
    struct pipeline *p = self_pipeline(L);
    double most = luaL_checknumber(L, 2);
    if (!note_begun(p)) return 0;
    uint32_t max = smtp_session_facts(p->s)->mail_max;
    lua_pushnumber(L, max > 0 && max < most ? max : most);
    return 1;
}

/** core.pipeline(session, extensions, timeout, fixed, window) -> pipeline. `extensions`: the words
 * of the connection, as for core.transaction. `timeout`, `fixed`: see core.seconds_for. Not more
 * than half of the window is posted at once: the server then works on one half while the other is
 * made. A session has one pipeline at a time. */
static int core_pipeline(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    double timeout = luaL_checknumber(L, 3);
    bool fixed = lua_toboolean(L, 4);
    size_t window =
        lua_isnoneornil(L, 5) ? (size_t)2 * SLOTS : lcompat_count(L, 5, (size_t)2 * SLOTS);
    luaL_argcheck(L, session_extra(s)->pipeline == NULL, 1, "it has a pipeline");
    struct pipeline *p = lua_newuserdata(L, sizeof *p);
    *p = (struct pipeline){.s = s, .timeout = timeout, .fixed = fixed};
    p->half = (window + 1) / 2;
    lcompat_setmetatable(L, PIPELINE);
    lua_createtable(L, RING_LEN, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, RING_SESSION);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, RING_WORDS);
    lua_pushvalue(L, -1);
    lua_setuservalue(L, -3);
    anchor(L, "pipeline", lua_gettop(L)); /* the session borrows what is in there */
    session_extra(s)->pipeline = p;
    lua_pop(L, 1);
    return 1;
}

/* The session may be another conversation's by now; its memory stays as long as the pipeline. */
static void check_session(lua_State *L, const struct pipeline *p)
{
    luaL_argcheck(L, session_extra(p->s)->pipeline == p, 1, "its session is another's");
}

/* ---- on their way ---- */

/* The slot after the newest, and its transaction. */
static size_t begin_slot(struct pipeline *p, struct smtp_transaction *m, lua_Integer index,
                         double started, bool whole)
{
    size_t slot = (p->first + p->count) % SLOTS;
    p->last = false;
    p->of[slot].transaction = m;
    p->of[slot].index = index;
    p->of[slot].started = started;
    p->of[slot].ends_before = 0;
    p->of[slot].whole = whole;
    p->of[slot].id = (struct smtp_text){NULL, 0};
    return slot;
}

/* Of what is offered, as many as core.transaction can make of the caller's tables, as there is room
 * for, and half of the window at most. The pipeline's user value is below the list, which is on
 * top. Returns how many. */
static int post_half(lua_State *L, struct pipeline *p)
{
    const int list = lua_gettop(L), ring = list - 1, words = list + 1, old = list + 2,
              message = list + 3, text = list + 4, made = list + 5;
    const struct smtp_text *known = NULL; /* most have the same sender */
    size_t count = 0;
    lua_rawgeti(L, ring, RING_WORDS);
    for (; p->offer.at < p->offer.end && p->count < SLOTS && count < p->half; count++) {
        int place = transaction_at((p->first + p->count) % SLOTS);
        lua_rawgeti(L, ring, place);
        lua_rawgeti(L, list, p->offer.at);
        if (!lua_istable(L, message)) break;
        const struct smtp_transaction *last = lua_touserdata(L, old);
        if (known == NULL && last != NULL) known = &last->from;
        struct smtp_text id;
        if (!push_plain(L, message, words, 0, known, last != NULL ? old : 0, &id)) break;
        session_work(L, p->s); /* a finalizer may have had the session hear something */
        struct smtp_transaction *m = lua_touserdata(L, made);
        m->text = text_arg(L, text);
        lua_rawseti(L, ring, place);
        lua_rawseti(L, ring, place + 1);
        lua_settop(L, words);
        known = &m->from;
        size_t slot = begin_slot(p, m, p->offer.index++, p->offer.started, true);
        p->of[slot].id = id;
        p->offer.at++;
        p->count++;
        smtp_transaction_add(p->s, m);
    }
    lua_settop(L, list);
    return (int)count;
}

/** pipeline:post(list, from, to, index, now) -> how many of the messages list[from] to list[to]
 * were taken; when the oldest must be over. `index`: of the first of them, for the caller; `now`:
 * when they started. What was not taken because half of the window was, session:flights takes. */
static int pipeline_post(lua_State *L)
{
    enum { LIST = 2, RING };
    struct pipeline *p = self_pipeline(L);
    luaL_checktype(L, LIST, LUA_TTABLE);
    p->offer.at = (int)lcompat_count(L, 3, LIST_MAX);
    p->offer.end = (int)lcompat_count(L, 4, LIST_MAX) + 1;
    p->offer.index = (lua_Integer)lcompat_count(L, 5, INDEX_MAX);
    p->offer.started = luaL_checknumber(L, 6);
    luaL_argcheck(L, p->offer.index > 0, 5, "out of range");
    check_session(L, p);
    lua_settop(L, LIST);
    lua_getuservalue(L, 1);
    lua_pushvalue(L, LIST);
    int count = post_half(L, p);
    if (p->offer.at < p->offer.end) lua_rawseti(L, RING, RING_LIST);
    lua_pushinteger(L, count);
    push_deadline(L, p);
    return 2;
}

int pipeline_post_others(lua_State *L, int index, bool alive)
{
    struct pipeline *p = to_pipeline(L, index);
    int count = 0;
    if (alive && p->offer.at < p->offer.end) {
        lua_getuservalue(L, index);
        lua_rawgeti(L, -1, RING_LIST);
        count = post_half(L, p);
        lua_pop(L, 2);
    }
    p->offer.end = 0; /* the caller offers what is left, or others take it */
    return count;
}

/** pipeline:add(transaction, text, entry, started, partial) -> when the oldest must be over. As
 *  session:add; `entry` is what pipeline:take gives back with it. `partial`: no receipt can be made
 *  of it alone. */
static int pipeline_add(lua_State *L)
{
    enum { SESSION = 1, MADE, TEXT, ENTRY, STARTED, PARTIAL, RING };
    struct pipeline *p = self_pipeline(L);
    struct smtp_transaction *m = luaL_checkudata(L, MADE, TRANSACTION);
    luaL_argcheck(L, p->count < SLOTS, 1, "full");
    luaL_checktype(L, ENTRY, LUA_TTABLE);
    double started = luaL_checknumber(L, STARTED);
    check_session(L, p);
    lua_settop(L, PARTIAL);
    lua_getuservalue(L, 1);
    lua_pushvalue(L, 1); /* the session takes its place */
    lua_rawgeti(L, RING, RING_SESSION);
    lua_replace(L, SESSION);
    session_add(L); /* where it raises an error, nothing has changed here */
    int place = transaction_at(begin_slot(p, m, 0, started, !lua_toboolean(L, PARTIAL)));
    lua_pushvalue(L, MADE);
    lua_rawseti(L, RING, place);
    lua_pushvalue(L, ENTRY);
    lua_rawseti(L, RING, place + 1);
    p->count++;
    p->offer.end = 0;
    push_deadline(L, p);
    return 1;
}

/** pipeline:drain(): nothing is to follow, so that session:flights need not end for it. */
static int pipeline_drain(lua_State *L)
{
    self_pipeline(L)->last = true;
    return 0;
}

static const luaL_Reg pipeline_methods[] = {METHOD(pipeline, max),
                                            METHOD(pipeline, post),
                                            METHOD(pipeline, add),
                                            METHOD(pipeline, drain),
                                            {NULL, NULL}};

static const luaL_Reg functions[] = {METHOD(core, pipeline), {NULL, NULL}};

void lpipeline_open(lua_State *L)
{
    new_class(L, PIPELINE, pipeline_methods, NULL);
    lcompat_setfuncs(L, functions);
}
