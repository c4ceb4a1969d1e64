/* loptions.c - the options of a session, from a table that it keeps. */
#include "lsmtp.h"

#define OPTIONS "smtp.Options"

static const char *const policies[] = {"skip", "prefer", "require", NULL};
static const char *const grades[] = {"safe", "try", "eager", NULL};
static const char *const halts[] = {"never", "greeting", "ehlo", "tls", "mail", "rcpt", NULL};

void push_grade(lua_State *L, const struct smtp_session *s)
{
    lua_pushstring(L, grades[smtp_session_status(s)->grade]);
}

/** session:grade(word) -> "safe", "try" or "eager", see enum smtp_grade; with a word it is set.
 * With "off" every command waits for the answer to the one before it, from now on. */
int session_grade(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    const char *word = luaL_optstring(L, 2, NULL);
    if (word != NULL && strcmp(word, "off") == 0)
        smtp_lockstep(s);
    else if (word != NULL)
        smtp_set_grade(s, (enum smtp_grade)luaL_checkoption(L, 2, NULL, grades));
    push_grade(L, s);
    return 1;
}

static unsigned read_flag(lua_State *L, const char *key, unsigned flag)
{
    return flag_field(L, key) ? flag : 0;
}

/* The table at 1: { name=, shows_secret=, binds=, mutual= }. */
static void read_mechanism(lua_State *L, struct smtp_mech *mech)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    mech->name = text_field(L, "name");
    luaL_argcheck(L, mech->name.len > 0 && mech->name.len <= 20, 1, "a mechanism's name");
    mech->flags = read_flag(L, "shows_secret", SMTP_MECH_SHOWS_SECRET) |
                  read_flag(L, "binds", SMTP_MECH_BINDS) | read_flag(L, "mutual", SMTP_MECH_MUTUAL);
}

/* options.mechanisms is a list, which the session keeps. */
static void read_mechanisms(lua_State *L, struct smtp_options *o)
{
    lua_getfield(L, 1, "mechanisms");
    for (int i = 1; lua_istable(L, -1) && o->mech_count < SMTP_MECHS_MAX; i++) {
        lua_rawgeti(L, -1, i);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            break;
        }
        lua_insert(L, 1);
        read_mechanism(L, &o->mechs[o->mech_count++]);
        lua_remove(L, 1);
    }
    lua_pop(L, 1);
}

void read_options(lua_State *L, struct smtp_options *o)
{
    *o = (struct smtp_options){
        .domain = text_field(L, "domain"),
        .tls = (enum smtp_policy)word_field(L, "tls", "skip", policies),
        .tls_on = flag_field(L, "tls_on"),
        .tls_verified = flag_field(L, "tls_verified"),
        .auth = (enum smtp_policy)word_field(L, "auth", "skip", policies),
        .port = (uint16_t)count_field(L, "port", UINT16_MAX),
        .username = text_field(L, "username"),
        .authzid = text_field(L, "authzid"),
        .secret_in_clear = flag_field(L, "secret_in_clear"),
        .secret_unverified = flag_field(L, "secret_unverified"),
        .mechs_named = flag_field(L, "mechanisms_named"),
        .ext_skip = extensions_field(L, "extensions", "skip"),
        .token_renewable = flag_field(L, "token_renewable"),
        .host = text_field(L, "host"),
        .window = count_field(L, "window", UINT32_MAX),
        .lmtp = flag_field(L, "lmtp"),
        .hold_ends = flag_field(L, "hold_ends"),
        .chunks_ahead = flag_field(L, "chunks_ahead"),
        .grade = (enum smtp_grade)word_field(L, "grade", "safe", grades),
        .flight_max = count_field(L, "flight_max", SMTP_FLIGHT_MAX),
        .refused_max = count_field(L, "refused_max", UINT32_MAX),
        .halt = (enum smtp_halt)word_field(L, "halt", "never", halts),
    };
    read_mechanisms(L, o);
    luaL_argcheck(L, smtp_domain_check(o->domain.data, o->domain.len) == NULL, 1, "domain");
    luaL_argcheck(L,
                  o->username.len <= SMTP_SECRET_LEN_MAX && o->authzid.len <= SMTP_SECRET_LEN_MAX,
                  1, "user name too long");
    luaL_argcheck(L, o->host.len <= SMTP_HOST_LEN_MAX, 1, "host too long");
}

/** core.options(table) -> the options of a session, see core.session, read once for several. The
 * table must not change any more. */
static int core_options(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct smtp_options *o = new_object(L, OPTIONS, sizeof *o);
    read_options(L, o);
    lua_pushvalue(L, 1);
    lua_setuservalue(L, 2);
    return 1;
}

/* Have the tables at `a` and `b`, whose values are no tables, the same fields? */
static bool has_same_fields(lua_State *L, int a, int b)
{
    int count = 0;
    for (lua_pushnil(L); lua_next(L, a); count++) {
        lua_pushvalue(L, -2);
        lua_rawget(L, b);
        bool same = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
        if (same) continue;
        lua_pop(L, 1);
        return false;
    }
    for (lua_pushnil(L); lua_next(L, b); lua_pop(L, 1))
        count--;
    return count == 0;
}

/** core.same(options, known, names) -> how many of the options are among `names`; nil where one of
 * these differs from its value in `known`, or where `options` is not a table. The tables in `known`
 * contain no tables. */
static int core_same(lua_State *L)
{
    enum { OPTIONS_AT = 1, KNOWN, NAMES, NAME, VALUE, OTHER };
    lua_Integer count = 0;
    luaL_checktype(L, KNOWN, LUA_TTABLE);
    luaL_checktype(L, NAMES, LUA_TTABLE);
    if (!lua_istable(L, OPTIONS_AT)) return 0;
    lua_settop(L, NAMES);
    for (lua_pushnil(L); lua_next(L, OPTIONS_AT); lua_settop(L, NAME)) {
        lua_pushvalue(L, NAME);
        lua_rawget(L, NAMES);
        if (lua_isnil(L, -1)) continue;
        lua_settop(L, VALUE);
        lua_pushvalue(L, NAME);
        lua_rawget(L, KNOWN);
        bool same = lua_rawequal(L, VALUE, OTHER);
        if (!same && lua_istable(L, VALUE) && lua_istable(L, OTHER))
            same = has_same_fields(L, VALUE, OTHER);
        if (!same) return 0;
        count++;
    }
    lua_pushinteger(L, count);
    return 1;
}

const struct smtp_options *to_options(lua_State *L, int index)
{
    return luaL_checkudata(L, index, OPTIONS);
}

static const luaL_Reg none[] = {{NULL, NULL}};
static const luaL_Reg functions[] = {METHOD(core, options), METHOD(core, same), {NULL, NULL}};

void loptions_open(lua_State *L)
{
    new_class(L, OPTIONS, none, NULL);
    lcompat_setfuncs(L, functions);
}
