/* lreceipt.c - receipts: what became of a message that at least one recipient has.
 *
 * A receipt consists of six tables with about twenty fields. A caller may change them, so they are
 * made anew for each message; what the receipts of one connection share is in `parts`, see
 * smtp.result.receipt. The keys are upvalues of the functions that make receipts: to find a key by
 * its characters takes longer than to set the field. */
#include "lreceipt.h"
#include "lsmtp.h"

#include <string.h>

/* clang-format off */
#define KEYS(X)                                                                                    \
    X(address) X(state) X(code) X(enhanced) X(text) X(recipients) X(accepted) X(refused) X(reply)  \
    X(message_id) X(size) X(seconds) X(extensions)
/* clang-format on */

/* What all receipts of a connection share, under the same names in `parts`. */
#define SHARED(X) X(auth) X(tls) X(server) X(capabilities) X(pipelining)

/* What `extensions` is: of a message that needs none, and of one with 8-bit bytes. */
#define NEEDS(X) X(none) X(eightbit)

/* The upvalues: first the metatable of the class, see self_arg. */
enum key {
    KEY_class = 1,
#define X(name) KEY_##name,
    KEYS(X) SHARED(X) NEEDS(X)
#undef X
        KEY_end
};

/* Where the values of `parts` are, from struct receipts.shared on. */
enum {
#define X(name) AT_##name,
    SHARED(X) NEEDS(X)
#undef X
};

void add_receipt_methods(lua_State *L, const char *class_name, const luaL_Reg *methods)
{
    luaL_checkstack(L, KEY_end + 4, "receipts");
    luaL_getmetatable(L, class_name);
    lua_getfield(L, -1, "__index");
    for (; methods->name != NULL; methods++) {
        lua_pushvalue(L, -2);
#define X(name) lua_pushliteral(L, #name);
        KEYS(X)
        SHARED(X)
        NEEDS(X)
#undef X
        lua_pushcclosure(L, methods->func, KEY_end - 1);
        lua_setfield(L, -2, methods->name);
    }
    lua_pop(L, 2);
}

static void push_key(lua_State *L, enum key key)
{
    lua_pushvalue(L, lua_upvalueindex((int)key));
}

/* ---- recipients ---- */

/* code, enhanced and text, in the table on top. */
static void set_reply(lua_State *L, uint16_t code, const uint16_t enhanced[3],
                      struct smtp_text text)
{
    push_key(L, KEY_code);
    lua_pushinteger(L, code);
    lua_rawset(L, -3);
    if (enhanced[0] != 0) {
        push_key(L, KEY_enhanced);
        push_enhanced(L, enhanced);
        lua_rawset(L, -3);
    }
    push_key(L, KEY_text);
    lua_pushlstring(L, text.data, text.len);
    lua_rawset(L, -3);
}

static void set_state(lua_State *L, enum smtp_verdict verdict)
{
    static const char *const words[] = {[SMTP_UNSENT] = "unsent",
                                        [SMTP_REFUSED] = "refused",
                                        [SMTP_DEFERRED] = "deferred",
                                        [SMTP_UNKNOWN] = "unknown"};
    push_key(L, KEY_state);
    if (verdict == SMTP_ACCEPTED)
        push_key(L, KEY_accepted);
    else
        lua_pushstring(L, words[verdict]);
    lua_rawset(L, -3);
}

/* Pushes what became of a recipient, whose address is on top and stays there, below it. One that
 * the end of the message decided has the words of that. */
static void push_recipient(lua_State *L, const struct smtp_transaction *m,
                           const struct smtp_recipient *to)
{
    bool judged = to->verdict == SMTP_REFUSED || to->verdict == SMTP_DEFERRED;
    lua_createtable(L, 0, 5);
    push_key(L, KEY_address);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    set_state(L, to->verdict);
    if (judged && to->code / 100 == 2)
        set_answer(L, &m->trouble.answer);
    else if (to->code != 0)
        set_reply(L, to->code, to->enhanced,
                  (struct smtp_text){m->texts + to->text_at, to->text_len});
}

/** transaction:recipients() -> { { address, state, code, enhanced, text }, … } in the order given.
 */
static int transaction_recipients(lua_State *L)
{
    const struct smtp_transaction *m = to_transaction(L);
    lua_createtable(L, (int)m->to_count, 0);
    for (size_t i = 0; i < m->to_count; i++) {
        lua_pushlstring(L, m->to[i].address.data, m->to[i].address.len);
        push_recipient(L, m, &m->to[i]);
        lua_rawseti(L, -3, (int)i + 1);
        lua_pop(L, 1);
    }
    return 1;
}

/* ---- receipts ---- */

static bool is_cut(const char *text, size_t len)
{
    const size_t mark_len = sizeof SMTP_CUT_MARK - 1;
    return len >= mark_len && memcmp(text + len - mark_len, SMTP_CUT_MARK, mark_len) == 0;
}

/* The message was accepted, for one recipient at least, and no further transaction is needed. Where
 * the server's words were cut, a part of a secret may end them: only Lua can mask that. */
bool receipt_is_whole(const struct smtp_transaction *m)
{
    bool accepted = false;
    if (!m->over || m->trouble.error != SMTP_ERROR_NONE) return false;
    if (is_cut(m->answer.text, m->answer.text_len)) return false;
    for (size_t i = 0; i < m->to_count; i++) {
        const struct smtp_recipient *to = &m->to[i];
        if (smtp_transaction_leaves(m, i)) return false;
        if (is_cut(m->texts + to->text_at, to->text_len)) return false;
        accepted = accepted || to->verdict == SMTP_ACCEPTED;
    }
    return accepted;
}

/* Pushes the recipients, the addresses of those that have the message, the others, and the reply to
 * the message. Returns whether there are others. */
static bool push_outcome(lua_State *L, const struct smtp_transaction *m)
{
    enum { ADDRESS = -2, RECIPIENT = -1 }; /* while the tables are below them */
    const int at = lua_gettop(L) + 1;
    int accepted_count = 0, refused_count = 0;
    lua_createtable(L, (int)m->to_count, 0);
    lua_createtable(L, (int)m->to_accepted, 0);
    lua_newtable(L);
    for (size_t i = 0; i < m->to_count; i++) {
        const struct smtp_recipient *to = &m->to[i];
        bool accepted = to->verdict == SMTP_ACCEPTED;
        lua_pushlstring(L, to->address.data, to->address.len);
        push_recipient(L, m, to);
        lua_pushvalue(L, accepted ? ADDRESS : RECIPIENT);
        lua_rawseti(L, accepted ? at + 1 : at + 2, accepted ? ++accepted_count : ++refused_count);
        lua_rawseti(L, at, (int)i + 1);
        lua_pop(L, 1);
    }
    lua_createtable(L, 0, 3);
    set_reply(L, m->answer.code, m->answer.enhanced,
              (struct smtp_text){m->answer.text, m->answer.text_len});
    return refused_count > 0;
}

int push_receipt(lua_State *L, const struct smtp_transaction *m)
{
    if (!receipt_is_whole(m)) return 0;
    push_outcome(L, m);
    return 4;
}

/** transaction:receipt() -> recipients, accepted, refused, reply, where the message was accepted;
 * nothing where there is more to report. */
static int transaction_receipt(lua_State *L)
{
    return push_receipt(L, to_transaction(L));
}

/** core.receipt(recipients) -> the addresses of those that have the message, the others */
static int core_receipt(lua_State *L)
{
    enum { RECIPIENTS = 1, ACCEPTED, REFUSED, RECIPIENT };
    int accepted_count = 0, refused_count = 0;
    luaL_checktype(L, RECIPIENTS, LUA_TTABLE);
    lua_settop(L, RECIPIENTS);
    size_t count = lcompat_rawlen(L, RECIPIENTS);
    lua_createtable(L, (int)count, 0);
    lua_newtable(L);
    for (size_t i = 1; i <= count; i++, lua_settop(L, REFUSED)) {
        lua_rawgeti(L, RECIPIENTS, (int)i);
        lua_getfield(L, RECIPIENT, "address");
        lua_getfield(L, RECIPIENT, "state");
        const char *state = lua_tostring(L, -1);
        bool accepted = state != NULL && strcmp(state, "accepted") == 0;
        lua_settop(L, accepted ? RECIPIENT + 1 : RECIPIENT);
        lua_rawseti(L, accepted ? ACCEPTED : REFUSED,
                    accepted ? ++accepted_count : ++refused_count);
    }
    return 2;
}

/* ---- whole receipts ---- */

void receipts_begin(lua_State *L, int parts, struct receipts *r)
{
    luaL_checkstack(L, 2 * KEY_end, "receipts");
    luaL_checktype(L, parts, LUA_TTABLE);
    r->shared = lua_gettop(L) + 1;
#define X(name) (push_key(L, KEY_##name), lua_rawget(L, parts));
    SHARED(X)
    NEEDS(X)
#undef X
}

/* Sets a field of the table at `t` to the value at `value`. */
static void set_from(lua_State *L, int t, enum key key, int value)
{
    push_key(L, key);
    lua_pushvalue(L, value);
    lua_rawset(L, t);
}

bool receipts_push(lua_State *L, const struct receipts *r, const struct smtp_transaction *m,
                   double seconds, struct smtp_text id)
{
    const int t = lua_gettop(L) + 1, outcome = t + 1;
    lua_createtable(L, 0, KEY_none - KEY_recipients);
    bool has_refused = push_outcome(L, m);
    set_from(L, t, KEY_recipients, outcome);
    set_from(L, t, KEY_accepted, outcome + 1);
    set_from(L, t, KEY_refused, outcome + 2);
    set_from(L, t, KEY_reply, outcome + 3);
    lua_settop(L, t);
    if (id.len > 0) {
        push_key(L, KEY_message_id);
        lua_pushlstring(L, id.data, id.len);
        lua_rawset(L, t);
    }
    push_key(L, KEY_size);
    push_integer(L, (size_t)m->size);
    lua_rawset(L, t);
    push_key(L, KEY_seconds);
    lua_pushnumber(L, seconds);
    lua_rawset(L, t);
#define X(name) set_from(L, t, KEY_##name, r->shared + AT_##name);
    SHARED(X)
#undef X
    set_from(L, t, KEY_extensions, r->shared + (m->eightbit ? AT_eightbit : AT_none));
    return has_refused;
}

static const luaL_Reg methods[] = {
    METHOD(transaction, recipients), METHOD(transaction, receipt), {NULL, NULL}};

static const luaL_Reg functions[] = {METHOD(core, receipt), {NULL, NULL}};

void lreceipt_open(lua_State *L)
{
    add_receipt_methods(L, TRANSACTION, methods);
    lcompat_setfuncs(L, functions);
}
