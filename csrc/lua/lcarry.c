/* lcarry.c - a caller's message from its table to its receipt in one call: the steps of
 * lua/smtp/client/connection.lua, where a message needs nothing but to be sent and the connection
 * is idle. Whatever else happens is left to Lua.
 */
#include "lreceipt.h"
#include "lsmtp.h"

enum {
    SESSION = 1,
    OPTIONS,
    WORDS,
    IO,
    TIMEOUT,
    FIXED,
    REPLY_TIMEOUT,
    BORROWED, /* the session's user value */
    OLD,      /* the transaction that was carried before, and may be used again; or nil */
    MADE,
    TEXT
};

/* Pushes the transaction, and its text, of the caller's table. Returns NULL, with nothing pushed,
 * where there is more to say of it. */
static struct smtp_transaction *push_carried(lua_State *L, struct smtp_text *id)
{
    lua_rawgeti(L, BORROWED, CARRIED);
    lua_rawgeti(L, BORROWED, CARRIED_TEXT);
    bool is_free = lua_isnil(L, -1);
    lua_pop(L, 1);
    const struct smtp_transaction *old = is_free ? lua_touserdata(L, OLD) : NULL;
    const struct smtp_text *known = old == NULL ? NULL : &old->from;
    if (!push_plain(L, OPTIONS, WORDS, 0, known, old == NULL ? 0 : OLD, id)) return NULL;
    struct smtp_transaction *m = lua_touserdata(L, -1);
    lua_insert(L, MADE);
    m->text = text_arg(L, TEXT);
    return m;
}

/* From here on the session borrows both. Where Lua has no memory for that, nothing has begun. */
static void keep_carried(lua_State *L)
{
    lua_pushvalue(L, MADE);
    lua_rawseti(L, BORROWED, CARRIED);
    lua_pushvalue(L, TEXT);
    lua_rawseti(L, BORROWED, CARRIED_TEXT);
}

/* Lua goes on with the message. */
static int push_begun(lua_State *L, const struct flights *f, double started, struct smtp_text id)
{
    const struct smtp_transaction *m = lua_touserdata(L, MADE);
    lua_pushnil(L);
    lua_createtable(L, 0, 10);
    lua_pushvalue(L, MADE);
    lua_setfield(L, -2, "transaction");
    lua_pushvalue(L, TEXT);
    lua_setfield(L, -2, "text");
    set_number(L, "size", m->size);
    set_flag(L, "eightbit", m->eightbit);
    push_id(L, id);
    lua_setfield(L, -2, "message_id");
    lua_pushnumber(L, started);
    lua_setfield(L, -2, "started");
    lua_pushnumber(L, f->clock.deadline);
    lua_setfield(L, -2, "deadline");
    lua_pushnumber(L, f->clock.moved);
    lua_setfield(L, -2, "moved");
    set_flag(L, "waits", f->again);
    return 2;
}

/* All recipients whom the server accepts have the message: its memory is the next one's. Returns 0
 * where there is more to report. */
static int push_done(lua_State *L, double seconds, struct smtp_text id)
{
    const struct smtp_transaction *m = lua_touserdata(L, MADE);
    if (push_receipt(L, m) == 0) return 0;
    lua_pushnumber(L, seconds);
    push_integer(L, (size_t)m->size);
    lua_pushboolean(L, m->eightbit);
    push_id(L, id);
    lua_pushnil(L);
    lua_rawseti(L, BORROWED, CARRIED_TEXT);
    return 8;
}

/** session:carry(options, extensions, io, timeout, fixed, reply_timeout): sends the message of a
 * caller's table, which is read as by core.transaction, on a connection that was idle. What the
 * server has said since the last answer is heard first, however short that time: a reply too many
 * would be taken for the answer to MAIL, that to RCPT for the one to the message. `io`: see
 * session:flights; `timeout`, `fixed`: see core.seconds_for.
 *
 * -> recipients, accepted, refused, reply, as transaction:receipt; seconds, size, eightbit,
 * message_id.
 * -> nil, { transaction, text, size, eightbit, message_id, started, deadline, moved, waits }: it is
 * on its way, and Lua has to go on; `waits`: once the socket can.
 * -> false: nothing was sent, and the socket says why, as after session:look.
 * -> nothing: there is more to say of the table, or the session was not READY. */
static int session_carry(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    struct flights f = {.L = L, .s = s, .io = io_arg(L, IO)};
    double timeout = luaL_checknumber(L, TIMEOUT);
    f.clock.reply_timeout = luaL_checknumber(L, REPLY_TIMEOUT);
    luaL_checktype(L, WORDS, LUA_TTABLE);
    if (!lua_istable(L, OPTIONS)) return 0;
    lua_settop(L, REPLY_TIMEOUT);
    lua_getuservalue(L, SESSION);
    struct smtp_text id;
    struct smtp_transaction *m = push_carried(L, &id);
    if (m == NULL) return 0;
    session_work(L, s);
    if ((smtp_wants(s) & SMTP_WANT_READY) == 0) return 0; /* a finalizer may have closed it */
    double started = f.clock.moved = flights_now();
    if (!flights_look(s, f.io)) {
        session_rest(L, s);
        lua_pushboolean(L, 0);
        return 1;
    }
    keep_carried(L);
    session_extra(s)->has_begun = true;
    f.clock.deadline = started + smtp_message_seconds(timeout, lua_toboolean(L, FIXED), m->size);
    smtp_transaction_add(s, m);
    while (flights_once(&f))
        continue;
    flights_keep(&f);
    session_rest(L, s);
    int count = 0;
    if (smtp_wants(s) & SMTP_WANT_READY) count = push_done(L, f.clock.moved - started, id);
    if (count == 0) count = push_begun(L, &f, started, id);
    session_extra(s)->has_begun = false;
    return count;
}

/** session:may_be_sent() -> of a session:carry that raised an error: may a recipient have the
 * message? */
static int session_may_be_sent(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    lua_settop(L, SESSION);
    lua_getuservalue(L, SESSION);
    lua_rawgeti(L, -1, CARRIED);
    bool has_begun = session_extra(s)->has_begun;
    lua_pushboolean(L, has_begun && smtp_transaction_may_be_sent(lua_touserdata(L, -1)));
    return 1;
}

static const luaL_Reg session_methods[] = {
    METHOD(session, carry), METHOD(session, may_be_sent), {NULL, NULL}};

void lcarry_open(lua_State *L)
{
    add_receipt_methods(L, SESSION_CLASS, session_methods);
}
