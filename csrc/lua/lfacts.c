/* lfacts.c - what a session knows of its server and of what was said: to Lua, and back where
 * another session takes over. */
#include "../text/ascii.h"
#include "lsmtp.h"

static const char *const tls_words[] = {"skipped", "unavailable", "on", NULL};
static const char *const auth_words[] = {"skipped", "unavailable", "authenticated", NULL};

/* Reads the field `ehlo_reply`, as set_answer writes it, into `room`. Its status is not needed
 * again. */
static void read_ehlo_reply(lua_State *L, struct smtp_facts *facts, struct smtp_answer *room)
{
    lua_getfield(L, 1, "ehlo_reply");
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_insert(L, 1);
    struct smtp_text text = text_field(L, "text");
    *room = (struct smtp_answer){.code = (uint16_t)count_field(L, "code", 599)};
    room->text_len = text.len < SMTP_TEXT_MAX ? text.len : SMTP_TEXT_MAX;
    if (room->text_len > 0) memcpy(room->text, text.data, room->text_len);
    lua_remove(L, 1);
    facts->ehlo_reply = room;
}

bool read_resume(lua_State *L, struct smtp_facts *facts, struct smtp_answer *room)
{
    if (!lua_istable(L, 2)) return false;
    lua_pushvalue(L, 2);
    lua_insert(L, 1);
    facts->esmtp = flag_field(L, "esmtp");
    facts->tls_verified = flag_field(L, "tls_verified");
    facts->starttls_offered = flag_field(L, "starttls_offered");
    facts->consumes_chunks = flag_field(L, "consumes_chunks");
    facts->tls = (enum smtp_tls_state)word_field(L, "tls", NULL, tls_words);
    facts->auth = (enum smtp_auth_state)word_field(L, "auth", NULL, auth_words);
    facts->mechanism = text_field(L, "mechanism");
    facts->server = text_field(L, "server");
    facts->capabilities = text_field(L, "capabilities");
    facts->mechanisms_before_tls = text_field(L, "mechanisms_before_tls");
    read_ehlo_reply(L, facts, room);
    lua_getfield(L, 1, "auth_reason");
    facts->auth_reason = smtp_error_find("auth_unsupported", luaL_optstring(L, -1, ""));
    lua_pop(L, 1);
    lua_remove(L, 1);
    return true;
}

/* Sets the field where there is a limit. */
static void set_limit(lua_State *L, const char *key, uint64_t limit)
{
    if (limit != 0) set_number(L, key, limit);
}

/* Takes the keyword off a line of the reply to EHLO and pushes it in upper case. The parameters are
 * left. */
static void push_keyword(lua_State *L, struct smtp_text *line)
{
    char keyword[512];
    size_t len = 0;
    for (; line->len > 0 && *line->data != '=' && !is_blank(*line->data); line->len--) {
        if (len == sizeof keyword) break;
        keyword[len++] = to_upper(*line->data++);
    }
    lua_pushlstring(L, keyword, len);
    for (; line->len > 0 && (*line->data == '=' || is_blank(*line->data)); line->len--)
        line->data++;
}

/* The value on top becomes that of the keyword below it; a keyword that is there already has the
 * parameters of both lines. */
static void set_capability(lua_State *L)
{
    lua_pushvalue(L, -2);
    lua_gettable(L, -4);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
    } else {
        lua_pushliteral(L, " ");
        lua_pushvalue(L, -3);
        lua_concat(L, 3);
        lua_remove(L, -2);
    }
    lua_settable(L, -3);
}

/** core.capabilities(text) -> EHLO's keywords, in upper case, to their parameters; `text` is that
 *  of session:facts() */
static int core_capabilities(lua_State *L)
{
    struct smtp_text rest = text_arg(L, 1);
    lua_newtable(L);
    while (rest.len > 0) {
        struct smtp_text line = next_line(&rest);
        if (line.len == 0 || *line.data == '=' || is_blank(*line.data)) continue;
        push_keyword(L, &line);
        while (line.len > 0 && is_blank(line.data[line.len - 1]))
            line.len--;
        lua_pushlstring(L, line.data, line.len);
        set_capability(L);
    }
    return 1;
}

/** session:mechanisms() -> those that the server offers, in its order, with what became of each:
 * { { name =, state = a word, text = for people, code = of the answer that refused it }, … } */
static int session_mechanisms(lua_State *L)
{
    const struct smtp_session *s = to_session(L);
    struct smtp_text rest = smtp_session_facts(s)->mechanisms;
    struct smtp_offer offer;
    lua_newtable(L);
    for (int i = 1; smtp_offer_next(s, &rest, &offer); i++) {
        lua_createtable(L, 0, 4);
        set_text(L, "name", offer.name.data, offer.name.len);
        set_string(L, "state", smtp_mech_states[offer.state].word);
        set_string(L, "text", smtp_mech_states[offer.state].text);
        if (offer.code != 0) set_number(L, "code", offer.code);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

/* Sets the field to a list of the words in the text. */
static void set_words(lua_State *L, const char *key, struct smtp_text text)
{
    int count = 0;
    lua_newtable(L);
    for (struct smtp_text word = next_word(&text); word.len > 0; word = next_word(&text)) {
        lua_pushlstring(L, word.data, word.len);
        lua_rawseti(L, -2, ++count);
    }
    lua_setfield(L, -2, key);
}

/** session:facts() -> what is known of the server: esmtp, tls_verified, tls, auth (words),
 * auth_reason, mechanism, ehlo_reply, bound, challenge, starttls_offered, consumes_chunks,
 * size_max, rcpt_max, mail_max, server, capabilities, mechanisms, mechanisms_before_tls; offered
 * and offered_before_tls, which are lists of these */
static int session_facts(lua_State *L)
{
    const struct smtp_facts *facts = smtp_session_facts(to_session(L));
    lua_createtable(L, 0, 20);
    set_flag(L, "esmtp", facts->esmtp);
    set_flag(L, "tls_verified", facts->tls_verified);
    set_flag(L, "starttls_offered", facts->starttls_offered);
    set_flag(L, "consumes_chunks", facts->consumes_chunks);
    set_string(L, "tls", tls_words[facts->tls]);
    set_string(L, "auth", auth_words[facts->auth]);
    if (facts->auth_reason != SMTP_ERROR_NONE)
        set_string(L, "auth_reason", smtp_errors[facts->auth_reason].reason);
    if (facts->ehlo_reply != NULL) {
        lua_createtable(L, 0, 3);
        set_answer(L, facts->ehlo_reply);
        lua_setfield(L, -2, "ehlo_reply");
    }
    set_flag(L, "bound", facts->bound);
    if (facts->mechanism.len > 0)
        set_text(L, "mechanism", facts->mechanism.data, facts->mechanism.len);
    if (facts->challenge.len > 0)
        set_text(L, "challenge", facts->challenge.data, facts->challenge.len);
    set_limit(L, "size_max", facts->size_max);
    set_limit(L, "rcpt_max", facts->rcpt_max);
    set_limit(L, "mail_max", facts->mail_max);
    set_text(L, "server", facts->server.data, facts->server.len);
    set_text(L, "capabilities", facts->capabilities.data, facts->capabilities.len);
    set_text(L, "mechanisms", facts->mechanisms.data, facts->mechanisms.len);
    set_text(L, "mechanisms_before_tls", facts->mechanisms_before_tls.data,
             facts->mechanisms_before_tls.len);
    set_words(L, "offered", facts->mechanisms);
    set_words(L, "offered_before_tls", facts->mechanisms_before_tls);
    return 1;
}

enum { OFFER_PARTS = 9 };

/* Is the text what these parts are together? */
static bool is_whole(struct smtp_text text, const struct smtp_text parts[OFFER_PARTS])
{
    size_t at = 0;
    for (size_t i = 0; i < OFFER_PARTS; at += parts[i++].len) {
        if (parts[i].len == 0) continue;
        if (text.len - at < parts[i].len) return false;
        if (memcmp(text.data + at, parts[i].data, parts[i].len) != 0) return false;
    }
    return at == text.len;
}

/** session:offer(known) -> one string with all of session:facts() that a connection without AUTH
 * may differ in from another one, `known` where it is the same; nil after AUTH. Cheaper than the
 * facts.
 */
static int session_offer(lua_State *L)
{
    static const struct smtp_text gap = {"\0", 1}; /* which is in none of them */
    const struct smtp_facts *facts = smtp_session_facts(to_session(L));
    const char states[] = {(char)('0' + facts->tls), (char)('0' + facts->starttls_offered),
                           (char)('0' + facts->esmtp)};
    const struct smtp_text parts[OFFER_PARTS] = {
        {states, sizeof states},     gap, facts->server,     gap,
        facts->capabilities,         gap, facts->mechanisms, gap,
        facts->mechanisms_before_tls};
    luaL_Buffer b;
    if (facts->auth != SMTP_AUTH_SKIPPED) return 0;
    lua_settop(L, 2);
    if (lua_type(L, 2) == LUA_TSTRING && is_whole(text_arg(L, 2), parts)) return 1;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < OFFER_PARTS; i++)
        if (parts[i].len > 0) luaL_addlstring(&b, parts[i].data, parts[i].len);
    luaL_pushresult(&b);
    return 1;
}

/* ---- what was said and heard ---- */

/** session:transcript() -> the newest lines, for people; is the newest line not whole? See
 * smtp_transcript. */
static int session_transcript(lua_State *L)
{
    char lines[SMTP_TRANSCRIPT_MAX + 64];
    bool open;
    lua_pushlstring(L, lines, smtp_transcript(to_session(L), lines, &open));
    lua_pushboolean(L, open);
    return 2;
}

/** session:news(mark) -> the lines after the mark, nil where there are none; the mark for the next
 * call. Each line is three values in a row: "C", "S" or "*", text, and for "C" its stage; or "M",
 * and how many bytes of messages left. */
static int session_news(lua_State *L)
{
    enum { EACH = 3 };
    const struct smtp_session *s = to_session(L);
    uint64_t mark = lcompat_count(L, 2, LCOMPAT_SIZE_MAX);
    char room[SMTP_TRANSCRIPT_MAX];
    struct smtp_line line;
    int count = 0;
    lua_settop(L, 1);
    lua_pushnil(L);
    while (smtp_transcript_next(s, &mark, room, &line)) {
        if (count == 0) {
            lua_newtable(L);
            lua_replace(L, 2);
        }
        lua_pushlstring(L, &line.side, 1);
        if (line.side == 'M')
            push_integer(L, (size_t)line.bytes);
        else
            lua_pushlstring(L, line.text.data, line.text.len);
        if (line.stage != NULL)
            lua_pushstring(L, line.stage);
        else
            lua_pushboolean(L, 0);
        for (int i = EACH; i > 0; i--)
            lua_rawseti(L, 2, count + i);
        count += EACH;
    }
    lua_pushnumber(L, (lua_Number)mark);
    return 2;
}

static const luaL_Reg methods[] = {METHOD(session, facts),      METHOD(session, offer),
                                   METHOD(session, mechanisms), METHOD(session, transcript),
                                   METHOD(session, news),       {NULL, NULL}};

static const luaL_Reg functions[] = {METHOD(core, capabilities), {NULL, NULL}};

void lfacts_open(lua_State *L)
{
    add_methods(L, SESSION_CLASS, methods);
    lcompat_setfuncs(L, functions);
}
