/* lflights.c - the part of lua/smtp/client/loop.lua that sends and receives, for a socket of ours:
 * the same steps, without a table or a string for each. Whatever else happens is left to that loop.
 */
#include "../io.h"
#include "lsmtp.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { QUIT_SECONDS = 2, RENEW_SECONDS = 2 };

struct flights {
    struct smtp_session *s;
    const struct smtp_io *io;
    double deadline, patience, moved; /* seconds */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* How long the next wait may take: see patience in drive.lua. */
static int timeout_ms(const struct flights *f, double moment)
{
    const char *stage = smtp_session_stage(f->s);
    double left = f->deadline - moment, other = f->patience - (moment - f->moved);
    if (strcmp(stage, "quit") == 0) other = QUIT_SECONDS - (moment - f->moved);
    if (smtp_is_crossing(f->s) && other > RENEW_SECONDS - (moment - f->moved))
        other = RENEW_SECONDS - (moment - f->moved);
    if (other < left && strcmp(stage, "final") != 0) left = other;
    if (!(left > 0)) return 0;
    return left > 86400 ? 86400 * 1000 : (int)ceil(left * 1000);
}

/* ---- to and fro ---- */

/* Each returns false where the loop in Lua has to go on. */

static bool send(struct flights *f)
{
    struct smtp_text out = smtp_send_buf(f->s);
    size_t sent = 0;
    f->moved = now();
    const char *word =
        f->io->send(f->io->socket, out.data, out.len, timeout_ms(f, f->moved), &sent);
    smtp_send_ack(f->s, sent);
    return word == NULL && sent == out.len;
}

static bool receive(struct flights *f)
{
    const char *data;
    size_t len;
    if (f->io->receive(f->io->socket, timeout_ms(f, now()), &data, &len) != NULL) return false;
    uint64_t replies = smtp_session_replies(f->s);
    smtp_recv(f->s, data, len);
    if (smtp_session_replies(f->s) != replies) f->moved = now();
    return true;
}

/* What the Lua loop has to do itself. */
enum {
    OTHERS =
        SMTP_WANT_TLS | SMTP_WANT_SECRET | SMTP_WANT_ANSWER | SMTP_WANT_BODY | SMTP_WANT_NOTHING
};

static bool run(struct flights *f, bool once)
{
    for (;;) {
        unsigned wants = smtp_wants(f->s);
        if (wants & OTHERS) return false;
        if (wants & SMTP_WANT_SEND) {
            if (!send(f)) return false;
            if (once) return true;
        } else if (wants & SMTP_WANT_READY) {
            return false;
        } else {
            if (!receive(f)) return false;
            if (once) return true;
        }
    }
}

/** session:flights(io, deadline, reply_timeout, moved, once) -> what is wanted now; when something
 * moved last; is it for the loop in Lua to go on? `io` is sock:io(). With `once` one send, or one
 * receive, is all. */
int session_flights(lua_State *L)
{
    struct flights f = {.s = to_session(L), .io = lua_touserdata(L, 2)};
    luaL_argcheck(L, f.io != NULL, 2, "sock:io() is wanted");
    f.deadline = luaL_checknumber(L, 3);
    f.patience = luaL_checknumber(L, 4);
    f.moved = luaL_checknumber(L, 5);
    bool through = run(&f, lua_toboolean(L, 6));
    lua_pushstring(L, want_word(f.s));
    lua_pushnumber(L, f.moved);
    lua_pushboolean(L, !through);
    return 3;
}

/** session:look(io) -> did nothing but replies arrive on an idle connection, and is the session
 * still READY? What else there is, the socket says again to the caller. */
int session_look(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    const struct smtp_io *io = lua_touserdata(L, 2);
    luaL_argcheck(L, io != NULL, 2, "sock:io() is needed");
    const char *data, *word = NULL;
    size_t len;
    while (word == NULL && (smtp_wants(s) & SMTP_WANT_READY) != 0) {
        word = io->receive(io->socket, 0, &data, &len);
        if (word == NULL) smtp_recv(s, data, len);
    }
    lua_pushboolean(L, word != NULL && strcmp(word, "timeout") == 0);
    return 1;
}
