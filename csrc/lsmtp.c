/* lsmtp.c - the module smtp.core: sessions as Lua objects. Nothing is decided here.
 *
 * Any Lua call may leave this file by longjmp (an argument error, no memory). So it owns nothing: a
 * session and a mail live in their userdata, and the strings they borrow in its user value. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lsmtp.h"
#include "idna.h"
#include "lcompat.h"
#include "smtp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SESSION "smtp.Session"

/* Big enough that bulk goes out in few writes. With the session it stays under 128 KiB: a larger
 * userdata has LuaJIT ask the system for pages, and give them back, for every session (measured:
 * 400 microseconds instead of 10). */
enum { BUFFER_LEN = 60 * 1024 };

/* In the session's user value: mails that are not over, to their texts; how many came since those
 * that were over went. */
enum { MAILS = 1, ADDED = 2, ADDED_MAX = 2 * SMTP_FLIGHT_MAX };

struct smtp_session *to_session(lua_State *L)
{
    return luaL_checkudata(L, 1, SESSION);
}

struct smtp_text text_arg(lua_State *L, int index)
{
    struct smtp_text text;
    text.data = luaL_checklstring(L, index, &text.len);
    return text;
}

void anchor(lua_State *L, const char *key, int index)
{
    lua_getuservalue(L, 1);
    lua_pushvalue(L, index);
    lua_setfield(L, -2, key);
    lua_pop(L, 1);
}

void set_text(lua_State *L, const char *key, const char *data, size_t len)
{
    lua_pushlstring(L, data, len);
    lua_setfield(L, -2, key);
}

void set_number(lua_State *L, const char *key, uint64_t number)
{
    lua_pushnumber(L, (lua_Number)number);
    lua_setfield(L, -2, key);
}

/* Nothing where there is no limit. */
static void set_limit(lua_State *L, const char *key, uint64_t limit)
{
    if (limit != 0) set_number(L, key, limit);
}

void push_integer(lua_State *L, size_t number)
{
    lua_pushinteger(L, (lua_Integer)number);
}

static char *put_digits(char *at, unsigned number)
{
    char digits[5];
    size_t len = 0;
    do {
        digits[len++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (len > 0)
        *at++ = digits[--len];
    return at;
}

void push_enhanced(lua_State *L, const uint16_t status[3])
{
    char text[3 * 6], *at = text;
    for (size_t i = 0; i < 3; i++) {
        at = put_digits(at, status[i]);
        *at++ = '.';
    }
    if (status[0] == 0)
        lua_pushnil(L);
    else
        lua_pushlstring(L, text, (size_t)(at - text) - 1);
}

void set_enhanced(lua_State *L, const uint16_t status[3])
{
    push_enhanced(L, status);
    lua_setfield(L, -2, "enhanced");
}

/* code, enhanced and text into the table on top. */
void set_answer(lua_State *L, const struct smtp_answer *answer)
{
    if (answer->code != 0) {
        lua_pushinteger(L, answer->code);
        lua_setfield(L, -2, "code");
    }
    set_enhanced(L, answer->enhanced);
    if (answer->code != 0 || answer->text_len > 0)
        set_text(L, "text", answer->text, answer->text_len);
}

int push_trouble(lua_State *L, const struct smtp_trouble *trouble)
{
    if (trouble->error == SMTP_ERROR_NONE) return 0;
    lua_createtable(L, 0, 8);
    set_answer(L, &trouble->answer);
    lua_pushstring(L, smtp_error_kind(trouble->error));
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, smtp_error_reason(trouble->error));
    lua_setfield(L, -2, "reason");
    lua_pushstring(L, smtp_error_sentence(trouble->error));
    lua_setfield(L, -2, "sentence");
    lua_pushstring(L, trouble->stage);
    lua_setfield(L, -2, "stage");
    return 1;
}

/* ---- core.session ---- */

bool flag_field(lua_State *L, const char *key)
{
    lua_getfield(L, 1, key);
    bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

/* Points into a string of table 1, which the session keeps. */
static struct smtp_text text_field(lua_State *L, const char *key)
{
    struct smtp_text text = {NULL, 0};
    lua_getfield(L, 1, key);
    if (lua_type(L, -1) == LUA_TSTRING) text.data = lua_tolstring(L, -1, &text.len);
    lua_pop(L, 1);
    return text;
}

static enum smtp_policy policy_field(lua_State *L, const char *key)
{
    static const char *const words[] = {"skip", "prefer", "require", NULL};
    lua_getfield(L, 1, key);
    int policy = luaL_checkoption(L, -1, "skip", words);
    lua_pop(L, 1);
    return (enum smtp_policy)policy;
}

static unsigned mech_flags(lua_State *L, int index)
{
    static const struct {
        const char *key;
        unsigned flag;
    } flags[] = {{"shows_secret", SMTP_MECH_SHOWS_SECRET},
                 {"binds", SMTP_MECH_BINDS},
                 {"mutual", SMTP_MECH_MUTUAL}};
    unsigned found = 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        lua_getfield(L, index, flags[i].key);
        if (lua_toboolean(L, -1)) found |= flags[i].flag;
        lua_pop(L, 1);
    }
    return found;
}

/* options.mechanisms: { { name=, shows_secret=, binds=, mutual= }, … }, which the session keeps. */
static void read_mechanisms(lua_State *L, struct smtp_options *o)
{
    int top = lua_gettop(L);
    lua_getfield(L, 1, "mechanisms");
    for (int i = 1; lua_istable(L, -1) && o->mech_count < SMTP_MECHS_MAX; i++) {
        lua_rawgeti(L, -1, i);
        if (lua_isnil(L, -1)) break;
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_getfield(L, -1, "name");
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "a mechanism without a name");
        struct smtp_mech *mech = &o->mechs[o->mech_count++];
        mech->name.data = lua_tolstring(L, -1, &mech->name.len);
        luaL_argcheck(L, mech->name.len > 0 && mech->name.len <= 20, 1, "a mechanism's name");
        lua_pop(L, 1);
        mech->flags = mech_flags(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    lua_settop(L, top);
}

/* The extensions in the table options[key], keyword to word: those with this word. */
unsigned extensions_field(lua_State *L, const char *key, const char *word)
{
    unsigned found = 0;
    int top = lua_gettop(L);
    lua_getfield(L, 1, key);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return 0;
    }
    for (lua_pushnil(L); lua_next(L, top + 1); lua_pop(L, 1)) {
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, 1, key);
        size_t len;
        const char *keyword = lua_tolstring(L, -2, &len);
        unsigned ext = smtp_extension_find(keyword, len);
        luaL_argcheck(L, ext != 0, 1, key);
        if (strcmp(lua_tostring(L, -1), word) == 0) found |= ext;
    }
    lua_settop(L, top);
    return found;
}

size_t count_field(lua_State *L, const char *key)
{
    lua_getfield(L, 1, key);
    lua_Integer count = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    luaL_argcheck(L, count >= 0, 1, key);
    return (size_t)count;
}

static const char *const tls_words[] = {"skipped", "unavailable", "on", NULL};
static const char *const auth_words[] = {"skipped", "unavailable", "authenticated", NULL};

static int word_field(lua_State *L, const char *key, const char *const words[])
{
    lua_getfield(L, 1, key);
    int word = luaL_checkoption(L, -1, NULL, words);
    lua_pop(L, 1);
    return word;
}

/* Argument 2, which the session keeps: what session:facts() gave. */
static bool read_resume(lua_State *L, struct smtp_facts *facts)
{
    if (!lua_istable(L, 2)) return false;
    lua_pushvalue(L, 2);
    lua_insert(L, 1);
    facts->esmtp = flag_field(L, "esmtp");
    facts->tls_verified = flag_field(L, "tls_verified");
    facts->starttls_offered = flag_field(L, "starttls_offered");
    facts->tls = (enum smtp_tls_state)word_field(L, "tls", tls_words);
    facts->auth = (enum smtp_auth_state)word_field(L, "auth", auth_words);
    facts->mechanism = text_field(L, "mechanism");
    facts->server = text_field(L, "server");
    facts->capabilities = text_field(L, "capabilities");
    facts->mechanisms_before_tls = text_field(L, "mechanisms_before_tls");
    lua_getfield(L, 1, "auth_reason");
    facts->auth_reason = smtp_error_find("auth_unsupported", luaL_optstring(L, -1, ""));
    lua_pop(L, 1);
    lua_remove(L, 1);
    return true;
}

/** core.session(options, resume, old) -> session. `options` is kept and must not change any more:
 * domain, tls, auth (words), tls_on, tls_verified, username, authzid, mechanisms, mechanisms_named,
 *  token_renewable, secret_in_clear, host, port, lmtp, extensions (keyword to word), eager,
 *  flight_max, window. `resume`: what session:facts() gave of the session that had this connection
 *  before. `old`: one that nobody needs any more; its memory is the new one's. */
static int core_session(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    void *memory = lua_isnoneornil(L, 3) ? NULL : luaL_checkudata(L, 3, SESSION);
    lua_settop(L, 3);
    struct smtp_options o = {
        .domain = text_field(L, "domain"),
        .tls = policy_field(L, "tls"),
        .tls_on = flag_field(L, "tls_on"),
        .tls_verified = flag_field(L, "tls_verified"),
        .auth = policy_field(L, "auth"),
        .username = text_field(L, "username"),
        .authzid = text_field(L, "authzid"),
        .secret_in_clear = flag_field(L, "secret_in_clear"),
        .mechs_named = flag_field(L, "mechanisms_named"),
        .token_renewable = flag_field(L, "token_renewable"),
        .host = text_field(L, "host"),
        .port = (uint16_t)count_field(L, "port"),
        .window = count_field(L, "window"),
        .lmtp = flag_field(L, "lmtp"),
        .eager = flag_field(L, "eager"),
        .flight_max = count_field(L, "flight_max"),
        .ext_skip = extensions_field(L, "extensions", "skip"),
    };
    read_mechanisms(L, &o);
    luaL_argcheck(L, smtp_domain_check(o.domain.data, o.domain.len) == NULL, 1, "domain");
    luaL_argcheck(L, o.username.len <= SMTP_SECRET_LEN_MAX && o.authzid.len <= SMTP_SECRET_LEN_MAX,
                  1, "user name too long");
    luaL_argcheck(L, o.host.len <= SMTP_HOST_LEN_MAX, 1, "host too long");
    luaL_argcheck(L, o.flight_max <= SMTP_FLIGHT_MAX, 1, "flight_max");
    struct smtp_facts facts = {0};
    bool resumes = read_resume(L, &facts);

    lua_createtable(L, 0, 4); /* what the session borrows from */
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "options");
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "resume");
    lua_newtable(L);
    lua_rawseti(L, -2, MAILS);
    if (memory != NULL)
        lua_pushvalue(L, 3);
    else
        memory = lua_newuserdata(L, smtp_session_size(BUFFER_LEN));
    if (resumes)
        smtp_session_resume(memory, BUFFER_LEN, &o, &facts);
    else
        smtp_session_init(memory, BUFFER_LEN, &o);
    lcompat_setmetatable(L, SESSION);
    lua_insert(L, -2);
    lua_setuservalue(L, -2);
    return 1;
}

/* The most urgent want as a word; the last one where there is none, which no session has. */
const char *want_word(const struct smtp_session *s)
{
    static const struct {
        unsigned want;
        const char *word;
    } words[] = {{SMTP_WANT_NOTHING, "nothing"}, {SMTP_WANT_TLS, "tls"},
                 {SMTP_WANT_SECRET, "secret"},   {SMTP_WANT_ANSWER, "answer"},
                 {SMTP_WANT_BODY, "body"},       {SMTP_WANT_SEND, "send"},
                 {SMTP_WANT_READY, "ready"},     {SMTP_WANT_RECV, "recv"}};
    const size_t last = sizeof words / sizeof *words - 1;
    unsigned wants = smtp_wants(s);
    size_t i = 0;
    while (i < last && (wants & words[i].want) == 0)
        i++;
    return words[i].word;
}

/** session:wants() -> the most urgent want: "nothing", "tls", "secret", "answer", "body", "send",
 *  "ready", "recv". */
static int session_wants(lua_State *L)
{
    lua_pushstring(L, want_word(to_session(L)));
    return 1;
}

/** session:output() -> the bytes to send. They count as sent only by session:sent(n). */
static int session_output(lua_State *L)
{
    struct smtp_text out = smtp_send_buf(to_session(L));
    lua_pushlstring(L, out.data, out.len);
    return 1;
}

/** session:transcript(mark) -> lines of what was said and heard; the mark for the next call. See
 *  smtp_transcript. */
static int session_transcript(lua_State *L)
{
    const struct smtp_session *s = to_session(L);
    char lines[SMTP_TRANSCRIPT_MAX + 64];
    uint64_t mark = (uint64_t)luaL_optnumber(L, 2, 0);
    size_t len = smtp_transcript(s, lua_isnoneornil(L, 2) ? NULL : &mark, lines);
    lua_pushlstring(L, lines, len);
    lua_pushnumber(L, (lua_Number)mark);
    return 2;
}

static int session_sent(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    smtp_send_ack(s, (size_t)luaL_checkinteger(L, 2));
    return 0;
}

/** session:heard(bytes): what the server said; "" where it closed the connection. */
static int session_heard(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    struct smtp_text data = text_arg(L, 2);
    smtp_recv(s, data.data, data.len);
    return 0;
}

/** session:tls_started(verified) */
static int session_tls_started(lua_State *L)
{
    smtp_tls_started(to_session(L), lua_toboolean(L, 2));
    return 0;
}

/** session:secret_kind() -> "password" or "token", is a new token wanted? */
static int session_secret_kind(lua_State *L)
{
    const struct smtp_session *s = to_session(L);
    lua_pushstring(L, smtp_secret_kind(s));
    lua_pushboolean(L, smtp_secret_renewed(s));
    return 2;
}

/** session:secret(text): at most 4,096 octets of a password, 8,192 of a token, without NUL. */
static int session_secret(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    struct smtp_text secret = text_arg(L, 2);
    bool token = strcmp(smtp_secret_kind(s), "token") == 0;
    luaL_argcheck(L, secret.len <= (token ? SMTP_TOKEN_LEN_MAX : SMTP_SECRET_LEN_MAX), 2,
                  "too long");
    if (!(smtp_wants(s) & SMTP_WANT_SECRET)) return 0; /* what it borrows now stays anchored */
    anchor(L, "secret", 2);
    smtp_secret(s, secret.data, secret.len);
    return 0;
}

/** session:challenge() -> mechanism, challenge: nil before AUTH is said. */
static int session_challenge(lua_State *L)
{
    struct smtp_challenge challenge = smtp_challenge(to_session(L));
    lua_pushlstring(L, challenge.mechanism.data, challenge.mechanism.len);
    if (!challenge.begun) return 1;
    lua_pushlstring(L, challenge.data.data, challenge.data.len);
    return 2;
}

/** session:answer(bytes or nil, content) -> was it said? See smtp_answer. */
static int session_answer(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    size_t len;
    const char *data = luaL_optlstring(L, 2, NULL, &len);
    luaL_argcheck(L, len <= SMTP_CHALLENGE_MAX, 2, "too long");
    lua_pushboolean(L, smtp_answer(s, data, len, lua_toboolean(L, 3)));
    return 1;
}

/** session:answer_refuse(reason): an auth_rejected reason */
static int session_answer_refuse(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    enum smtp_error error = smtp_error_find("auth_rejected", luaL_checkstring(L, 2));
    luaL_argcheck(L, error != SMTP_ERROR_NONE, 2, "unknown");
    smtp_answer_refuse(s, error);
    return 0;
}

static int session_mechanism_out(lua_State *L)
{
    smtp_mechanism_out(to_session(L));
    return 0;
}

/** session:body(piece, from) -> index of the first byte not taken. */
static int session_body(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    struct smtp_text piece = text_arg(L, 2);
    size_t from = (size_t)luaL_checkinteger(L, 3) - 1;
    luaL_argcheck(L, from <= piece.len, 3, "beyond the piece");
    push_integer(L, from + smtp_body(s, piece.data + from, piece.len - from) + 1);
    return 1;
}

static int session_body_end(lua_State *L)
{
    smtp_body_end(to_session(L));
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

/* Of the table on top, mails to their texts: lets go of those that are over. */
static void forget_mails(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        const struct smtp_mail *mail = lua_touserdata(L, -2);
        if (!mail->over) continue;
        lua_pushvalue(L, -2);
        lua_pushnil(L);
        lua_settable(L, -5);
    }
}

/* The mail at 2 and its text at 3 stay alive as long as the session needs them. */
static void anchor_mail(lua_State *L)
{
    lua_getuservalue(L, 1);
    lua_rawgeti(L, -1, ADDED);
    lua_Integer added = lua_tointeger(L, -1) + 1;
    lua_rawgeti(L, -2, MAILS);
    if (added > ADDED_MAX) {
        forget_mails(L);
        added = 0;
    }
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_rawset(L, -3);
    lua_pushinteger(L, added);
    lua_rawseti(L, -4, ADDED);
    lua_pop(L, 3);
}

/** session:mail(mail, text): queue a transaction. The session keeps it. `text`: the whole message
 *  where it is at hand. */
static int session_mail(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    struct smtp_mail *mail = luaL_checkudata(L, 2, MAIL);
    luaL_argcheck(L, !mail->queued && !mail->settled, 2, "used before");
    lua_settop(L, 3);
    if (lua_isnil(L, 3)) {
        lua_pushboolean(L, 0);
        lua_replace(L, 3);
    } else {
        mail->text = text_arg(L, 3);
        luaL_argcheck(L, !mail->ready || mail->text.len == mail->source_len, 3, "another text");
    }
    anchor_mail(L);
    smtp_mail_add(s, mail);
    return 0;
}

/** session:spoken() -> the mail whose message is wanted, the very value that was given. */
static int session_spoken(lua_State *L)
{
    const struct smtp_mail *spoken = smtp_spoken(to_session(L));
    if (spoken == NULL) return 0;
    lua_getuservalue(L, 1);
    lua_rawgeti(L, -1, MAILS);
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pop(L, 1);
        if (lua_touserdata(L, -1) == spoken) return 1;
    }
    return 0;
}

static int session_quit(lua_State *L)
{
    smtp_quit(to_session(L));
    return 0;
}

/** session:ask("rset" | "noop" | "vrfy", argument) */
static int session_ask(lua_State *L)
{
    static const char *const words[] = {
        [SMTP_ASK_RSET] = "rset", [SMTP_ASK_NOOP] = "noop", [SMTP_ASK_VRFY] = "vrfy", NULL};
    struct smtp_session *s = to_session(L);
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
    set_answer(L, smtp_asked(s));
    return 1;
}

static int session_trouble(lua_State *L)
{
    return push_trouble(L, smtp_session_trouble(to_session(L)));
}

static int session_stage(lua_State *L)
{
    lua_pushstring(L, smtp_session_stage(to_session(L)));
    return 1;
}

/** session:replies() -> whole replies heard so far. */
static int session_replies(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)smtp_session_replies(to_session(L)));
    return 1;
}

/* { PLAIN = 504 }: what turned each mechanism down; the options at `options` name them. */
static void set_mech_codes(lua_State *L, const struct smtp_facts *facts)
{
    lua_newtable(L);
    lua_getuservalue(L, 1);
    lua_getfield(L, -1, "options");
    lua_getfield(L, -1, "mechanisms");
    size_t count = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
    for (size_t i = 0; i < count && i < SMTP_MECHS_MAX; i++) {
        if (facts->mech_code[i] < 200) continue;
        lua_rawgeti(L, -1, (int)i + 1);
        lua_getfield(L, -1, "name");
        lua_pushinteger(L, facts->mech_code[i]);
        lua_settable(L, -7);
        lua_pop(L, 1);
    }
    lua_pop(L, 3);
    lua_setfield(L, -2, "turned_down");
}

/** session:facts() -> what is known of the server: esmtp, tls_verified, tls, auth (words),
 * auth_reason, mechanism, bound, challenge, turned_down, starttls_offered, size_max, rcpt_max,
 * mail_max, rcpt_domain_max, server, capabilities, … */
static int session_facts(lua_State *L)
{
    struct smtp_facts facts = smtp_session_facts(to_session(L));
    lua_createtable(L, 0, 16);
    lua_pushboolean(L, facts.esmtp);
    lua_setfield(L, -2, "esmtp");
    lua_pushboolean(L, facts.tls_verified);
    lua_setfield(L, -2, "tls_verified");
    lua_pushboolean(L, facts.starttls_offered);
    lua_setfield(L, -2, "starttls_offered");
    lua_pushstring(L, tls_words[facts.tls]);
    lua_setfield(L, -2, "tls");
    lua_pushstring(L, auth_words[facts.auth]);
    lua_setfield(L, -2, "auth");
    if (facts.auth_reason != SMTP_ERROR_NONE) {
        lua_pushstring(L, smtp_error_reason(facts.auth_reason));
        lua_setfield(L, -2, "auth_reason");
    }
    lua_pushboolean(L, facts.bound);
    lua_setfield(L, -2, "bound");
    if (facts.mechanism.len > 0)
        set_text(L, "mechanism", facts.mechanism.data, facts.mechanism.len);
    if (facts.challenge.len > 0)
        set_text(L, "challenge", facts.challenge.data, facts.challenge.len);
    set_limit(L, "size_max", facts.size_max);
    set_limit(L, "rcpt_max", facts.rcpt_max);
    set_limit(L, "mail_max", facts.mail_max);
    set_limit(L, "rcpt_domain_max", facts.rcpt_domain_max);
    set_text(L, "server", facts.server.data, facts.server.len);
    set_text(L, "capabilities", facts.capabilities.data, facts.capabilities.len);
    set_text(L, "mechanisms", facts.mechanisms.data, facts.mechanisms.len);
    set_text(L, "mechanisms_before_tls", facts.mechanisms_before_tls.data,
             facts.mechanisms_before_tls.len);
    set_mech_codes(L, &facts);
    return 1;
}

/** session:rests() -> ready, with nothing half heard? */
static int session_rests(lua_State *L)
{
    lua_pushboolean(L, smtp_session_rests(to_session(L)));
    return 1;
}

static const luaL_Reg session_methods[] = {{"wants", session_wants},
                                           {"flights", session_flights},
                                           {"rests", session_rests},
                                           {"output", session_output},
                                           {"sent", session_sent},
                                           {"transcript", session_transcript},
                                           {"heard", session_heard},
                                           {"secret", session_secret},
                                           {"tls_started", session_tls_started},
                                           {"secret_kind", session_secret_kind},
                                           {"challenge", session_challenge},
                                           {"answer", session_answer},
                                           {"answer_refuse", session_answer_refuse},
                                           {"mechanism_out", session_mechanism_out},
                                           {"body", session_body},
                                           {"body_end", session_body_end},
                                           {"broken", session_broken},
                                           {"mail", session_mail},
                                           {"spoken", session_spoken},
                                           {"quit", session_quit},
                                           {"ask", session_ask},
                                           {"asked", session_asked},
                                           {"trouble", session_trouble},
                                           {"stage", session_stage},
                                           {"replies", session_replies},
                                           {"facts", session_facts},
                                           {NULL, NULL}};

/* ---- grammar, and what a host knows ---- */

/** core.address(text) -> canonical Mailbox | nil, why (a sentence) */
static int core_address(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    char out[SMTP_TEXT_MAX];
    const char *why;
    size_t len = smtp_address_check(text.data, text.len, out, &why);
    if (len > 0) {
        lua_pushlstring(L, out, len);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/** core.domain(text) -> true | nil, why: a domain or an address literal */
static int core_domain(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    const char *why = smtp_domain_check(text.data, text.len);
    if (why == NULL) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/** core.idna(domain) -> the domain in A-labels, in U-labels | nil, word (see idna_convert) */
static int core_idna(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    struct idna_domain domain;
    const char *word = idna_convert(text.data, text.len, &domain);
    lua_settop(L, 0);
    if (word != NULL) lua_pushnil(L);
    lua_pushstring(L, word != NULL ? word : domain.ascii);
    if (word == NULL) lua_pushstring(L, domain.unicode);
    return 2;
}

/** core.random(count) -> that many random bytes (at most 256), nil where the system has none. */
static int core_random(lua_State *L)
{
    char bytes[256];
    lua_Integer count = luaL_checkinteger(L, 1);
    luaL_argcheck(L, count > 0 && count <= (lua_Integer)sizeof bytes, 1, "1 to 256");
    if (getentropy(bytes, (size_t)count) != 0) return 0;
    lua_pushlstring(L, bytes, (size_t)count);
    return 1;
}

/** core.hostname() -> the host's own name, "" where it has none; no DNS. */
static int core_hostname(lua_State *L)
{
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0) name[0] = '\0';
    lua_pushstring(L, name);
    return 1;
}

/** core.now() -> seconds of a clock that only goes forward. */
static int core_now(lua_State *L)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
    return 1;
}

/** core.terminal() -> columns of standard error where it is a terminal, else nil. */
static int core_terminal(lua_State *L)
{
    struct winsize size = {0};
    if (isatty(STDERR_FILENO) == 0) return 0;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    lua_pushinteger(L, known ? size.ws_col : 80);
    return 1;
}

static const luaL_Reg functions[] = {
    {"session", core_session},   {"address", core_address},   {"domain", core_domain},
    {"idna", core_idna},         {"random", core_random},     {"now", core_now},
    {"hostname", core_hostname}, {"terminal", core_terminal}, {NULL, NULL}};

LCOMPAT_EXPORT int luaopen_smtp_core(lua_State *L);

LCOMPAT_EXPORT int luaopen_smtp_core(lua_State *L)
{
    new_class(L, SESSION, session_methods);
    lcompat_newlib(L, functions);
    lmail_open(L);
    lplain_open(L);
    lencode_open(L);
    return 1;
}
