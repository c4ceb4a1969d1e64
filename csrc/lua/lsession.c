/* lsession.c - sessions as Lua objects of the module smtp.core. Nothing is decided here.
 *
 * Any Lua call may leave this file by longjmp (an argument error, no memory). So it owns nothing: a
 * session and a transaction live in their userdata, and the strings they borrow in its user value.
 */
#include "lsmtp.h"

enum { ADDED_MAX = 2 * SMTP_FLIGHT_MAX }; /* transactions, before those that are over are removed */

struct smtp_session *to_session(lua_State *L)
{
    return self_arg(L, SESSION_CLASS);
}

void anchor(lua_State *L, const char *key, int index)
{
    lua_getuservalue(L, 1);
    lua_pushvalue(L, index);
    lua_setfield(L, -2, key);
    lua_pop(L, 1);
}

/** core.session(options, resume, old) -> session. `options`, a table that is kept and must not
 * change any more, or what core.options made of it:
 * domain, tls, auth (words), tls_on, tls_verified, username, authzid, mechanisms, mechanisms_named,
 *  token_renewable, secret_in_clear, secret_unverified, host, port, lmtp, hold_ends, chunks_ahead,
 * extensions (keyword to word), grade, flight_max, refused_max, window. `resume`: what
 * session:facts() gave of the session that had this connection before. `old`: one that is not used
 * any more; its memory is the new one's. */
static int core_session(lua_State *L)
{
    void *memory = lua_isnoneornil(L, 3) ? NULL : luaL_checkudata(L, 3, SESSION_CLASS);
    lua_settop(L, 3);
    struct smtp_options o;
    if (lua_isuserdata(L, 1)) {
        o = *to_options(L, 1);
    } else {
        luaL_checktype(L, 1, LUA_TTABLE);
        read_options(L, &o);
    }
    struct smtp_facts facts = {0};
    struct smtp_answer ehlo_reply;
    bool resumes = read_resume(L, &facts, &ehlo_reply);

    lua_createtable(L, CARRIED_TEXT, 4); /* what the session borrows from */
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "options");
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "resume");
    lua_createtable(L, 0, 1); /* most sessions have one transaction */
    lua_rawseti(L, -2, TRANSACTIONS);
    if (memory != NULL) {
        session_end(L, memory);
        lua_pushvalue(L, 3);
    } else {
        memory = lua_newuserdata(L, smtp_session_size() + sizeof(struct session_extra));
        *session_extra(memory) = (struct session_extra){.works = works_of(L)};
    }
    session_extra(memory)->pipeline = NULL;
    session_extra(memory)->has_begun = false;
    session_start(L, memory, &o, resumes ? &facts : NULL);
    if (lua_isnil(L, 3)) lcompat_setmetatable(L, SESSION_CLASS);
    lua_insert(L, -2);
    lua_setuservalue(L, -2);
    return 1;
}

/* ---- what the session wants, and what it gets ---- */

/* The most urgent want, which is the lowest bit, as a word. */
const char *want_word(const struct smtp_session *s)
{
    static const char *const words[] = {"nothing", "tls", "secret", "answer", "body",
                                        "send",    "end", "ready",  "recv"};
    return words[__builtin_ctz(smtp_wants(s) | SMTP_WANT_RECV)];
}

/** session:wants() -> the most urgent want: "nothing", "tls", "secret", "answer", "body", "send",
 *  "end", "ready", "recv". */
static int session_wants(lua_State *L)
{
    lua_pushstring(L, want_word(to_session(L)));
    return 1;
}

/** session:output() -> the bytes to send; true where not all could be sent the last time. They
 * count as sent only by session:sent(n). */
static int session_output(lua_State *L)
{
    const struct smtp_session *s = to_session(L);
    struct smtp_text out = smtp_send_buf(s);
    lua_pushlstring(L, out.data, out.len);
    if (!smtp_sent_in_part(s)) return 1;
    lua_pushboolean(L, 1);
    return 2;
}

/** session:octets() -> how many octets of messages have left in this session */
static int session_octets(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)smtp_session_status(to_session(L))->octets);
    return 1;
}

/** session:sent(n): so many bytes of the output have left. */
static int session_sent(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    smtp_send_ack(s, lcompat_count(L, 2, LCOMPAT_SIZE_MAX));
    return 0;
}

/** session:heard(bytes): what the server said; "" where it closed the connection. */
static int session_heard(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    struct smtp_text data = text_arg(L, 2);
    if (data.len > 0) session_work(L, s);
    smtp_recv(s, data.data, data.len);
    session_rest(L, s);
    return 0;
}

/** session:tls_started(verified) */
static int session_tls_started(lua_State *L)
{
    smtp_tls_started(to_working_session(L), lua_toboolean(L, 2));
    return 0;
}

/** session:body(piece, from) -> index of the first byte not taken. The session keeps the piece, a
 * string or a buffer, which must not change until "body" is wanted again. */
static int session_body(lua_State *L)
{
    lua_settop(L, 3);
    struct smtp_session *s = to_session(L);
    struct smtp_text piece = piece_arg(L, 2);
    size_t from = lcompat_count(L, 3, LCOMPAT_SIZE_MAX) - 1;
    luaL_argcheck(L, from <= piece.len, 3, "beyond the piece");
    if ((smtp_wants(s) & SMTP_WANT_BODY) == 0) { /* some of the last piece may not have left */
        push_integer(L, from + 1);
        return 1;
    }
    anchor(L, "piece", 2);
    push_integer(L, from + smtp_body_lend(s, piece.data + from, piece.len - from) + 1);
    return 1;
}

static int session_body_end(lua_State *L)
{
    smtp_body_end(to_session(L));
    return 0; /* the piece stays: some of it may not have left */
}

/** session:body_forget(): what was the last piece may change, if all of it has left. */
static int session_body_forget(lua_State *L)
{
    if (!smtp_session_rests(to_session(L))) return 0;
    lua_settop(L, 1);
    lua_pushnil(L);
    anchor(L, "piece", 2);
    return 0;
}

/** session:end_allowed(): the message whose end is held back may end. */
static int session_end_allowed(lua_State *L)
{
    smtp_end_allow(to_session(L));
    return 0;
}

/** session:broken(kind, reason, text): the driver's own trouble ends the session. */
static int session_broken(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    enum smtp_error error = smtp_error_find(luaL_checkstring(L, 2), luaL_checkstring(L, 3));
    struct smtp_text text = text_arg(L, 4);
    luaL_argcheck(L, error != SMTP_ERROR_NONE, 2, "unknown");
    smtp_break(s, error, text.data, text.len);
    return 0;
}

/* ---- transactions, questions ---- */

/* Removes the transactions that are over from the table on top. */
static void forget_transactions(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        const struct smtp_transaction *transaction = lua_touserdata(L, -2);
        if (!transaction->over) continue;
        lua_pushvalue(L, -2);
        lua_pushnil(L);
        lua_settable(L, -5);
    }
}

/* The transaction at 2 and its text at 3 stay alive as long as the session needs them. */
static void anchor_transaction(lua_State *L)
{
    lua_getuservalue(L, 1);
    lua_rawgeti(L, -1, ADDED);
    lua_Integer added = lua_tointeger(L, -1) + 1;
    lua_rawgeti(L, -2, TRANSACTIONS);
    if (added > ADDED_MAX) {
        forget_transactions(L);
        added = 0;
    }
    lua_pushvalue(L, 2);
    lua_isnil(L, 3) ? lua_pushboolean(L, 0) : lua_pushvalue(L, 3);
    lua_rawset(L, -3);
    lua_pushinteger(L, added);
    lua_rawseti(L, -4, ADDED);
    lua_pop(L, 3);
}

static bool is_ready(const struct smtp_transaction *transaction)
{
    struct smtp_scan scan = {.ready = true};
    smtp_scan(&scan, transaction->text.data, transaction->text.len);
    smtp_scan_end(&scan);
    return scan.framed && smtp_scan_is_sendable(&scan) && (transaction->eightbit || !scan.eightbit);
}

/** session:add(transaction, text): queues a transaction, which the session keeps. `text`: the whole
 * message, if it is in memory. */
int session_add(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    struct smtp_transaction *transaction = luaL_checkudata(L, 2, TRANSACTION);
    luaL_argcheck(L, !transaction->queued && !transaction->has_outcome, 2, "used before");
    if (lua_isnone(L, 3)) lua_settop(L, 3);
    if (!lua_isnil(L, 3)) {
        transaction->text = text_arg(L, 3);
        luaL_argcheck(L, !transaction->ready || transaction->text.len == transaction->source_len, 3,
                      "another text");
        if (transaction->size == transaction->text.len)
            transaction->ready = transaction->ready || is_ready(transaction);
    }
    anchor_transaction(L);
    session_work(L, s);
    smtp_transaction_add(s, transaction);
    return 0;
}

/** session:spoken() -> the transaction whose message is wanted: the very value that was added. */
static int session_spoken(lua_State *L)
{
    const struct smtp_transaction *spoken = smtp_spoken(to_session(L));
    if (spoken == NULL) return 0;
    lua_getuservalue(L, 1);
    lua_rawgeti(L, -1, TRANSACTIONS);
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pop(L, 1);
        if (lua_touserdata(L, -1) == spoken) return 1;
    }
    return 0;
}

static int session_quit(lua_State *L)
{
    smtp_quit(to_working_session(L));
    return 0;
}

/** session:ask("rset" | "noop" | "vrfy", argument) */
static int session_ask(lua_State *L)
{
    static const char *const words[] = {
        [SMTP_ASK_RSET] = "rset", [SMTP_ASK_NOOP] = "noop", [SMTP_ASK_VRFY] = "vrfy", NULL};
    struct smtp_session *s = to_working_session(L);
    int question = luaL_checkoption(L, 2, NULL, words);
    size_t len;
    const char *data = luaL_optlstring(L, 3, "", &len);
    lua_settop(L, 3);
    anchor(L, "argument", 3);
    smtp_ask(s, (enum smtp_question)question, (struct smtp_text){data, len});
    return 0;
}

/** session:asked() -> { code, enhanced, text } of the newest question. */
static int session_asked(lua_State *L)
{
    const struct smtp_session *s = to_session(L);
    lua_createtable(L, 0, 3);
    set_answer(L, &smtp_session_status(s)->asked);
    return 1;
}

static int session_trouble(lua_State *L)
{
    return push_trouble(L, &smtp_session_status(to_session(L))->trouble);
}

static int session_stage(lua_State *L)
{
    lua_pushstring(L, smtp_session_stage(to_session(L)));
    return 1;
}

/** session:eager_failed(): see smtp_eager_failed */
static int session_eager_failed(lua_State *L)
{
    lua_pushboolean(L, smtp_session_status(to_session(L))->eager_failed);
    return 1;
}

/** session:chunk_failed(): see smtp_status */
static int session_chunk_failed(lua_State *L)
{
    lua_pushboolean(L, smtp_session_status(to_session(L))->chunk_failed);
    return 1;
}

/** session:replies() -> whole replies heard so far. */
static int session_replies(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)smtp_session_status(to_session(L))->replies);
    return 1;
}

/** session:rests() -> ready, with nothing half heard? */
static int session_rests(lua_State *L)
{
    lua_pushboolean(L, smtp_session_rests(to_session(L)));
    return 1;
}

/* A login that was given up may have left its secret. */
static int session_gc(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    session_end(L, s);
    return 0;
}

static const luaL_Reg session_methods[] = {
    METHOD(session, wants),        METHOD(session, flights),
    METHOD(session, look),         METHOD(session, patience),
    METHOD(session, rests),        METHOD(session, output),
    METHOD(session, octets),       METHOD(session, sent),
    METHOD(session, heard),        METHOD(session, tls_started),
    METHOD(session, body),         METHOD(session, body_end),
    METHOD(session, body_forget),  METHOD(session, broken),
    METHOD(session, add),          METHOD(session, spoken),
    METHOD(session, quit),         METHOD(session, ask),
    METHOD(session, asked),        METHOD(session, trouble),
    METHOD(session, stage),        METHOD(session, replies),
    METHOD(session, grade),        METHOD(session, eager_failed),
    METHOD(session, ending),       METHOD(session, end_allowed),
    METHOD(session, chunk_failed), {NULL, NULL}};

static const luaL_Reg functions[] = {METHOD(core, session), {NULL, NULL}};

void lsession_open(lua_State *L)
{
    new_class(L, SESSION_CLASS, session_methods, session_gc);
    lcompat_setfuncs(L, functions);
}
