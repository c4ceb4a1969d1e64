/* faults.c - a machine that fails where a spec says so: preloaded, and also a module of Lua.
 *
 * The wrappers count the calls of libc that the library, OpenSSL, SQLite and Lua make. The plan
 * names a function, the callers that are meant, which of their calls fail, and how. What libc calls
 * by itself is not seen. */
#include "faults.h"

#include <lauxlib.h>
#include <lua.h>

#include <dlfcn.h>
#include <link.h>
#include <sys/wait.h>

int luaopen_faults(lua_State *L);

/* ---- whose call it is ---- */

static const char *const caller_names[] = {"own", "openssl", "sqlite", "lua", "others"};
enum { OWN, OPENSSL, SQLITE, LUA, OTHERS, CALLERS };

enum { RANGES_MAX = 64 };

static struct {
    uintptr_t from, to;
    int caller;
} ranges[RANGES_MAX];
static int range_count;

static int caller_of(const char *file)
{
    if (file[0] == '\0' || strstr(file, "liblua") != NULL) return LUA; /* the program */
    if (strstr(file, "/smtp/") != NULL && strstr(file, ".so") != NULL) return OWN;
    if (strstr(file, "libcrypto") != NULL || strstr(file, "libssl") != NULL) return OPENSSL;
    return strstr(file, "libsqlite3") != NULL ? SQLITE : OTHERS;
}

static int note_range(struct dl_phdr_info *info, size_t size, void *address)
{
    uintptr_t at = (uintptr_t)address;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        uintptr_t to = from + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type != PT_LOAD || at < from || at >= to) continue;
        range_count %= RANGES_MAX;
        ranges[range_count].from = from;
        ranges[range_count].to = to;
        ranges[range_count++].caller = caller_of(info->dlpi_name);
        return 1;
    }
    return 0;
}

static int caller_at(void *address)
{
    uintptr_t at = (uintptr_t)address;
    for (int tries = 0; tries < 2; tries++) {
        for (int i = 0; i < range_count; i++)
            if (at >= ranges[i].from && at < ranges[i].to) return ranges[i].caller;
        (void)dl_iterate_phdr(note_range, address);
    }
    return OTHERS;
}

/* ---- the plan ---- */

static const char *const way_names[] = {"errno", "result", "short", "jump", NULL};
static const char *const call_names[] = {
#define X(name) #name,
    CALL_NAMES(X)
#undef X
        NULL};

static struct {
    int call, way;
    unsigned callers;       /* bits */
    long first, last, seen; /* the calls that fail */
    long number, struck;
} plan;

static long counts[CALLS][CALLERS];
static bool is_armed;

bool faults_strike(int call, void *caller_address)
{
    if (!is_armed) return false;
    int caller = caller_at(caller_address);
    (void)__atomic_add_fetch(&counts[call][caller], 1, __ATOMIC_SEQ_CST);
    if (call != plan.call || (plan.callers >> caller & 1) == 0) return false;
    long seen = __atomic_add_fetch(&plan.seen, 1, __ATOMIC_SEQ_CST);
    if (seen < plan.first || seen > plan.last) return false;
    (void)__atomic_add_fetch(&plan.struck, 1, __ATOMIC_SEQ_CST);
    errno = (int)plan.number;
    return true;
}

int faults_way(void)
{
    return plan.way;
}

long faults_number(void)
{
    return plan.number;
}

/* ---- the module ---- */

/* { "own recv" = 3, … } */
static void push_counts(lua_State *L)
{
    lua_newtable(L);
    for (int call = 0; call < CALLS; call++)
        for (int caller = 0; caller < CALLERS; caller++) {
            if (counts[call][caller] == 0) continue;
            lua_pushfstring(L, "%s %s", caller_names[caller], call_names[call]);
            lua_pushnumber(L, (lua_Number)counts[call][caller]);
            lua_rawset(L, -3);
        }
}

/** faults.arm(callers, call, way, number, first, last): the calls from `first` to `last` fail;
 *  without arguments, calls are only counted */
static int arm(lua_State *L)
{
    memset(&plan, 0, sizeof plan);
    memset(counts, 0, sizeof counts);
    plan.call = CALLS;
    if (lua_gettop(L) > 0) {
        const char *callers = luaL_checkstring(L, 1);
        for (int i = 0; i < CALLERS; i++)
            if (strstr(callers, caller_names[i]) != NULL) plan.callers |= 1U << i;
        plan.call = luaL_checkoption(L, 2, NULL, call_names);
        plan.way = luaL_checkoption(L, 3, NULL, way_names);
        plan.number = (long)luaL_checknumber(L, 4);
        plan.first = (long)luaL_checknumber(L, 5);
        plan.last = (long)luaL_checknumber(L, 6);
    }
    is_armed = true;
    return 0;
}

/** faults.disarm() -> how many calls failed; the number of all calls by "caller name" */
static int disarm(lua_State *L)
{
    is_armed = false;
    lua_pushnumber(L, (lua_Number)plan.struck);
    push_counts(L);
    return 2;
}

/** faults.fork(seconds) -> the child's number; 0 in the child, which ends after so many seconds */
static int fork_child(lua_State *L)
{
    unsigned seconds = (unsigned)luaL_checknumber(L, 1);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) (void)alarm(seconds);
    lua_pushnumber(L, (lua_Number)child);
    return 1;
}

/** faults.wait(child) -> its exit status, or nil and the signal that ended it */
static int wait_child(lua_State *L)
{
    int status = 0;
    (void)waitpid((pid_t)luaL_checknumber(L, 1), &status, 0);
    if (WIFEXITED(status)) return lua_pushnumber(L, WEXITSTATUS(status)), 1;
    lua_pushnil(L);
    lua_pushnumber(L, WTERMSIG(status));
    return 2;
}

/** faults.descriptors() -> how many are open */
static int descriptors(lua_State *L)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    lua_pushnumber(L, count);
    return 1;
}

static const luaL_Reg functions[] = {
    {"arm", arm},         {"disarm", disarm},           {"fork", fork_child},
    {"wait", wait_child}, {"descriptors", descriptors}, {NULL, NULL}};

#define E(name)                                                                                    \
    {                                                                                              \
#name, (double)(long)name                                                                  \
    }
static const struct {
    const char *name;
    double number;
} numbers[] = {
    E(EACCES),     E(EADDRINUSE),   E(EADDRNOTAVAIL), E(EAFNOSUPPORT), E(EAGAIN),
    E(EBADF),      E(ECHILD),       E(ECONNABORTED),  E(ECONNREFUSED), E(ECONNRESET),
    E(EDQUOT),     E(EEXIST),       E(EFBIG),         E(EHOSTUNREACH), E(EINTR),
    E(EINVAL),     E(EIO),          E(EISDIR),        E(ELOOP),        E(EMFILE),
    E(EMSGSIZE),   E(ENAMETOOLONG), E(ENETDOWN),      E(ENETUNREACH),  E(ENFILE),
    E(ENOBUFS),    E(ENODEV),       E(ENOENT),        E(ENOEXEC),      E(ENOLCK),
    E(ENOMEM),     E(ENOPROTOOPT),  E(ENOSPC),        E(ENOSYS),       E(ENOTCONN),
    E(ENOTDIR),    E(EOPNOTSUPP),   E(EOVERFLOW),     E(EPERM),        E(EPIPE),
    E(EPROTO),     E(EROFS),        E(ETIMEDOUT),     E(ETXTBSY),      E(EXDEV),
    E(EAI_AGAIN),  E(EAI_BADFLAGS), E(EAI_FAIL),      E(EAI_FAMILY),   E(EAI_MEMORY),
    E(EAI_NODATA), E(EAI_NONAME),   E(EAI_SERVICE),   E(EAI_SOCKTYPE), E(EAI_SYSTEM),
    E(EDEADLK),
};

int luaopen_faults(lua_State *L)
{
    lua_newtable(L);
    for (const luaL_Reg *one = functions; one->name != NULL; one++) {
        lua_pushcfunction(L, one->func);
        lua_setfield(L, -2, one->name);
    }
    lua_newtable(L);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        lua_pushnumber(L, numbers[i].number);
        lua_setfield(L, -2, numbers[i].name);
    }
    lua_setfield(L, -2, "numbers");
    return 1;
}

/* ---- a program of its own ---- */

static const char *log_path;

static int number_of(const char *name, const char *const *names)
{
    int number = 0;
    while (names[number] != NULL && strcmp(names[number], name) != 0)
        number++;
    return number;
}

/* FAULTS="own lua,recv,errno,104,3,3": as for faults.arm, from the start of a program, which writes
 * to the file FAULTS_LOG what it has counted. */
__attribute__((constructor)) static void begin(void)
{
    char callers[64], call[32], way[16];
    const char *text = getenv("FAULTS");
    log_path = getenv("FAULTS_LOG");
    if (text == NULL) return;
    int found = sscanf(text, "%63[^,],%31[^,],%15[^,],%ld,%ld,%ld", callers, call, way,
                       &plan.number, &plan.first, &plan.last);
    plan.call = found == 6 ? number_of(call, call_names) : CALLS;
    if (found == 6) plan.way = number_of(way, way_names);
    for (int i = 0; i < CALLERS; i++)
        if (strstr(text, caller_names[i]) != NULL) plan.callers |= 1U << i;
    unsetenv("FAULTS"); /* programs that it runs are none of the plan's */
    unsetenv("FAULTS_LOG");
    is_armed = true;
}

__attribute__((destructor)) static void end(void)
{
    is_armed = false;
    FILE *log = log_path != NULL ? fopen(log_path, "w") : NULL;
    if (log == NULL) return;
    for (int call = 0; call < CALLS; call++)
        for (int caller = 0; caller < CALLERS; caller++)
            if (counts[call][caller] > 0)
                fprintf(log, "%s %s %ld\n", caller_names[caller], call_names[call],
                        counts[call][caller]);
    fprintf(log, "struck it %ld\n", plan.struck);
    fclose(log);
}
