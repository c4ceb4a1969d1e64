/* llimits.c - the bounds and keywords of smtp.h and text.h for Lua: each is written once, in C. */
#include "lsmtp.h"

/** core.limits: bytes at most, except where a comment says otherwise */
static void push_limits(lua_State *L)
{
    lua_createtable(L, 0, 12);
    set_number(L, "address", SMTP_ADDRESS_LEN_MAX);
    set_number(L, "command", SMTP_LINE_MAX - 2);
    set_number(L, "secret", SMTP_SECRET_LEN_MAX); /* a user name, identity or password */
    set_number(L, "token", SMTP_TOKEN_LEN_MAX);
    set_number(L, "challenge", SMTP_CHALLENGE_MAX); /* and the answer to one, decoded */
    set_number(L, "envid", SMTP_ENVID_LEN_MAX);     /* encoded */
    set_number(L, "seconds", SMTP_SECONDS_MAX);     /* of DELIVERBY and FUTURERELEASE */
    set_number(L, "flight", SMTP_FLIGHT_MAX);       /* messages said and not yet answered */
    set_number(L, "unheard", SMTP_UNHEARD_LEN_MAX);
    set_string(L, "cut_mark", SMTP_CUT_MARK);
}

/** core.extensions: a list of the keywords that may be required, preferred or skipped, in lower
 *  case, which are the reasons of ExtensionUnsupportedError, too */
static void push_extensions(lua_State *L)
{
#define E(X, name, keyword, reason, read) reason,
    static const char *const reasons[] = {SMTP_EXTENSIONS(E, )};
#undef E
    lua_newtable(L);
    for (int i = 0; i < (int)(sizeof reasons / sizeof *reasons); i++) {
        lua_pushstring(L, reasons[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

void llimits_open(lua_State *L)
{
    push_limits(L);
    lua_setfield(L, -2, "limits");
    push_extensions(L);
    lua_setfield(L, -2, "extensions");
}
