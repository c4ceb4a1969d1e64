/* lends.c - the messages of a pipeline whose ends are held back: which one waits, and which may end
 * without being asked for. */
#include "lpipeline.h"
#include "lsmtp.h"

#include <time.h>

/* Finds the slot of the message whose end is held back. */
static bool find_ending(const struct pipeline *p, size_t *slot)
{
    const struct smtp_transaction *m = smtp_ending(p->s);
    for (size_t i = 0; m != NULL && i < p->count; i++) {
        *slot = (p->first + i) % SLOTS;
        if (p->of[*slot].transaction == m) return true;
    }
    return false;
}

/** pipeline:ending() -> the entry, or the index of a posted one, of the message whose end is held
 * back; nil where there is none */
static int pipeline_ending(lua_State *L)
{
    const struct pipeline *p = self_pipeline(L);
    size_t slot;
    lua_settop(L, 1);
    lua_getuservalue(L, 1);
    if (!find_ending(p, &slot)) return 0;
    push_subject(L, p, 2, slot);
    return 1;
}

/** pipeline:allow(first, last, ends_before): the posted messages with these indices may end without
 * being asked for, until this time (seconds since 1970), and so their chunks may go ahead of the
 * answers to RCPT. A process may be stopped at any moment: so the clock is read when the end is
 * due, and it is one that goes on while the machine sleeps. */
static int pipeline_allow(lua_State *L)
{
    struct pipeline *p = self_pipeline(L);
    lua_Number first = luaL_checknumber(L, 2), last = luaL_checknumber(L, 3);
    double ends_before = luaL_checknumber(L, 4);
    for (size_t i = 0; i < p->count; i++) {
        size_t slot = (p->first + i) % SLOTS;
        lua_Number index = (lua_Number)p->of[slot].index;
        if (index <= 0 || index < first || index > last) continue;
        p->of[slot].ends_before = ends_before;
        smtp_end_ahead(p->s, p->of[slot].transaction);
    }
    return 0;
}

bool pipeline_may_end(lua_State *L, int index)
{
    const struct pipeline *p = to_pipeline(L, index);
    size_t slot;
    return find_ending(p, &slot) && (double)time(NULL) < p->of[slot].ends_before;
}

/** pipeline:is_allowed() -> may the message whose end is held back end without being asked for? */
static int pipeline_is_allowed(lua_State *L)
{
    lua_pushboolean(L, pipeline_may_end(L, 1));
    return 1;
}

static const luaL_Reg methods[] = {
    METHOD(pipeline, ending), METHOD(pipeline, allow), METHOD(pipeline, is_allowed), {NULL, NULL}};

void lends_open(lua_State *L)
{
    add_methods(L, PIPELINE, methods);
}
