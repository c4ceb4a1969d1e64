/* ltransaction.c - transactions as Lua objects of the module smtp.core. */
#include "lsmtp.h"

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

static char *copy(lua_State *L, struct smtp_text *text, char *at)
{
    size_t len;
    const char *data = lua_tolstring(L, -1, &len);
    memcpy(at, data, len);
    *text = (struct smtp_text){at, len};
    lua_pop(L, 1);
    return at + len;
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

/** core.transaction{ from=, to={…}, size=, exact=, source_len=, eightbit=, binary=, utf8=, all=,
 * offer=, extensions=, asked= } -> transaction: one transaction. The addresses are canonical. One
 * block holds all of it, with room for what the server says: 512 octets and 96 for each recipient.
 */
static int core_transaction(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "from");
    luaL_argcheck(L, lua_type(L, FROM) == LUA_TSTRING, 1, "from must be a string");
    lua_getfield(L, 1, "to");
    luaL_checktype(L, TO, LUA_TTABLE);
    size_t count = lcompat_rawlen(L, TO);
    luaL_argcheck(L, count > 0, 1, "nobody to send to");
    size_t words_len = lcompat_rawlen(L, FROM) + measure(L, TO, count);
    size_t texts_max = SMTP_TEXT_MAX + 96 * count;
    size_t to_len = count * sizeof(struct smtp_recipient);

    struct smtp_transaction *m = lua_newuserdata(L, sizeof *m + to_len + words_len + texts_max);
    memset(m, 0, sizeof *m + to_len);
    lcompat_setmetatable(L, TRANSACTION);
    lua_pushvalue(L, 1); /* what is asked of extensions is borrowed */
    lua_setuservalue(L, -2);
    m->to = (struct smtp_recipient *)(m + 1);
    m->to_count = count;
    m->size = len_field(L, "size");
    m->source_len = len_field(L, "source_len");
    m->eightbit = flag_field(L, "eightbit");
    m->binary_wanted = flag_field(L, "binary");
    m->utf8 = flag_field(L, "utf8");
    m->all = flag_field(L, "all");
    m->offer = count_field(L, "offer", INT32_MAX);
    m->exact = flag_field(L, "exact");
    m->ext_require = extensions_field(L, "extensions", "require");
    read_asked(L, m);
    char *at = (char *)(m->to + count);
    lua_pushvalue(L, FROM);
    at = copy(L, &m->from, at);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, TO, (int)i + 1);
        at = copy(L, &m->to[i].address, at);
    }
    m->texts = at;
    m->texts_max = texts_max;
    return 1;
}

/* ---- methods ---- */

static struct smtp_transaction *to_transaction(lua_State *L)
{
    return luaL_checkudata(L, 1, TRANSACTION);
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

/** transaction:trouble() -> nil where the message was accepted, else { kind, reason, … }. */
static int transaction_trouble(lua_State *L)
{
    return push_trouble(L, &to_transaction(L)->trouble);
}

/** transaction:reply() -> { code, enhanced, text } of the reply to the end of the message. */
static int transaction_reply(lua_State *L)
{
    const struct smtp_transaction *m = to_transaction(L);
    lua_createtable(L, 0, 3);
    set_answer(L, &m->answer);
    return 1;
}

/* What became of recipient i; one whom the end of the message decided has the words of that. */
static void push_recipient(lua_State *L, const struct smtp_transaction *m,
                           const struct smtp_recipient *to)
{
    static const char *const words[] = {[SMTP_UNSENT] = "unsent",
                                        [SMTP_ACCEPTED] = "accepted",
                                        [SMTP_REFUSED] = "refused",
                                        [SMTP_DEFERRED] = "deferred",
                                        [SMTP_UNKNOWN] = "unknown"};
    bool judged = to->verdict == SMTP_REFUSED || to->verdict == SMTP_DEFERRED;
    bool by_message = judged && to->code / 100 == 2;
    lua_createtable(L, 0, 5);
    set_text(L, "address", to->address.data, to->address.len);
    lua_pushstring(L, words[to->verdict]);
    lua_setfield(L, -2, "state");
    if (by_message) {
        set_answer(L, &m->trouble.answer);
    } else if (to->code != 0) {
        lua_pushinteger(L, to->code);
        lua_setfield(L, -2, "code");
        set_enhanced(L, to->enhanced);
        set_text(L, "text", m->texts + to->text_at, to->text_len);
    }
}

static void push_recipients(lua_State *L, const struct smtp_transaction *m)
{
    lua_createtable(L, (int)m->to_count, 0);
    for (size_t i = 0; i < m->to_count; i++) {
        push_recipient(L, m, &m->to[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/** transaction:recipients() -> { { address, state, code, enhanced, text }, … } in the order given.
 */
static int transaction_recipients(lua_State *L)
{
    push_recipients(L, to_transaction(L));
    return 1;
}

static void push_answer(lua_State *L, unsigned code, const uint16_t enhanced[3], const char *text,
                        size_t text_len)
{
    lua_pushinteger(L, (lua_Integer)code);
    push_enhanced(L, enhanced);
    lua_pushlstring(L, text, text_len);
}

static bool is_cut(const char *text, size_t len)
{
    const size_t mark_len = sizeof SMTP_CUT_MARK - 1;
    return len >= mark_len && memcmp(text + len - mark_len, SMTP_CUT_MARK, mark_len) == 0;
}

int push_receipt(lua_State *L, const struct smtp_transaction *m)
{
    const struct smtp_recipient *to = m->to;
    const struct smtp_answer *answer = &m->answer;
    if (!m->over || m->trouble.error != SMTP_ERROR_NONE || m->to_count != 1) return 0;
    if (to->verdict != SMTP_ACCEPTED) return 0;
    if (is_cut(m->texts + to->text_at, to->text_len) || is_cut(answer->text, answer->text_len))
        return 0; /* who masks secrets has to look at it */
    lua_pushlstring(L, to->address.data, to->address.len);
    push_answer(L, to->code, to->enhanced, m->texts + to->text_at, to->text_len);
    push_answer(L, answer->code, answer->enhanced, answer->text, answer->text_len);
    return 7;
}

/** transaction:receipt() -> address, code, enhanced, text, code, enhanced, text: what the server
 * said of the only recipient, and of the message, where it was accepted; nothing where there is
 * more to tell. */
static int transaction_receipt(lua_State *L)
{
    return push_receipt(L, to_transaction(L));
}

static const luaL_Reg transaction_methods[] = {{"over", transaction_over},
                                               {"receipt", transaction_receipt},
                                               {"left", transaction_left},
                                               {"trouble", transaction_trouble},
                                               {"reply", transaction_reply},
                                               {"recipients", transaction_recipients},
                                               {"is_bystander", transaction_is_bystander},
                                               {NULL, NULL}};

static const luaL_Reg functions[] = {{"transaction", core_transaction}, {NULL, NULL}};

void ltransaction_open(lua_State *L)
{
    new_class(L, TRANSACTION, transaction_methods, NULL);
    lcompat_setfuncs(L, functions);
}
