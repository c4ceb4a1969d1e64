/* lflights.c - the part of lua/smtp/client/loop.lua that sends and receives, for a socket of ours:
 * the same steps, without a table or a string for each. Whatever else happens is left to that loop.
 */
#include "../port.h"
#include "lsmtp.h"

#include <math.h>
#include <string.h>

enum { GATHER_MS = 10, PIPELINE_AT = 7 };

double flights_now(void)
{
    return (double)port_now_us() / 1e6;
}

static int timeout_ms(const struct flights *f, double moment)
{
    double left = smtp_patience(f->s, &f->clock, moment);
    if (!(left > 0)) return 0;
    return left > 86400 ? 86400 * 1000 : (int)ceil(left * 1000);
}

static bool is(const char *word, const char *other)
{
    return word != NULL && strcmp(word, other) == 0;
}

/* ---- to and fro ---- */

/* Each returns false where the loop in Lua has to go on. */

static bool send_flight(struct flights *f)
{
    struct smtp_text out = smtp_send_buf(f->s);
    size_t sent = 0;
    double moment = flights_now();
    if (!smtp_sent_in_part(f->s)) f->clock.moved = moment;
    const char *word = f->io->send(f->io->socket, out.data, out.len, timeout_ms(f, moment), &sent);
    smtp_send_ack(f->s, sent);
    if (word == NULL && sent == out.len) return true;
    f->again = is(word, "again");
    if (sent == 0) return false;
    moment = f->clock.moved = flights_now();
    return is(word, "timeout") && timeout_ms(f, moment) > 0;
}

static bool receive_flight(struct flights *f)
{
    const char *data;
    size_t len;
    int ms = timeout_ms(f, flights_now());
    if (f->hurry && ms > GATHER_MS) ms = GATHER_MS;
    const char *word = f->io->receive(f->io->socket, ms, &data, &len);
    f->done = f->hurry && is(word, "timeout");
    f->again = is(word, "again");
    if (word != NULL) return f->done;
    const uint64_t *replies = &smtp_session_status(f->s)->replies, before = *replies;
    smtp_recv(f->s, data, len);
    if (*replies != before) f->clock.moved = flights_now();
    return true;
}

/* What only the loop in Lua can do. */
enum {
    OTHERS = SMTP_WANT_TLS | SMTP_WANT_SECRET | SMTP_WANT_ANSWER | SMTP_WANT_BODY | SMTP_WANT_END |
             SMTP_WANT_NOTHING
};

/* Lets the messages end whose ends are held back, where they were allowed beforehand. */
static unsigned wants_after_ends(struct flights *f)
{
    unsigned wants = smtp_wants(f->s);
    while ((wants & SMTP_WANT_END) != 0 && f->many && pipeline_may_end(f->L, PIPELINE_AT)) {
        smtp_end_allow(f->s);
        wants = smtp_wants(f->s);
    }
    return wants;
}

bool flights_once(struct flights *f)
{
    unsigned wants = wants_after_ends(f);
    if (wants & OTHERS) return false;
    if (wants & SMTP_WANT_SEND) return send_flight(f);
    return (wants & SMTP_WANT_READY) == 0 && receive_flight(f);
}

/* ---- while others have their turn ---- */

static bool go_on(void *flight)
{
    struct flights *f = flight;
    f->again = false;
    while (flights_once(f))
        continue;
    return f->again;
}

/* The connection ends first, or another session waits for the socket. */
static void forget_socket(void *flight)
{
    ((struct flights *)flight)->io = NULL;
}

void flights_forget(struct flights *waiting)
{
    if (waiting->io != NULL) waiting->io->go_on = NULL;
    waiting->io = NULL;
}

/* Goes on with the one that waited, which has moved meanwhile. */
static void take_waiting(struct flights *f)
{
    struct flights *waiting = &session_extra(f->s)->waiting;
    if (waiting->io == f->io && waiting->clock.moved > f->clock.moved)
        f->clock.moved = waiting->clock.moved;
    flights_forget(waiting);
}

void flights_keep(const struct flights *f)
{
    struct flights *waiting = &session_extra(f->s)->waiting;
    if (!f->again || f->many || smtp_session_status(f->s)->grade != SMTP_SAFE) return;
    smtp_io_release(f->io);
    *waiting = *f;
    waiting->L = NULL;
    waiting->io->go_on = go_on;
    waiting->io->forget = forget_socket;
    waiting->io->flight = waiting;
}

/* Any other userdata is not what sock:io() returned, and would be called as if it were. */
struct smtp_io *io_arg(lua_State *L, int index)
{
    luaL_argcheck(L, lua_islightuserdata(L, index), index, "sock:io() is needed");
    return lua_touserdata(L, index);
}

/** session:flights(io, deadline, reply_timeout, moved, once, pipeline) -> what is wanted now; when
 * something moved last; is it for the loop in Lua to go on ("again": once the socket can, with the
 * same call); how many messages that the pipeline was offered it has taken. `io` is sock:io(). With
 * `once` one send, or one receive, is all. Else it ends when half of the transactions of the
 * pipeline are over (where it drains, all of them, or one has failed), or one is, and the next is
 * not at once: the caller need not come for each of them. */
int session_flights(lua_State *L)
{
    struct flights f = {.L = L, .s = to_working_session(L), .io = io_arg(L, 2)};
    f.clock.deadline = luaL_checknumber(L, 3);
    f.clock.reply_timeout = luaL_checknumber(L, 4);
    f.clock.moved = luaL_checknumber(L, 5);
    bool once = lua_toboolean(L, 6);
    f.many = lua_isuserdata(L, PIPELINE_AT);
    f.hurry = f.many && pipeline_news(L, PIPELINE_AT) == NEWS_SOME;
    take_waiting(&f);
    bool through = flights_once(&f);
    int taken = f.many ? pipeline_post_others(L, PIPELINE_AT, through || f.again) : 0;
    while (through && !once && !f.done) {
        enum pipeline_news news = f.many ? pipeline_news(L, PIPELINE_AT) : NEWS_NONE;
        if (news == NEWS_ENOUGH) break;
        f.hurry = news == NEWS_SOME;
        through = flights_once(&f);
    }
    lua_pushstring(L, want_word(f.s));
    lua_pushnumber(L, f.clock.moved);
    if (f.again)
        lua_pushliteral(L, "again");
    else
        lua_pushboolean(L, !through);
    if (!once) flights_keep(&f);
    session_rest(L, f.s);
    lua_pushinteger(L, taken);
    return 4;
}

/** session:patience(deadline, reply_timeout, moved) -> for how many seconds the next wait may go
 * on: see smtp_patience */
int session_patience(lua_State *L)
{
    const struct smtp_clock clock = {.deadline = luaL_checknumber(L, 2),
                                     .reply_timeout = luaL_checknumber(L, 3),
                                     .moved = luaL_checknumber(L, 4)};
    lua_pushnumber(L, smtp_patience(to_session(L), &clock, flights_now()));
    return 1;
}

bool flights_look(struct smtp_session *s, const struct smtp_io *io)
{
    const char *data, *word = NULL;
    size_t len;
    while (word == NULL && (smtp_wants(s) & SMTP_WANT_READY) != 0) {
        word = io->receive(io->socket, 0, &data, &len);
        if (word == NULL) smtp_recv(s, data, len);
    }
    return is(word, "timeout");
}

/** session:look(io) -> did nothing but replies arrive on an idle connection, and is the session
 * still READY? What else there is, the socket says again to the caller. nil: it was not READY. */
int session_look(lua_State *L)
{
    struct smtp_session *s = to_session(L);
    const struct smtp_io *io = io_arg(L, 2);
    if ((smtp_wants(s) & SMTP_WANT_READY) == 0) return 0;
    session_work(L, s);
    lua_pushboolean(L, flights_look(s, io));
    session_rest(L, s);
    return 1;
}
