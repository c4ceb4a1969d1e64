/* lauth.c - AUTH in sessions as Lua objects: secrets, and answers of SASL mechanisms. */
#include "lsmtp.h"

/** session:secret_kind() -> "password" or "token", is a new token wanted? */
static int session_secret_kind(lua_State *L)
{
    const struct smtp_session *s = to_session(L);
    lua_pushstring(L, smtp_secret_wanted(s) == SMTP_SECRET_TOKEN ? "token" : "password");
    lua_pushboolean(L, smtp_session_status(s)->token_renewed);
    return 2;
}

/** session:secret(text): at most 4,096 octets of a password, 8,192 of a token, without NUL. */
static int session_secret(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    struct smtp_text secret = text_arg(L, 2);
    enum smtp_secret wanted = smtp_secret_wanted(s);
    size_t max = wanted == SMTP_SECRET_TOKEN ? SMTP_TOKEN_LEN_MAX : SMTP_SECRET_LEN_MAX;
    luaL_argcheck(L, secret.len <= max, 2, "too long");
    if (wanted == SMTP_SECRET_NONE) return 0; /* what it borrows now stays anchored */
    anchor(L, "secret", 2);
    smtp_secret(s, secret.data, secret.len);
    return 0;
}

/** session:hide(list): never show these strings, see smtp_hide */
static int session_hide(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    struct smtp_text words[SMTP_HIDDEN_MAX];
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t count = lcompat_rawlen(L, 2);
    if (count > SMTP_HIDDEN_MAX) count = SMTP_HIDDEN_MAX;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (int)i + 1);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "a list of strings is expected");
        words[i].data = lua_tolstring(L, -1, &words[i].len); /* the list keeps it */
        lua_pop(L, 1);
    }
    anchor(L, "hidden", 2);
    smtp_hide(s, words, count);
    return 0;
}

/** session:challenge() -> mechanism, challenge: nil before AUTH is said. */
static int session_challenge(lua_State *L)
{
    struct smtp_text mechanism, challenge = smtp_challenge(to_session(L), &mechanism);
    lua_pushlstring(L, mechanism.data, mechanism.len);
    if (challenge.data == NULL) return 1;
    lua_pushlstring(L, challenge.data, challenge.len);
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
    session_rest(L, s);
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
    struct smtp_session *s = to_session(L);
    smtp_mechanism_out(s);
    session_rest(L, s);
    return 0;
}

static const luaL_Reg methods[] = {METHOD(session, secret_kind),   METHOD(session, secret),
                                   METHOD(session, hide),          METHOD(session, challenge),
                                   METHOD(session, answer),        METHOD(session, answer_refuse),
                                   METHOD(session, mechanism_out), {NULL, NULL}};

void lauth_open(lua_State *L)
{
    add_methods(L, SESSION_CLASS, methods);
}
