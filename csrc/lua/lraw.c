/* lraw.c - the commonest of messages: a transaction of a caller's own table { from=, to=, raw= }
 * that needs nothing but to be sent, checked and framed in one step. */
#include "lsmtp.h"

#include <string.h>

enum { RAW_LEN_MAX = 256 * 1024, RAW_TO_MAX = 64, WORDS_LEN_MAX = 8192 };

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

/* The address of "Ann <ann@example.org>". A text that is not valid is returned as it is. */
static struct smtp_text without_name(struct smtp_text text)
{
    struct smtp_mailbox mailbox;
    if (text.len == 0 || text.data[text.len - 1] != '>') return text;
    smtp_mailbox_read(text, &mailbox);
    return smtp_mailbox_is_plain(&mailbox) ? mailbox.spec : text;
}

/* `known`: an address in its canonical form, or NULL. One outside ASCII may need IDNA, and its
 * message SMTPUTF8. */
static bool read_address(struct raw *r, struct smtp_text text, const struct smtp_text *known,
                         struct smtp_text *address)
{
    const char *why;
    char *out = r->words + r->words_len;
    text = without_name(text);
    if (text.len == 0 || text.len > SMTP_ADDRESS_LEN_MAX) return false;
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
