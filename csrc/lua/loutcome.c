/* loutcome.c - what became of a transaction: the methods of the class smtp.Transaction, and the
 * recipients of one that is about to end. lreceipt.c makes receipts. */
#include "lsmtp.h"

#include <string.h>

struct smtp_transaction *to_transaction(lua_State *L)
{
    return self_arg(L, TRANSACTION);
}

/** transaction:over() -> is the outcome final? */
static int transaction_over(lua_State *L)
{
    lua_pushboolean(L, to_transaction(L)->over);
    return 1;
}

/** transaction:is_bystander() -> did the session break through no fault of this one? */
static int transaction_is_bystander(lua_State *L)
{
    lua_pushboolean(L, to_transaction(L)->bystander);
    return 1;
}

/** transaction:left() -> the indices of those recipients whom a further transaction has to serve;
 * how many it may have on another connection, or nil. See smtp_transaction_leaves,
 * smtp_transaction_offer. */
static int transaction_left(lua_State *L)
{
    const struct smtp_transaction *m = to_transaction(L);
    int count = 0;
    lua_newtable(L);
    for (size_t i = 0; i < m->to_count; i++) {
        if (!smtp_transaction_leaves(m, i)) continue;
        push_integer(L, i + 1);
        lua_rawseti(L, -2, ++count);
    }
    if (smtp_transaction_offer(m) == 0) return 1;
    push_integer(L, smtp_transaction_offer(m));
    return 2;
}

/** transaction:trouble() -> nil where the message was accepted, else { kind, reason, …, from } */
static int transaction_trouble(lua_State *L)
{
    const struct smtp_transaction *m = to_transaction(L);
    int count = push_trouble(L, &m->trouble);
    if (count > 0) set_text(L, "from", m->from.data, m->from.len);
    return count;
}

/** transaction:reply() -> { code, enhanced, text } of the reply to the end of the message. */
static int transaction_reply(lua_State *L)
{
    const struct smtp_transaction *m = to_transaction(L);
    lua_createtable(L, 0, 3);
    set_answer(L, &m->answer);
    return 1;
}

/** transaction:envelope() -> the sender, a list of the recipients */
static int transaction_envelope(lua_State *L)
{
    const struct smtp_transaction *m = to_transaction(L);
    lua_pushlstring(L, m->from.data, m->from.len);
    lua_createtable(L, (int)m->to_count, 0);
    for (size_t i = 0; i < m->to_count; i++) {
        lua_pushlstring(L, m->to[i].address.data, m->to[i].address.len);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 2;
}

/** session:ending() -> of the message whose end is held back, the addresses of the recipients that
 * the server has accepted, or not answered yet; nil where there is none */
int session_ending(lua_State *L)
{
    const struct smtp_transaction *m = smtp_ending(to_session(L));
    int count = 0;
    if (m == NULL) return 0;
    lua_createtable(L, (int)m->to_accepted, 0);
    for (size_t i = 0; i < m->to_said; i++) {
        if (i < m->to_heard && m->to[i].verdict != SMTP_ACCEPTED) continue;
        lua_pushlstring(L, m->to[i].address.data, m->to[i].address.len);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* ---- what the receipts of one connection share ---- */

/* A caller may change what a receipt contains, so each connection has tables of its own. To make
 * them from a list of their fields takes half of the time that it takes to walk through tables. */

/* Pushes the template of the table on top: key, value, …, with templates in place of tables. */
static void push_template(lua_State *L)
{
    int from = lua_gettop(L), count = 0;
    luaL_checkstack(L, 5, "too many tables in tables");
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, from); count += 2) {
        lua_pushvalue(L, -2);
        lua_rawseti(L, from + 1, count + 1);
        if (lua_istable(L, -1)) {
            push_template(L);
            lua_remove(L, -2);
        }
        lua_rawseti(L, from + 1, count + 2);
    }
}

/* Pushes what the template on top makes. */
static void push_made(lua_State *L)
{
    int from = lua_gettop(L), len = (int)lcompat_rawlen(L, from);
    luaL_checkstack(L, 5, "too many tables in tables");
    lua_createtable(L, 0, len / 2);
    for (int i = 1; i < len; i += 2) {
        lua_rawgeti(L, from, i);
        lua_rawgeti(L, from, i + 1);
        if (lua_istable(L, -1)) {
            push_made(L);
            lua_remove(L, -2);
        }
        lua_rawset(L, from + 1);
    }
}

/** core.template(table) -> a template of it, for core.make. Not for tables from outside, which may
 * contain themselves. */
static int core_template(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    push_template(L);
    return 1;
}

/** core.make(template) -> tables like those of which the template was made */
static int core_make(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    push_made(L);
    return 1;
}

static const luaL_Reg transaction_methods[] = {METHOD(transaction, over),
                                               METHOD(transaction, again),
                                               METHOD(transaction, left),
                                               METHOD(transaction, trouble),
                                               METHOD(transaction, reply),
                                               METHOD(transaction, is_bystander),
                                               METHOD(transaction, envelope),
                                               METHOD(transaction, may_be_sent),
                                               {NULL, NULL}};

static const luaL_Reg functions[] = {METHOD(core, template), METHOD(core, make), {NULL, NULL}};

void loutcome_open(lua_State *L)
{
    new_class(L, TRANSACTION, transaction_methods, NULL);
    lcompat_setfuncs(L, functions);
}
