/* lheader.c - header fields, and the lists of addresses in them, in the module smtp.core. */
#include "lsmtp.h"

enum {
    PIECE_MAX = 16384, /* bytes of a header that core.addresses writes at most, */
    COUNT_MAX = 64,    /* and addresses that it reads */
    NAME_LEN_MAX = 512 /* of a name that it reads */
};

/* ---- text ---- */

/** core.words(text, column [, "B"]) -> the text, UTF-8, as encoded words: see smtp_words */
static int core_words(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    size_t column = lcompat_count(L, 2, LCOMPAT_SIZE_MAX);
    bool base64 = lua_toboolean(L, 3);
    char *out = lua_newuserdata(L, smtp_field_max(text.len));
    lua_pushlstring(L, out, smtp_words(text, column, base64, out));
    return 1;
}

/** core.is_plain(text, room) -> see smtp_is_plain */
static int core_is_plain(lua_State *L)
{
    lua_pushboolean(L, smtp_is_plain(text_arg(L, 1), lcompat_count(L, 2, LCOMPAT_SIZE_MAX)));
    return 1;
}

/** core.fold(text, column) -> the text in lines, and where it ends in the last one: see smtp_fold
 */
static int core_fold(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    size_t column = lcompat_count(L, 2, LCOMPAT_SIZE_MAX);
    char room[PIECE_MAX + PIECE_MAX / 8];
    size_t needed = text.len + text.len / 16 + 16; /* two lines in a row have over 78 bytes */
    char *out = needed <= sizeof room ? room : lua_newuserdata(L, needed);
    lua_pushlstring(L, out, smtp_fold(text, &column, out));
    push_integer(L, column);
    return 2;
}

/** core.phrase(name) -> the name as it is written before an address: see smtp_phrase */
static int core_phrase(lua_State *L)
{
    struct smtp_text name = text_arg(L, 1);
    char *out = lua_newuserdata(L, smtp_field_max(name.len));
    lua_pushlstring(L, out, smtp_phrase(name, out));
    return 1;
}

/* ---- one address ---- */

/** core.mailbox(text) -> spec, name, beside, several: see struct smtp_mailbox */
static int core_mailbox(lua_State *L)
{
    struct smtp_mailbox mailbox;
    smtp_mailbox_read(text_arg(L, 1), &mailbox);
    char *name = lua_newuserdata(L, mailbox.name.len + 1);
    lua_pushlstring(L, mailbox.spec.data, mailbox.spec.len);
    lua_pushlstring(L, name, smtp_mailbox_name(&mailbox, name));
    lua_pushlstring(L, mailbox.beside.data, mailbox.beside.len);
    lua_pushboolean(L, mailbox.several);
    return 4;
}

/** core.name_trouble(name) -> nil, or what is wrong with it, as smtp_name_check has it */
static int core_name_trouble(lua_State *L)
{
    lua_pushstring(L, smtp_name_check(text_arg(L, 1)));
    return 1;
}

/* ---- many addresses ---- */

/* An address of a list, and the name beside it. */
struct entry {
    char address[SMTP_ADDRESS_LEN_MAX];
    char name[NAME_LEN_MAX];
    size_t address_len, name_len;
};

static bool is_ascii(struct smtp_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] & 0x80) return false;
    return true;
}

static bool fill(struct entry *e, const struct smtp_mailbox *mailbox)
{
    const char *why;
    if (mailbox->name.len > NAME_LEN_MAX || !smtp_mailbox_is_plain(mailbox)) return false;
    if (!is_ascii(mailbox->spec)) return false;
    e->name_len = smtp_mailbox_name(mailbox, e->name);
    e->address_len = smtp_address_check(mailbox->spec.data, mailbox->spec.len, e->address, &why);
    return e->address_len > 0;
}

/* Pushes the field `key` of the table at `t`, a string or nothing: to push a key may run a
 * finalizer, which may change the table. Returns how many fields that are. */
static int string_field(lua_State *L, int t, const char *key, struct smtp_text *text)
{
    lua_pushstring(L, key);
    lua_rawget(L, t);
    int type = lua_type(L, -1);
    if (type == LUA_TSTRING) text->data = lua_tolstring(L, -1, &text->len);
    return type == LUA_TNIL ? 0 : type == LUA_TSTRING ? 1 : 3;
}

/* Is the value on top an address that is plain: a string, or a table of name and address? Leaves
 * what it read on the stack. */
static bool read_entry(lua_State *L, struct entry *e)
{
    struct smtp_mailbox mailbox = {.spec = {"", 0}, .name = {"", 0}, .beside = {"", 0}};
    if (lua_type(L, -1) == LUA_TSTRING) {
        struct smtp_text text;
        text.data = lua_tolstring(L, -1, &text.len);
        smtp_mailbox_read(text, &mailbox);
        return fill(e, &mailbox);
    }
    if (!lua_istable(L, -1)) return false;
    int t = lua_gettop(L), others = string_field(L, t, "address", &mailbox.spec);
    others += string_field(L, t, "name", &mailbox.name);
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1))
        others--;
    return others == 0 && fill(e, &mailbox);
}

/* Bytes of an address in a header, with its name, see smtp_field_max, and separators. */
#define ENTRY_MAX (2 * NAME_LEN_MAX + 160 + SMTP_ADDRESS_LEN_MAX + 5)

/* Writes an address as a header has it: Ann <ann@example.org>. Returns the length. */
static size_t put_entry(const struct entry *e, char *out)
{
    size_t n = 0;
    if (e->name_len > 0) {
        n = smtp_phrase((struct smtp_text){e->name, e->name_len}, out);
        out[n++] = ' ';
        out[n++] = '<';
    }
    memcpy(out + n, e->address, e->address_len);
    n += e->address_len;
    if (e->name_len > 0) out[n++] = '>';
    return n;
}

/** core.list_len(table) -> how many entries it has, if its keys are 1, 2, 3 and so on; else nil */
static int core_list_len(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    size_t count = lcompat_rawlen(L, 1), keys = 0;
    bool whole = true;
    for (lua_pushnil(L); whole && lua_next(L, 1); lua_pop(L, 1)) {
        lua_Number key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
        whole = key >= 1 && key <= (lua_Number)count && key == (lua_Number)(size_t)key;
        keys++;
    }
    if (!whole || keys != count) return 0;
    push_integer(L, count);
    return 1;
}

/* Returns the last place of a list of `count` entries that is read in one call from `at` on. */
static size_t last_of(size_t count, size_t at)
{
    return at < count && count - at >= COUNT_MAX ? at + COUNT_MAX - 1 : count;
}

/* Writes the address at `at` of so many to a header, in lines, with a blank before it and a comma
 * after it, except at the two ends of the list. Returns the length. */
static size_t put_folded(const struct entry *e, size_t at, size_t count, size_t *column, char *out)
{
    char text[ENTRY_MAX];
    size_t n = 0;
    if (at > 1) text[n++] = ' ';
    n += put_entry(e, text + n);
    if (at < count) text[n++] = ',';
    return smtp_fold((struct smtp_text){text, n}, column, out);
}

/** core.addresses(values, at, count, list [, column]) -> the place of the first value that was not
 *  read, a piece of a header, the column where it ends. Reads the values of a list from the one at
 *  `at` to the last one at `count`: strings, and tables of name and address. Addresses in their
 *  canonical form are appended to `list`; the piece, which begins in that column of its line, has
 *  them as a header has them, and is empty without a column. A value that is not plain ends it: one
 *  that is not valid, or has letters outside ASCII in its address. So does the room for a piece. */
static int core_addresses(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 4, LUA_TTABLE);
    lua_settop(L, 5);
    size_t at = lcompat_count(L, 2, INT_MAX), count = lcompat_count(L, 3, INT_MAX), n = 0;
    size_t list_len = lcompat_rawlen(L, 4), last = last_of(count, at);
    bool shown = !lua_isnil(L, 5);
    size_t column = shown ? lcompat_count(L, 5, INT_MAX) : 0;
    char out[PIECE_MAX];
    struct entry e;
    for (; at <= last && n + ENTRY_MAX + ENTRY_MAX / 16 + 16 < PIECE_MAX; at++) {
        lua_rawgeti(L, 1, (int)at);
        if (!read_entry(L, &e)) break;
        lua_settop(L, 5);
        if (shown) n += put_folded(&e, at, count, &column, out + n);
        lua_pushlstring(L, e.address, e.address_len);
        lua_rawseti(L, 4, (int)++list_len);
    }
    push_integer(L, at);
    lua_pushlstring(L, out, n);
    if (shown) push_integer(L, column);
    return shown ? 3 : 2;
}

/** core.set(count) -> a table with room for so many keys */
static int core_set(lua_State *L)
{
    lua_createtable(L, 0, (int)lcompat_count(L, 1, INT_MAX));
    return 1;
}

/** core.append_new(list, at, unique, set) -> the place of the first entry that was not read.
 * Appends to the list `unique` what is in `list` from `at` on and is not yet a key of `set`, and
 * makes it one. */
static int core_append_new(lua_State *L)
{
    enum { LIST = 1, UNIQUE = 3, SET = 4 };
    for (int i = 1; i <= SET; i++)
        if (i != 2) luaL_checktype(L, i, LUA_TTABLE);
    size_t at = lcompat_count(L, 2, INT_MAX), count = lcompat_rawlen(L, UNIQUE);
    size_t last = last_of(lcompat_rawlen(L, LIST), at);
    for (; at <= last; at++) {
        lua_rawgeti(L, LIST, (int)at);
        lua_pushvalue(L, -1);
        lua_rawget(L, SET);
        if (lua_isnil(L, -1)) {
            lua_pushvalue(L, -2);
            lua_rawseti(L, UNIQUE, (int)++count);
            lua_pushvalue(L, -2);
            lua_pushboolean(L, true);
            lua_rawset(L, SET);
        }
        lua_pop(L, 2);
    }
    push_integer(L, at);
    return 1;
}

static const luaL_Reg functions[] = {METHOD(core, words),
                                     METHOD(core, is_plain),
                                     METHOD(core, fold),
                                     METHOD(core, phrase),
                                     METHOD(core, mailbox),
                                     METHOD(core, name_trouble),
                                     METHOD(core, addresses),
                                     METHOD(core, list_len),
                                     METHOD(core, set),
                                     METHOD(core, append_new),
                                     {NULL, NULL}};

void lheader_open(lua_State *L)
{
    lcompat_setfuncs(L, functions);
}
