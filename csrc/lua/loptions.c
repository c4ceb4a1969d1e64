/* loptions.c - the options of a session, from a table that it keeps. */
#include "lsmtp.h"

static enum smtp_policy policy_field(lua_State *L, const char *key)
{
    static const char *const words[] = {"skip", "prefer", "require", NULL};
    lua_getfield(L, 1, key);
    int policy = luaL_checkoption(L, -1, "skip", words);
    lua_pop(L, 1);
    return (enum smtp_policy)policy;
}

static const char *const grades[] = {"safe", "try", "eager", NULL};

static enum smtp_grade grade_field(lua_State *L)
{
    lua_getfield(L, 1, "grade");
    int grade = luaL_checkoption(L, -1, "safe", grades);
    lua_pop(L, 1);
    return (enum smtp_grade)grade;
}

void push_grade(lua_State *L, const struct smtp_session *s)
{
    lua_pushstring(L, grades[smtp_session_status(s)->grade]);
}

/** session:grade(word) -> "safe", "try" or "eager", see enum smtp_grade; with a word it is set. */
int session_grade(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    if (!lua_isnoneornil(L, 2))
        smtp_set_grade(s, (enum smtp_grade)luaL_checkoption(L, 2, NULL, grades));
    push_grade(L, s);
    return 1;
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

void read_options(lua_State *L, struct smtp_options *o)
{
    *o = (struct smtp_options){
        .domain = text_field(L, "domain"),
        .tls = policy_field(L, "tls"),
        .tls_on = flag_field(L, "tls_on"),
        .tls_verified = flag_field(L, "tls_verified"),
        .auth = policy_field(L, "auth"),
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
        .grade = grade_field(L),
        .flight_max = count_field(L, "flight_max", SMTP_FLIGHT_MAX),
        .refused_max = count_field(L, "refused_max", UINT32_MAX),
    };
    read_mechanisms(L, o);
    luaL_argcheck(L, smtp_domain_check(o->domain.data, o->domain.len) == NULL, 1, "domain");
    luaL_argcheck(L,
                  o->username.len <= SMTP_SECRET_LEN_MAX && o->authzid.len <= SMTP_SECRET_LEN_MAX,
                  1, "user name too long");
    luaL_argcheck(L, o->host.len <= SMTP_HOST_LEN_MAX, 1, "host too long");
}
