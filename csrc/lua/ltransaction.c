/* ltransaction.c - transactions as Lua objects of the module smtp.core: they are made of a message
 * as this library keeps it, or of a caller's own table. loutcome.c reports what became of them. */
#include "lsmtp.h"

#include <stddef.h>
#include <string.h>

static uint64_t len_field(lua_State *L, const char *key)
{
    lua_getfield(L, 1, key);
    lua_Number len = luaL_optnumber(L, -1, -1);
    lua_pop(L, 1);
    if (len == -1) return SMTP_LEN_UNKNOWN;
    luaL_argcheck(L, len >= 0 && len <= 9007199254740992.0, 1, key);
    return (uint64_t)len;
}

struct smtp_transaction *push_transaction(lua_State *L, int old, size_t to_count, size_t words_len)
{
    size_t texts_max = SMTP_TEXT_MAX + 96 * to_count;
    size_t head_len = sizeof(struct smtp_transaction) + to_count * sizeof(struct smtp_recipient);
    struct smtp_transaction *m = old == 0 ? NULL : lua_touserdata(L, old);
    if (m == NULL || lcompat_rawlen(L, old) < head_len + words_len + texts_max) {
        m = lua_newuserdata(L, head_len + words_len + texts_max + 64);
        lcompat_setmetatable(L, TRANSACTION);
    } else {
        lua_pushvalue(L, old);
    }
    memset(m, 0, head_len);
    m->to = (struct smtp_recipient *)(m + 1);
    m->to_count = to_count;
    m->texts = (char *)(m->to + to_count) + words_len;
    m->texts_max = texts_max;
    return m;
}

/* ---- of a message ---- */

/* Octets of all recipients' addresses, and that they are strings. */
static size_t measure(lua_State *L, int list, size_t count)
{
    size_t total = 0;
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, list, (int)i);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "to must hold strings");
        total += lcompat_rawlen(L, -1);
        lua_pop(L, 1);
    }
    return total;
}

/* Pops an esmtp-value (RFC 5321 4.1.2), of at most `len_max` octets so that a command stays
 * bounded, or nil. The table it comes from keeps it. */
static struct smtp_text pop_value(lua_State *L, size_t len_max)
{
    struct smtp_text value = {NULL, 0};
    luaL_argcheck(L, lua_isnil(L, -1) || lua_type(L, -1) == LUA_TSTRING, 1, "a parameter's type");
    if (!lua_isnil(L, -1)) value.data = lua_tolstring(L, -1, &value.len);
    luaL_argcheck(L, value.len <= len_max, 1, "a parameter is too long");
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        luaL_argcheck(L, c > ' ' && c < 0x7F && c != '=', 1, "a parameter's grammar");
    }
    lua_pop(L, 1);
    return value;
}

static struct smtp_text value_field(lua_State *L, const char *key, size_t len_max)
{
    lua_getfield(L, 1, key);
    return pop_value(L, len_max);
}

static uint32_t seconds_field(lua_State *L, const char *key)
{
    return (uint32_t)count_field(L, key, SMTP_SECONDS_MAX);
}

/* What the table `map` at the top has for each of the addresses in the list `to`. */
static void read_each(lua_State *L, int to, struct smtp_transaction *m, size_t len_max, bool orcpt)
{
    for (size_t i = 0; lua_istable(L, -1) && i < m->to_count; i++) {
        lua_rawgeti(L, to, (int)i + 1);
        lua_rawget(L, -2);
        struct smtp_text value = pop_value(L, len_max);
        if (orcpt)
            m->to[i].orcpt = value;
        else
            m->to[i].notify = value;
    }
    lua_pop(L, 1);
}

enum { FROM = 2, TO = 3 }; /* where core_transaction has them on its stack */

/* options.asked: what is said to extensions, named as in smtp_transaction; notify_of and orcpt_of
 * are of single recipients, by address. */
static void read_asked(lua_State *L, struct smtp_transaction *m)
{
    lua_getfield(L, 1, "asked");
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_insert(L, 1);
    m->notify = value_field(L, "notify", SMTP_NOTIFY_LEN_MAX);
    m->ret = value_field(L, "ret", 4);
    m->envid = value_field(L, "envid", SMTP_ENVID_LEN_MAX);
    m->requiretls = flag_field(L, "requiretls");
    m->by_seconds = seconds_field(L, "by_seconds");
    m->by_return = flag_field(L, "by_return");
    m->by_trace = flag_field(L, "by_trace");
    m->hold_seconds = seconds_field(L, "hold_seconds");
    m->hold_until = value_field(L, "hold_until", SMTP_DATE_LEN);
    m->mt_priority = value_field(L, "mt_priority", 2);
    lua_getfield(L, 1, "notify_of");
    read_each(L, TO + 1, m, SMTP_NOTIFY_LEN_MAX, false);
    lua_getfield(L, 1, "orcpt_of");
    read_each(L, TO + 1, m, SMTP_ORCPT_LEN_MAX, true);
    lua_remove(L, 1);
}

static int of_message(lua_State *L)
{
    lua_settop(L, 1);
    lua_getfield(L, 1, "from");
    luaL_argcheck(L, lua_type(L, FROM) == LUA_TSTRING, 1, "from must be a string");
    lua_getfield(L, 1, "to");
    luaL_checktype(L, TO, LUA_TTABLE);
    size_t count = lcompat_rawlen(L, TO);
    luaL_argcheck(L, count > 0, 1, "no recipients");
    size_t words_len = lcompat_rawlen(L, FROM) + measure(L, TO, count);

    struct smtp_transaction *m = push_transaction(L, 0, count, words_len);
    lua_pushvalue(L, 1); /* what is asked of extensions is borrowed */
    lua_setuservalue(L, -2);
    m->size = len_field(L, "size");
    m->source_len = len_field(L, "source_len");
    m->eightbit = flag_field(L, "eightbit");
    m->binary_wanted = flag_field(L, "binary");
    m->utf8 = flag_field(L, "utf8");
    m->all = flag_field(L, "all");
    m->exact = flag_field(L, "exact");
    m->ext_require = extensions_field(L, "extensions", "require");
    read_asked(L, m);
    char *at = put_word(words_of(m), &m->from, text_arg(L, FROM));
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, TO, (int)i + 1);
        at = put_word(at, &m->to[i].address, text_arg(L, -1));
        lua_pop(L, 1);
    }
    return 1;
}

/* ---- of a caller's own table: lraw.c ---- */

static int of_options(lua_State *L)
{
    if (!lua_istable(L, 1)) return 0;
    struct smtp_transaction *old =
        lua_isnoneornil(L, 3) ? NULL : luaL_checkudata(L, 3, TRANSACTION);
    luaL_argcheck(L, old == NULL || old->over || !old->queued, 3, "not over");
    int others = lua_isnoneornil(L, 4) ? 0 : (int)lcompat_count(L, 4, 1000);
    lua_settop(L, 3);
    const struct smtp_text *known = old == NULL ? NULL : &old->from;
    struct smtp_text id;
    if (!push_plain(L, 1, 2, others, known, old == NULL ? 0 : 3, &id)) return 0;
    const struct smtp_transaction *m = lua_touserdata(L, -1);
    lua_insert(L, -2); /* before the text */
    push_integer(L, (size_t)m->size);
    lua_pushboolean(L, m->eightbit);
    push_id(L, id);
    return 5;
}

/** core.transaction{ from=, to={…}, size=, exact=, source_len=, eightbit=, binary=, utf8=, all=,
 *  extensions=, asked= } -> transaction, of a message whose addresses are canonical.
 *
 * core.transaction(options, extensions, old, others) -> transaction, text, size, eightbit,
 * message_id: of a caller's own table { from=, to=, raw= }, or of a short text { from=, to=,
 * subject=, text=, date= }, that needs nothing but to be sent, with addresses in ASCII, one or a
 * list of them as recipients; nothing where there is more to say of it, be it that it is wrong. The
 * checks are those of smtp.client.request, in one step. `extensions`: the connection's words for
 * them. `old`: a transaction that is over, whose place it may take. `others`: so many other keys
 * are in the table. */
static int core_transaction(lua_State *L)
{
    if (lua_istable(L, 2)) return of_options(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    return of_message(L);
}

/* ---- of another transaction ---- */

/* The recipient that the list at 2 names in this place. */
static const struct smtp_recipient *named(lua_State *L, const struct smtp_transaction *m, size_t i)
{
    if (!lua_istable(L, 2)) return &m->to[i];
    lua_rawgeti(L, 2, (int)i + 1);
    size_t index = lcompat_count(L, -1, (lua_Number)m->to_count);
    luaL_argcheck(L, index > 0, 2, "out of range");
    lua_pop(L, 1);
    return &m->to[index - 1];
}

/** transaction:again(indices, offer) -> another transaction of the same message: for all of its
 *  recipients, or for these alone; `offer`: so many in one transaction at most, nil: any number */
int transaction_again(lua_State *L)
{
    const struct smtp_transaction *m = to_transaction(L);
    size_t count = lua_istable(L, 2) ? lcompat_rawlen(L, 2) : m->to_count, words_len = m->from.len;
    size_t offer = lua_isnoneornil(L, 3) ? 0 : lcompat_count(L, 3, INT32_MAX);
    luaL_argcheck(L, count > 0, 2, "no recipients");
    for (size_t i = 0; i < count; i++)
        words_len += named(L, m, i)->address.len;
    struct smtp_transaction *other = push_transaction(L, 0, count, words_len);
    lua_getuservalue(L, 1); /* what it borrows */
    lua_setuservalue(L, -2);
    struct smtp_recipient *to = other->to;
    char *texts = other->texts;
    size_t texts_max = other->texts_max;
    memcpy(other, m, offsetof(struct smtp_transaction, to_said)); /* the caller's half */
    other->to = to;
    other->to_count = count;
    other->texts = texts;
    other->texts_max = texts_max;
    other->text = (struct smtp_text){NULL, 0};
    other->may_be_sent = smtp_transaction_may_be_sent(m);
    other->offer = offer;
    if (m->binary) other->size = m->text_size;
    char *at = put_word(words_of(other), &other->from, m->from);
    for (size_t i = 0; i < count; i++) {
        const struct smtp_recipient *one = named(L, m, i);
        at = put_word(at, &to[i].address, one->address);
        to[i].notify = one->notify;
        to[i].orcpt = one->orcpt;
    }
    return 1;
}

/** transaction:may_be_sent() -> may a recipient have the message? */
int transaction_may_be_sent(lua_State *L)
{
    lua_pushboolean(L, smtp_transaction_may_be_sent(to_transaction(L)));
    return 1;
}

static const luaL_Reg functions[] = {METHOD(core, transaction), {NULL, NULL}};

void ltransaction_open(lua_State *L)
{
    lcompat_setfuncs(L, functions);
}
