/* lraw.c - the commonest of messages: a transaction of a caller's own table { from=, to=, raw= } or
 * { from=, to=, subject=, text=, date= } that needs nothing but to be sent, checked, composed and
 * framed in one step. */
#include "lsmtp.h"

#include <string.h>

enum { RAW_LEN_MAX = 256 * 1024, RAW_TO_MAX = 64, WORDS_LEN_MAX = 8192 };

/* The table as it was read. While it is, nothing may allocate: that may run a finalizer, which may
 * change the table. So the addresses are in here. */
struct raw {
    struct smtp_text from, to[RAW_TO_MAX], text;
    struct smtp_letter letter;
    bool is_raw;
    bool no_letter; /* it has no text, or more names than the header of a letter */
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

/* "Ann <ann@example.org>" -> its address. Returns false where the text is not valid. */
static bool split(struct smtp_text *text, struct smtp_mailbox *mailbox)
{
    if (text->len == 0 || text->data[text->len - 1] != '>') return true;
    smtp_mailbox_read(*text, mailbox);
    *text = mailbox->spec;
    return smtp_mailbox_is_plain(mailbox);
}

/* For the header of a letter. */
static void note_mailbox(struct raw *r, struct smtp_mailboxes *list,
                         const struct smtp_mailbox *mailbox, struct smtp_text address)
{
    char name[SMTP_LETTER_NAME_MAX];
    r->no_letter = r->no_letter || mailbox->name.len > sizeof name;
    if (r->no_letter) return;
    struct smtp_text text = {name, smtp_mailbox_name(mailbox, name)};
    r->no_letter = !smtp_mailboxes_add(list, text, address);
}

/* `known`: an address in its canonical form, or NULL. One outside ASCII may need IDNA, and its
 * message SMTPUTF8. */
static bool read_address(struct raw *r, struct smtp_text text, const struct smtp_text *known,
                         struct smtp_mailboxes *list, struct smtp_text *address)
{
    const char *why;
    char *out = r->words + r->words_len;
    struct smtp_mailbox mailbox = {.name = {"", 0}};
    if (!split(&text, &mailbox)) return false;
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
    if (address->len > 0) note_mailbox(r, list, &mailbox, *address);
    return address->len > 0;
}

/* A recipient, each address once. */
static bool read_recipient(lua_State *L, struct raw *r)
{
    struct smtp_text text, *address = &r->to[r->to_count];
    if (lua_type(L, -1) != LUA_TSTRING || r->to_count == RAW_TO_MAX) return false;
    text.data = lua_tolstring(L, -1, &text.len);
    if (!read_address(r, text, NULL, &r->letter.to, address)) return false;
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

enum {
    HAS_FROM = 0x01,
    HAS_TO = 0x02,
    HAS_RAW = 0x04,
    HAS_TEXT = 0x08,
    HAS_SUBJECT = 0x10,
    HAS_DATE = 0x20,
    OF_LETTER = HAS_FROM | HAS_TO | HAS_TEXT | HAS_SUBJECT | HAS_DATE
};

static bool is_subject(struct smtp_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7F) return false;
    }
    return text.len <= SMTP_LETTER_SUBJECT_MAX && smtp_utf8_check(text.data, text.len);
}

/* A field of a letter. 0: it needs the long way, and the letter does not have it: it may be longer
 * than there is room for. */
static unsigned read_letter(struct smtp_letter *letter, const char *key, struct smtp_text text)
{
    if (strcmp(key, "text") == 0 && text.len <= SMTP_LETTER_TEXT_MAX) {
        letter->text = text;
        return HAS_TEXT;
    }
    if (strcmp(key, "subject") == 0 && is_subject(text)) {
        letter->subject = text;
        return HAS_SUBJECT;
    }
    if (strcmp(key, "date") != 0 || !smtp_date_check(text)) return 0;
    letter->date = text;
    return HAS_DATE;
}

/* Which field is the value on top, whose key is below? 0: none that can be read here. */
static unsigned read_field(lua_State *L, struct raw *r, const struct smtp_text *known)
{
    size_t key_len;
    if (lua_type(L, -2) != LUA_TSTRING) return 0;
    const char *key = lua_tolstring(L, -2, &key_len);
    if (strlen(key) != key_len) return 0;
    if (strcmp(key, "to") == 0) {
        bool read = lua_istable(L, -1) ? read_list(L, r) : read_recipient(L, r);
        return read ? HAS_TO : 0;
    }
    struct smtp_text text;
    if (lua_type(L, -1) != LUA_TSTRING) return 0;
    text.data = lua_tolstring(L, -1, &text.len);
    if (strcmp(key, "from") == 0)
        return read_address(r, text, known, &r->letter.from, &r->from) ? HAS_FROM : 0;
    if (strcmp(key, "raw") != 0) return read_letter(&r->letter, key, text);
    r->text = text;
    return HAS_RAW;
}

/* All of them in the table at `t`, and so many others. The value of `raw` takes the place on top of
 * the stack: the text that was read stays alive. */
static bool read_fields(lua_State *L, int t, int others, const struct smtp_text *known,
                        struct raw *r)
{
    unsigned fields = 0;
    const int raw = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        unsigned field = read_field(L, r, known);
        fields |= field;
        if (field == HAS_RAW) {
            lua_pushvalue(L, -1);
            lua_replace(L, raw);
        }
        if (field == 0 && --others < 0) {
            lua_pop(L, 2);
            return false;
        }
    }
    r->is_raw = fields == (HAS_FROM | HAS_TO | HAS_RAW);
    bool is_letter = (fields | HAS_SUBJECT | HAS_DATE) == OF_LETTER;
    return others == 0 && (r->is_raw || (is_letter && !r->no_letter));
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

bool push_plain(lua_State *L, int t, int words, int others, const struct smtp_text *known, int old,
                struct smtp_text *id)
{
    struct raw r;
    r.to_count = r.words_len = r.letter.from.len = r.letter.to.len = 0;
    r.letter.date = r.letter.subject = r.letter.id = r.letter.text = (struct smtp_text){NULL, 0};
    int top = lua_gettop(L);
    lua_pushliteral(L, "text");
    lua_rawget(L, t);
    r.no_letter = lua_isnil(L, -1);
    lua_settop(L, top);
    lua_pushnil(L); /* the text's place, now: see struct raw */
    bool read = read_words(L, words, &r) && read_fields(L, t, others, known, &r);
    if (read && !r.is_raw) read = push_letter(L, &r.letter, r.from, &r.text);
    if (!read || !read_text(&r)) {
        lua_settop(L, top);
        return false;
    }
    *id = r.letter.id;
    if (!r.is_raw) lua_replace(L, top + 1);
    push_raw(L, old, &r);
    return true;
}
