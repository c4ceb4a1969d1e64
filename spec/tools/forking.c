/* forking.c - fork and wait as functions of Lua, loaded by package.loadlib: they need no header of
 * Lua, because all that they return is their argument, or nothing. */
#include <sys/wait.h>
#include <unistd.h>

/* forking(true) -> true in the child, nothing in the parent */
int forking(void *lua);
/* waiting(): until a child has ended */
int waiting(void *lua);

int forking(void *lua)
{
    (void)lua;
    return fork() == 0 ? 1 : 0;
}

int waiting(void *lua)
{
    (void)lua;
    (void)wait(NULL);
    return 0;
}
