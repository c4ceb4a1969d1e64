/* lflights.c - the part of lua/smtp/drive.lua that sends and receives, for a socket of ours: the
 * same steps, without a table or a string for each. Whatever else happens is left to that loop. */
#include "io.h"
#include "lsmtp.h"

#include <math.h>
#include <string.h>
#include <time.h>

#pragma GCC visibility push(hidden)

enum { SESSION_AT = 1, IO_AT, TRANSCRIPT_AT, DEADLINE_AT, PATIENCE_AT, MOVED_AT, ONCE_AT };

/* As in smtp.transcript. */
enum { FLIGHTS_KEPT = 24, QUIT_SECONDS = 2 };

struct flights {
    lua_State *L;
    struct smtp_session *s;
    const struct smtp_io *io;
    double deadline, patience, moved; /* seconds */
    int notes;                        /* index of transcript.notes */
    lua_Integer noted, known;         /* its fields */
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
    if (other < left && strcmp(stage, "final") != 0) left = other;
    if (left <= 0) return 0;
    return left > 86400 ? 86400 * 1000 : (int)ceil(left * 1000);
}

/* ---- the transcript ---- */

static void note(struct flights *f, const char *direction, const char *kind, size_t inside)
{
    lua_State *L = f->L; /* the bytes are on top, and go */
    if (*direction == 'C' && *kind != 'm') {
        lua_pushvalue(L, -1);
        lua_setfield(L, TRANSCRIPT_AT, "command");
        push_integer(L, inside);
        lua_setfield(L, TRANSCRIPT_AT, "command_inside");
    }
    int at = (int)(f->noted++ % FLIGHTS_KEPT) * 4;
    lua_rawseti(L, f->notes, at + 2);
    lua_pushstring(L, direction);
    lua_rawseti(L, f->notes, at + 1);
    lua_pushstring(L, kind);
    lua_rawseti(L, f->notes, at + 3);
    push_integer(L, inside);
    lua_rawseti(L, f->notes, at + 4);
}

/* A server may say its lines bit by bit: then the newest note grows. */
static bool heard_more(struct flights *f, const char *data, size_t len)
{
    lua_State *L = f->L;
    size_t before_len;
    int at = (int)((f->noted + FLIGHTS_KEPT - 1) % FLIGHTS_KEPT) * 4;
    lua_rawgeti(L, f->notes, at + 1);
    const char *direction = lua_tostring(L, -1);
    bool heard = direction != NULL && *direction == 'S';
    lua_rawgeti(L, f->notes, at + 2);
    const char *before = heard ? lua_tolstring(L, -1, &before_len) : NULL;
    if (before == NULL || before_len == 0 || before[before_len - 1] == '\n') {
        lua_pop(L, 2);
        return false;
    }
    lua_pushlstring(L, data, len);
    lua_concat(L, 2);
    lua_rawseti(L, f->notes, at + 2);
    lua_pop(L, 1);
    return true;
}

/* A message is one note, in however many writes it leaves. */
static bool message_more(struct flights *f, size_t len)
{
    lua_State *L = f->L;
    int at = (int)((f->noted + FLIGHTS_KEPT - 1) % FLIGHTS_KEPT) * 4;
    lua_rawgeti(L, f->notes, at + 3);
    const char *kind = lua_tostring(L, -1);
    bool more = kind != NULL && *kind == 'm';
    lua_pop(L, 1);
    if (!more) return false;
    lua_rawgeti(L, f->notes, at + 2);
    push_integer(L, (size_t)lua_tointeger(L, -1) + len);
    lua_rawseti(L, f->notes, at + 2);
    lua_pop(L, 1);
    return true;
}

/* As Transcript:said. */
static void note_said(struct flights *f, struct smtp_text out, size_t sent, size_t inside)
{
    size_t known = (size_t)f->known;
    const char *kind = smtp_send_kind(f->s);
    if (sent == 0) return;
    if (*kind == 'm') {
        if (sent > known && !message_more(f, sent - known)) {
            push_integer(f->L, sent - known);
            note(f, "C", kind, 0);
        }
        f->known = (lua_Integer)(known > sent ? known - sent : 0);
        return;
    }
    if (out.len > known) {
        lua_pushlstring(f->L, out.data + known, out.len - known);
        note(f, "C", kind, inside);
    }
    f->known = (lua_Integer)(out.len - sent);
}

/* ---- to and fro ---- */

/* Each returns false where the loop in Lua has to go on. */

static bool send(struct flights *f)
{
    struct smtp_text out = smtp_send_buf(f->s);
    size_t sent = 0, inside = smtp_send_inside(f->s, (size_t)f->known);
    f->moved = now();
    const char *word =
        f->io->send(f->io->socket, out.data, out.len, timeout_ms(f, f->moved), &sent);
    note_said(f, out, sent, inside);
    smtp_send_ack(f->s, sent);
    return word == NULL && sent == out.len;
}

static bool receive(struct flights *f)
{
    const char *data;
    size_t len;
    if (f->io->receive(f->io->socket, timeout_ms(f, now()), &data, &len) != NULL) return false;
    uint64_t replies = smtp_session_replies(f->s);
    smtp_recv(f->s, data, len); /* first: a note may leave by longjmp, and what was heard is gone */
    if (smtp_session_replies(f->s) != replies) f->moved = now();
    if (!heard_more(f, data, len)) {
        lua_pushlstring(f->L, data, len);
        note(f, "S", "command", 0);
    }
    return true;
}

static bool may_send(const struct smtp_session *s, unsigned wants)
{
    return (wants & SMTP_WANT_SEND) && *smtp_send_kind(s) != 's';
}

/* What the Lua loop has to do itself. */
enum {
    OTHERS = SMTP_WANT_TLS | SMTP_WANT_SECRET | SMTP_WANT_ANSWER | SMTP_WANT_BODY |
             SMTP_WANT_READY | SMTP_WANT_NOTHING
};

static bool run(struct flights *f, bool once)
{
    for (;;) {
        unsigned wants = smtp_wants(f->s);
        if (may_send(f->s, wants) && !(wants & OTHERS & ~(unsigned)SMTP_WANT_READY)) {
            if (!send(f)) return false;
        } else if ((wants & (OTHERS | SMTP_WANT_SEND)) == 0) {
            if (!receive(f)) return false;
            if (once) return true;
        } else {
            return false;
        }
    }
}

static lua_Integer integer_field(lua_State *L, const char *key)
{
    lua_getfield(L, TRANSCRIPT_AT, key);
    lua_Integer value = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

/** session:flights(io, transcript, deadline, reply_timeout, moved, once) -> what is wanted now;
 * when something moved last; is it for the loop in Lua to go on? `io` is sock:io(), or with `once`
 * one receive is all. */
int session_flights(lua_State *L)
{
    struct flights f = {.L = L, .s = to_session(L), .io = lua_touserdata(L, IO_AT)};
    luaL_checktype(L, TRANSCRIPT_AT, LUA_TTABLE);
    luaL_argcheck(L, f.io != NULL, IO_AT, "sock:io() is wanted");
    f.deadline = luaL_checknumber(L, DEADLINE_AT);
    f.patience = luaL_checknumber(L, PATIENCE_AT);
    f.moved = luaL_checknumber(L, MOVED_AT);
    bool once = lua_toboolean(L, ONCE_AT);
    f.noted = integer_field(L, "noted");
    f.known = integer_field(L, "known");
    lua_getfield(L, TRANSCRIPT_AT, "notes");
    f.notes = lua_gettop(L);
    bool through = run(&f, once);
    lua_pushinteger(L, f.noted);
    lua_setfield(L, TRANSCRIPT_AT, "noted");
    lua_pushinteger(L, f.known);
    lua_setfield(L, TRANSCRIPT_AT, "known");
    lua_pushstring(L, want_word(f.s));
    lua_pushnumber(L, f.moved);
    lua_pushboolean(L, !through);
    return 3;
}

#pragma GCC visibility pop
