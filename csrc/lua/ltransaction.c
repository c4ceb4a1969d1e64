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

/* Pushes a transaction for so many recipients, with room for their addresses and for what the
 * server says: 512 octets and 96 for each recipient. It takes the place of the transaction at
 * `old`, if that is large enough; 0: there is none. */
static struct smtp_transaction *push_transaction(lua_State *L, int old, size_t to_count,
                                                 size_t words_len)
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

/* Where its addresses go. */
static char *words_of(struct smtp_transaction *m)
{
    return (char *)(m->to + m->to_count);
}

static char *put_word(char *at, struct smtp_text *text, struct smtp_text word)
{
    memcpy(at, word.data, word.len);
    *text = (struct smtp_text){at, word.len};
    return at + word.len;
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
    luaL_argcheck(L, count > 0, 1, "nobody to send to");
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

/* ---- of a caller's own table ---- */

enum { RAW_LEN_MAX = 256 * 1024, ADDRESS_LEN_MAX = 254, RAW_TO_MAX = 64, WORDS_LEN_MAX = 8192 };

/* { from=, to=, raw= } as it was read. While it is, nothing may allocate: that may run a finalizer,
 * which may change the table. So the addresses are in here. */
struct raw {
    struct smtp_text from, to[RAW_TO_MAX], text;
    size_t to_count, words_len;
    uint64_t wire_len;
    unsigned ext_require;
    bool eightbit, ready; /* as in struct smtp_transaction */
    bool no_eightbit;     /* extensions["8bitmime"] = "skip" */
    char words[WORDS_LEN_MAX];
};

static bool is_same(struct smtp_text a, struct smtp_text b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* "Ann <ann@example.org>" without its name, where that is printable ASCII without specials. Any
 * other text is returned as it is, and is not a valid address if it has a name. */
static struct smtp_text without_name(struct smtp_text text)
{
    if (text.len == 0 || text.data[text.len - 1] != '>') return text;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '<') return (struct smtp_text){text.data + i + 1, text.len - i - 2};
        if (c < ' ' || c > '~' || strchr("\"\\,;@>", c) != NULL) break;
    }
    return text;
}

/* `known`: an address in its canonical form, or NULL. One outside ASCII may need IDNA, and its
 * message SMTPUTF8. */
static bool read_address(struct raw *r, struct smtp_text text, const struct smtp_text *known,
                         struct smtp_text *address)
{
    const char *why;
    char *out = r->words + r->words_len;
    text = without_name(text);
    if (text.len == 0 || text.len > ADDRESS_LEN_MAX) return false;
    if (r->words_len + text.len > WORDS_LEN_MAX) return false;
    *address = (struct smtp_text){out, text.len};
    if (known != NULL && is_same(*known, text)) {
        memcpy(out, text.data, text.len);
    } else {
        for (size_t i = 0; i < text.len; i++)
            if (text.data[i] & 0x80) return false;
        address->len = smtp_address_check(text.data, text.len, out, &why);
    }
    r->words_len += address->len;
    return address->len > 0;
}

/* A recipient, each address once. */
static bool read_recipient(lua_State *L, struct raw *r)
{
    struct smtp_text text, *address = &r->to[r->to_count];
    if (lua_type(L, -1) != LUA_TSTRING || r->to_count == RAW_TO_MAX) return false;
    text.data = lua_tolstring(L, -1, &text.len);
    if (!read_address(r, text, NULL, address)) return false;
    for (size_t i = 0; i < r->to_count; i++)
        if (is_same(r->to[i], *address)) return true;
    r->to_count++;
    return true;
}

/* The list on top holds strings and nothing else. */
static bool read_list(lua_State *L, struct raw *r)
{
    size_t count = lcompat_rawlen(L, -1), keys = 0;
    if (count == 0 || count > RAW_TO_MAX) return false;
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (int)i);
        bool read = read_recipient(L, r);
        lua_pop(L, 1);
        if (!read) return false;
    }
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        keys++;
    return keys == count;
}

enum { HAS_FROM = 0x01, HAS_TO = 0x02, HAS_RAW = 0x04 };

/* Which of the three is the value on top, whose key is below? 0: none that can be read here. */
static unsigned read_field(lua_State *L, struct raw *r, const struct smtp_text *known)
{
    if (lua_type(L, -2) != LUA_TSTRING) return 0;
    const char *key = lua_tostring(L, -2);
    if (strcmp(key, "to") == 0) {
        bool read = lua_istable(L, -1) ? read_list(L, r) : read_recipient(L, r);
        return read ? HAS_TO : 0;
    }
    struct smtp_text text;
    if (lua_type(L, -1) != LUA_TSTRING) return 0;
    text.data = lua_tolstring(L, -1, &text.len);
    if (strcmp(key, "from") == 0) return read_address(r, text, known, &r->from) ? HAS_FROM : 0;
    if (strcmp(key, "raw") != 0) return 0;
    r->text = text;
    return HAS_RAW;
}

/* All three of the table at `t`, and so many others. */
static bool read_fields(lua_State *L, int t, int others, const struct smtp_text *known,
                        struct raw *r)
{
    unsigned fields = 0;
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        unsigned field = read_field(L, r, known);
        fields |= field;
        if (field == 0 && --others < 0) {
            lua_pop(L, 2);
            return false;
        }
    }
    return others == 0 && fields == (HAS_FROM | HAS_TO | HAS_RAW);
}

/* What the words of a connection for extensions, at `t`, require of each message. False: what they
 * say of BINARYMIME decides what raw may hold. */
static bool read_words(lua_State *L, int t, struct raw *r)
{
    r->ext_require = 0;
    r->no_eightbit = false;
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        size_t len;
        bool strings = lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING;
        luaL_argcheck(L, strings, 2, "extensions");
        const char *keyword = lua_tolstring(L, -2, &len), *word = lua_tostring(L, -1);
        unsigned ext = smtp_extension_find(keyword, len);
        if (ext == SMTP_EXT_BINARYMIME) {
            lua_pop(L, 2);
            return false;
        }
        if (strcmp(word, "require") == 0) r->ext_require |= ext;
        if (ext == SMTP_EXT_8BITMIME && strcmp(word, "skip") == 0) r->no_eightbit = true;
    }
    return true;
}

/* Can the text be sent as it is? What is wrong with it is for others to say. */
static bool read_text(struct raw *r)
{
    struct smtp_scan scan = {.ready = true};
    if (r->text.len > RAW_LEN_MAX) return false;
    smtp_scan(&scan, r->text.data, r->text.len);
    smtp_scan_end(&scan);
    r->wire_len = scan.wire_len;
    r->eightbit = scan.eightbit;
    r->ready = scan.framed;
    return smtp_scan_is_sendable(&scan) && !(scan.eightbit && r->no_eightbit);
}

static void push_raw(lua_State *L, int old, const struct raw *r)
{
    struct smtp_transaction *m = push_transaction(L, old, r->to_count, r->words_len);
    m->size = r->wire_len;
    m->exact = true;
    m->source_len = r->text.len;
    m->eightbit = r->eightbit;
    m->ready = r->ready;
    m->ext_require = r->ext_require;
    char *at = put_word(words_of(m), &m->from, r->from);
    for (size_t i = 0; i < r->to_count; i++)
        at = put_word(at, &m->to[i].address, r->to[i]);
}

bool push_plain(lua_State *L, int t, int words, int others, const struct smtp_text *known, int old)
{
    struct raw r;
    r.to_count = r.words_len = 0;
    lua_pushliteral(L, "raw"); /* now: see struct raw */
    if (!read_words(L, words, &r) || !read_fields(L, t, others, known, &r) || !read_text(&r)) {
        lua_pop(L, 1);
        return false;
    }
    lua_rawget(L, t); /* the very text that was read */
    push_raw(L, old, &r);
    return true;
}

static int of_options(lua_State *L)
{
    struct smtp_transaction *old =
        lua_isnoneornil(L, 3) ? NULL : luaL_checkudata(L, 3, TRANSACTION);
    luaL_argcheck(L, old == NULL || old->over || !old->queued, 3, "not over");
    int others = lua_isnoneornil(L, 4) ? 0 : (int)lcompat_count(L, 4, 1000);
    lua_settop(L, 3);
    const struct smtp_text *known = old == NULL ? NULL : &old->from;
    if (!push_plain(L, 1, 2, others, known, old == NULL ? 0 : 3)) return 0;
    const struct smtp_transaction *m = lua_touserdata(L, -1);
    lua_insert(L, -2); /* before the text */
    push_integer(L, (size_t)m->size);
    lua_pushboolean(L, m->eightbit);
    return 4;
}

/** core.transaction{ from=, to={…}, size=, exact=, source_len=, eightbit=, binary=, utf8=, all=,
 *  extensions=, asked= } -> transaction, of a message whose addresses are canonical.
 *
 * core.transaction(options, extensions, old, others) -> transaction, raw, size, eightbit: of a
 * caller's own table { from=, to=, raw= } that needs nothing but to be sent, with addresses in
 * ASCII, one or a list of them as recipients; nothing where there is more to say of it, be it that
 * it is wrong. The checks are those of smtp.client.request, in one step. `extensions`: the
 * connection's words for them. `old`: a transaction that is over, whose place it may take.
 * `others`: so many other keys are in the table. */
static int core_transaction(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    return lua_istable(L, 2) ? of_options(L) : of_message(L);
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
    luaL_argcheck(L, count > 0, 2, "nobody to send to");
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

static const luaL_Reg functions[] = {METHOD(core, transaction), {NULL, NULL}};

void ltransaction_open(lua_State *L)
{
    lcompat_setfuncs(L, functions);
}
