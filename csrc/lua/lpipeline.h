/* lpipeline.h - a pipeline, for the files that add to it, take from it, and let its messages end.
 */
#ifndef LPIPELINE_H
#define LPIPELINE_H

#include "lsmtp.h"

#pragma GCC visibility push(hidden)

#define PIPELINE "smtp.Pipeline"

enum { SLOTS = SMTP_FLIGHT_MAX };

/* Those on their way, oldest first, in a ring. In the user value each slot has two values: the
 * transaction, and its text or the entry that it was added with. A posted transaction stays there
 * when it is over, for the next one. The session, the words and the list are after them. */
struct pipeline {
    struct smtp_session *s;
    double timeout;            /* of each, */
    bool fixed;                /* also of a large one */
    size_t first, count, half; /* of its window */
    bool begun;                /* a transaction has */
    bool last;                 /* nothing is to follow what is on its way */
    struct {
        int at, end;
        lua_Integer index; /* of the first, for the caller */
        double started;
    } offer; /* of the list in the user value: what is to be posted */
    struct {
        struct smtp_transaction *transaction;
        lua_Integer index; /* for the caller, of a posted one; 0: it was added, with an entry */
        double started;
        double ends_before;  /* a time: until then its end need not be asked for */
        bool whole;          /* a receipt can be made of it alone */
        struct smtp_text id; /* of a posted one that was composed: in its text */
    } of[SLOTS];
};

enum { RING_SESSION = 2 * SLOTS + 1, RING_WORDS, RING_LIST, RING_LEN = RING_LIST };

/* Of a method. */
static inline struct pipeline *self_pipeline(lua_State *L)
{
    return self_arg(L, PIPELINE);
}

static inline struct pipeline *to_pipeline(lua_State *L, int index)
{
    return luaL_checkudata(L, index, PIPELINE);
}

static inline int transaction_at(size_t slot)
{
    return (int)(2 * slot + 1);
}

static inline bool oldest_has_begun(const struct pipeline *p)
{
    if (p->count == 0) return false;
    const struct smtp_transaction *m = p->of[p->first].transaction;
    /* The first one of a kept connection begins at 0. */
    return m->begun_at > 0 || (m->over && m->trouble.error == SMTP_ERROR_NONE);
}

/* Has a transaction begun? From then on the caller knows. */
static inline bool note_begun(struct pipeline *p)
{
    p->begun = p->begun || oldest_has_begun(p);
    return p->begun;
}

/* Pushes when the oldest must be over, nil where there is none. */
static inline void push_deadline(lua_State *L, const struct pipeline *p)
{
    if (p->count == 0) {
        lua_pushnil(L);
        return;
    }
    const struct smtp_transaction *m = p->of[p->first].transaction;
    lua_pushnumber(L,
                   p->of[p->first].started + smtp_message_seconds(p->timeout, p->fixed, m->size));
}

/* The caller's index or entry of what is in this slot. */
static inline void push_subject(lua_State *L, const struct pipeline *p, int ring, size_t slot)
{
    if (p->of[slot].index != 0)
        lua_pushinteger(L, p->of[slot].index);
    else
        lua_rawgeti(L, ring, transaction_at(slot) + 1);
}

#pragma GCC visibility pop

#endif
