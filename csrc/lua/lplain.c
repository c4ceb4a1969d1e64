/* lplain.c - the commonest of messages, { from=, to=, raw= } as three strings: checked and framed
 * in one step; and pipelines of them, which smtp.send_many hands over and gets back in bulk. */
#include "lsmtp.h"

#include <string.h>

enum { PLAIN_LEN_MAX = 256 * 1024, ADDRESS_LEN_MAX = 254 };

struct plain {
    char from[ADDRESS_LEN_MAX], to[ADDRESS_LEN_MAX];
    size_t from_len, to_len;
    struct smtp_text given_from, given_to, raw;
    size_t wire_len;
    bool eightbit, ready; /* as in struct smtp_transaction */
};

/* Which of the three has the key at -2? */
static struct smtp_text *field(lua_State *L, struct plain *p)
{
    size_t len;
    if (lua_type(L, -2) != LUA_TSTRING) return NULL;
    const char *key = lua_tolstring(L, -2, &len);
    if (len == 4 && memcmp(key, "from", 4) == 0) return &p->given_from;
    if (len == 2 && memcmp(key, "to", 2) == 0) return &p->given_to;
    return len == 3 && memcmp(key, "raw", 3) == 0 ? &p->raw : NULL;
}

/* All three, as strings that the table at `t` holds, and so many others. */
static bool read_fields(lua_State *L, int t, int others, struct plain *p)
{
    p->given_from.data = p->given_to.data = p->raw.data = NULL;
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        struct smtp_text *text = field(L, p);
        if (text != NULL && lua_type(L, -1) == LUA_TSTRING)
            text->data = lua_tolstring(L, -1, &text->len);
        else if (--others < 0) {
            lua_pop(L, 2);
            return false;
        }
    }
    return others == 0 && p->given_from.data != NULL && p->given_to.data != NULL &&
           p->raw.data != NULL;
}

/* `known`: an address in its canonical form, or NULL. One outside ASCII may need IDNA, and its
 * message SMTPUTF8. */
static size_t read_address(struct smtp_text text, const struct smtp_text *known,
                           char out[ADDRESS_LEN_MAX])
{
    const char *why;
    if (text.len > ADDRESS_LEN_MAX) return 0;
    if (known != NULL && known->len == text.len && memcmp(known->data, text.data, text.len) == 0) {
        memcpy(out, text.data, text.len);
        return text.len;
    }
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] & 0x80) return 0;
    return smtp_address_check(text.data, text.len, out, &why);
}

/* Can it be sent as it is? What is wrong with it is for others to say. */
static bool read_raw(struct plain *p)
{
    struct smtp_scan scan = {.ready = true};
    smtp_scan(&scan, p->raw.data, p->raw.len);
    smtp_scan_end(&scan);
    p->wire_len = (size_t)scan.wire_len;
    p->eightbit = scan.eightbit;
    p->ready = scan.framed;
    return smtp_scan_is_sendable(&scan);
}

/* The table at `t`: is it { from=, to=, raw= } and no more but for so many others? `known`: a
 * sender whose address was read before, or NULL. */
static bool read_plain(lua_State *L, int t, int others, const struct smtp_text *known,
                       struct plain *p)
{
    if (!read_fields(L, t, others, p) || p->raw.len > PLAIN_LEN_MAX) return false;
    p->from_len = read_address(p->given_from, known, p->from);
    p->to_len = read_address(p->given_to, NULL, p->to);
    return p->from_len > 0 && p->to_len > 0 && read_raw(p);
}

/* Its transaction, pushed: in the place of `old`, the value on top, where that is large enough. */
static struct smtp_transaction *push_transaction(lua_State *L, const struct plain *p,
                                                 struct smtp_transaction *old)
{
    size_t words_len = p->from_len + p->to_len, texts_max = SMTP_TEXT_MAX + 96;
    size_t head_len = sizeof(struct smtp_transaction) + sizeof(struct smtp_recipient);
    size_t len = head_len + words_len + texts_max;
    struct smtp_transaction *m = old;
    if (m == NULL || lcompat_rawlen(L, -1) < len) {
        m = lua_newuserdata(L, len + 64);
        lcompat_setmetatable(L, TRANSACTION);
    } else
        lua_pushvalue(L, -1);
    memset(m, 0, head_len);
    m->to = (struct smtp_recipient *)(m + 1);
    m->to_count = 1;
    m->size = p->wire_len;
    m->exact = true;
    m->source_len = p->raw.len;
    m->eightbit = p->eightbit;
    m->ready = p->ready;
    char *words = (char *)(m->to + 1);
    memcpy(words, p->from, p->from_len);
    memcpy(words + p->from_len, p->to, p->to_len);
    m->from = (struct smtp_text){words, p->from_len};
    m->to->address = (struct smtp_text){words + p->from_len, p->to_len};
    m->texts = words + words_len;
    m->texts_max = texts_max;
    return m;
}

/* from, to, size, eightbit */
static int push_parts(lua_State *L, const struct smtp_transaction *m)
{
    lua_pushlstring(L, m->from.data, m->from.len);
    lua_pushlstring(L, m->to->address.data, m->to->address.len);
    push_integer(L, (size_t)m->size);
    lua_pushboolean(L, m->eightbit);
    return 4;
}

/** core.plain(t, old, others) -> transaction, from, to, size, eightbit, raw: what core.transaction
 * gives for { from=, to=, raw= }, three strings that need nothing but to be sent; nothing where
 * there is more to say of them, be it that they are wrong. The same checks as in smtp.options, in
 * one step. `old`: a transaction that is over, whose place it may take. `others`: so many other
 * keys are in the table. */
static int core_plain(lua_State *L)
{
    struct plain p;
    luaL_checktype(L, 1, LUA_TTABLE);
    struct smtp_transaction *old =
        lua_isnoneornil(L, 2) ? NULL : luaL_checkudata(L, 2, TRANSACTION);
    luaL_argcheck(L, old == NULL || old->over || !old->queued, 2, "not over");
    int others = lua_isnoneornil(L, 3) ? 0 : (int)lcompat_count(L, 3, 1000);
    lua_settop(L, 2);
    lua_pushstring(L,
                   "raw"); /* now: what allocates may run a finalizer, which may change the table */
    if (!read_plain(L, 1, others, NULL, &p)) return 0;
    lua_rawget(L, 1);
    lua_insert(L, 2); /* the very text that was read; `old` is on top */
    int count = 1 + push_parts(L, push_transaction(L, &p, old));
    lua_pushvalue(L, 2);
    return count + 1;
}

/* ---- pipelines: many of them, one after the other ---- */

#define PIPELINE "smtp.Pipeline"

enum { SLOTS = SMTP_FLIGHT_MAX };
enum { LIST_MAX = INT32_MAX - 1, INDEX_MAX = INT32_MAX - 1 };

/* Those on their way through one session, oldest first, in a ring. In the user value each slot has
 * two values, the transaction and its text; a transaction stays there when it is over, for the next
 * one. */
struct pipeline {
    struct smtp_session *s;
    double timeout, octets_per_second; /* 0: a large one has no more time */
    size_t first, count;
    struct {
        lua_Integer index;
        double started;
    } of[SLOTS];
};

static struct pipeline *to_pipeline(lua_State *L)
{
    return luaL_checkudata(L, 1, PIPELINE);
}

static int transaction_at(size_t slot)
{
    return (int)(2 * slot + 1);
}

/** core.pipeline(session, timeout, octets_per_second) -> pipeline. Messages have so many seconds,
 * and more by their size. A session has one pipeline at a time. */
static int core_pipeline(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    double timeout = luaL_checknumber(L, 2), rate = luaL_optnumber(L, 3, 0);
    lua_getuservalue(L, 1);
    lua_getfield(L, -1, "pipeline");
    luaL_argcheck(L, lua_isnil(L, -1), 1, "it has a pipeline");
    struct pipeline *pipeline = lua_newuserdata(L, sizeof *pipeline);
    *pipeline = (struct pipeline){.s = s, .timeout = timeout, .octets_per_second = rate};
    lcompat_setmetatable(L, PIPELINE);
    lua_createtable(L, 2 * SLOTS, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "session");
    lua_pushvalue(L, -1);
    lua_setuservalue(L, -3);
    anchor(L, "pipeline", lua_gettop(L)); /* the session borrows what is in there */
    lua_pop(L, 1);
    return 1;
}

/* The session may be another conversation's by now. */
static void check_session(lua_State *L, int ring)
{
    lua_getfield(L, ring, "session");
    lua_getuservalue(L, -1);
    lua_getfield(L, -1, "pipeline");
    luaL_argcheck(L, lua_rawequal(L, -1, ring), 1, "its session is another's");
    lua_pop(L, 3);
}

/** pipeline:post(list, from, to, index, now) -> how many of the messages list[from] to list[to]
 * were taken: as many as are plain, and as there is room for. `index`: of the first of them, for
 * the caller; `now`: when they started. */
static int pipeline_post(lua_State *L)
{
    enum { LIST = 2, RING, MESSAGE };
    struct pipeline *pipeline = to_pipeline(L);
    luaL_checktype(L, LIST, LUA_TTABLE);
    int from = (int)lcompat_count(L, 3, LIST_MAX), to = (int)lcompat_count(L, 4, LIST_MAX),
        at = from;
    lua_Integer index = (lua_Integer)lcompat_count(L, 5, INDEX_MAX);
    double now = luaL_checknumber(L, 6);
    const struct smtp_text *known = NULL; /* most have the same sender */
    lua_settop(L, LIST);
    lua_getuservalue(L, 1);
    check_session(L, RING);
    for (; at <= to && pipeline->count < SLOTS; at++) {
        struct plain p;
        size_t slot = (pipeline->first + pipeline->count) % SLOTS;
        lua_rawgeti(L, LIST, at);
        lua_pushstring(L, "raw"); /* now: see core_plain */
        if (!lua_istable(L, MESSAGE) || !read_plain(L, MESSAGE, 0, known, &p)) break;
        lua_rawget(L, MESSAGE);
        lua_rawseti(L, RING, transaction_at(slot) + 1);
        lua_rawgeti(L, RING, transaction_at(slot));
        struct smtp_transaction *m = push_transaction(L, &p, lua_touserdata(L, -1));
        lua_rawseti(L, RING, transaction_at(slot));
        lua_settop(L, RING);
        m->text = p.raw;
        known = &m->from;
        pipeline->of[slot].index = index + (at - from);
        pipeline->of[slot].started = now;
        pipeline->count++;
        smtp_transaction_add(pipeline->s, m);
    }
    push_integer(L, (size_t)(at - from));
    return 1;
}

/* Where pipeline_take has its values. */
enum { OUT = 2, NOW, RING, TRANSACTION_AT };

/* The oldest is on its way no more. Its transaction is left where `keep`. */
static void advance(lua_State *L, struct pipeline *pipeline, bool keep)
{
    int at = transaction_at(pipeline->first);
    for (int i = keep ? at + 1 : at; i <= at + 1; i++) {
        lua_pushboolean(L, false);
        lua_rawseti(L, RING, i);
    }
    pipeline->first = (pipeline->first + 1) % SLOTS;
    pipeline->count--;
}

/* The oldest, which has no simple receipt, is the caller's now. */
static int give(lua_State *L, struct pipeline *pipeline, const struct smtp_transaction *m)
{
    lua_pushinteger(L, pipeline->of[pipeline->first].index);
    lua_pushnumber(L, pipeline->of[pipeline->first].started);
    lua_rawgeti(L, RING, transaction_at(pipeline->first) + 1);
    advance(L, pipeline, false);
    return 3 + push_parts(L, m);
}

/** pipeline:take(out, now) -> count, transaction, index, started, text, from, to, size, eightbit.
 * Of those that are over, oldest first, all that a receipt needs: eleven values in `out` each, the
 * index, what transaction:receipt() gives, size, seconds and eightbit. It ends with the first that
 * has no simple receipt: that is what the other values tell of. */
static int pipeline_take(lua_State *L)
{
    enum { EACH = 11 };
    struct pipeline *pipeline = to_pipeline(L);
    luaL_checktype(L, OUT, LUA_TTABLE);
    double now = luaL_checknumber(L, NOW);
    int count = 0;
    lua_settop(L, NOW);
    lua_getuservalue(L, 1);
    while (pipeline->count > 0) {
        lua_rawgeti(L, RING, transaction_at(pipeline->first));
        const struct smtp_transaction *m = lua_touserdata(L, TRANSACTION_AT);
        if (!m->over) break;
        lua_pushinteger(L, pipeline->of[pipeline->first].index);
        if (push_receipt(L, m) == 0) {
            lua_settop(L, TRANSACTION_AT);
            lua_pushinteger(L, count);
            lua_insert(L, TRANSACTION_AT);
            return 2 + give(L, pipeline, m);
        }
        push_integer(L, (size_t)m->size);
        lua_pushnumber(L, now - pipeline->of[pipeline->first].started);
        lua_pushboolean(L, m->eightbit);
        for (int i = EACH; i > 0; i--)
            lua_rawseti(L, OUT, EACH * count + i);
        lua_settop(L, RING);
        advance(L, pipeline, true);
        count++;
    }
    lua_pushinteger(L, count);
    return 1;
}

/** pipeline:state() -> how many are on their way; when the oldest must be over. */
static int pipeline_state(lua_State *L)
{
    const struct pipeline *pipeline = to_pipeline(L);
    lua_pushinteger(L, (lua_Integer)pipeline->count);
    if (pipeline->count == 0) return 1;
    lua_getuservalue(L, 1);
    lua_rawgeti(L, -1, transaction_at(pipeline->first));
    const struct smtp_transaction *m = lua_touserdata(L, -1);
    double seconds = pipeline->timeout;
    if (pipeline->octets_per_second > 0) seconds += (double)m->size / pipeline->octets_per_second;
    lua_pop(L, 2);
    lua_pushnumber(L, pipeline->of[pipeline->first].started + seconds);
    return 2;
}

static const luaL_Reg pipeline_methods[] = {
    {"post", pipeline_post}, {"take", pipeline_take}, {"state", pipeline_state}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"plain", core_plain}, {"pipeline", core_pipeline}, {NULL, NULL}};

void lplain_open(lua_State *L)
{
    new_class(L, PIPELINE, pipeline_methods, NULL);
    lcompat_setfuncs(L, functions);
}
