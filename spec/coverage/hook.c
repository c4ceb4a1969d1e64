/* hook.c - A line hook for Lua: which lines of lua/ have run in any process.
 *
 * Each file of lua/ has a file of its name in FOLDER, "lua@smtp@safe.lua", with one byte for each
 * line. Processes map that and set the byte of a line that runs: so nothing is lost where one is
 * killed, forks, or becomes another program. Coroutines inherit a hook of C. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#define LINES_MAX    4096 /* of one file: the size of its file in FOLDER */
#define FILES_MAX    1024
#define NAME_MAX_LEN 100

int luaopen_hook(lua_State *L);

static struct file {
    char name[NAME_MAX_LEN + 1]; /* from "lua/smtp" on */
    unsigned char *lines;        /* NULL: is not in FOLDER */
} files[FILES_MAX];

static unsigned char *map_lines(const char *name)
{
    char path[sizeof FOLDER + 1 + NAME_MAX_LEN + 1];
    const int prefix_len = snprintf(path, sizeof path, "%s/", FOLDER);
    snprintf(path + prefix_len, sizeof path - (size_t)prefix_len, "%s", name);
    for (char *p = path + prefix_len; *p; p++)
        if (*p == '/') *p = '@';

    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return NULL;
    void *lines = mmap(NULL, LINES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return lines == MAP_FAILED ? NULL : lines;
}

/* The lines of the file that a chunk is from; NULL where that is not a file of lua/, or the list is
 * full. */
static unsigned char *lines_of(const char *source)
{
    if (source[0] != '@') return NULL;
    const char *name = strstr(source, "lua/smtp");
    if (!name || (name[-1] != '@' && name[-1] != '/') || strlen(name) > NAME_MAX_LEN) return NULL;

    size_t hash = 5381;
    for (const char *p = name; *p; p++)
        hash = hash * 33 + (unsigned char)*p;
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct file *file = &files[(hash + i) % FILES_MAX];
        if (!file->name[0]) memcpy(file->name, name, strlen(name) + 1);
        if (strcmp(file->name, name) != 0) continue;
        /* It is tried again: a spec may have taken all descriptors. */
        if (!file->lines) file->lines = map_lines(name);
        return file->lines;
    }
    return NULL;
}

static void note_line(lua_State *L, lua_Debug *ar)
{
    const int error = errno;
    lua_getinfo(L, "S", ar);
    unsigned char *lines = lines_of(ar->source);
    if (lines && ar->currentline > 0 && ar->currentline < LINES_MAX) lines[ar->currentline] = 1;
    errno = error;
}

static int start(lua_State *L)
{
    lua_sethook(L, note_line, LUA_MASKLINE, 0);
    return 0;
}

/* Starts. Where a program removes a hook of its own, this one is there again; programs do not see
 * it. */
int luaopen_hook(lua_State *L)
{
    start(L);
    if (luaL_loadstring(L, "local start, set, get = ..., debug.sethook, debug.gethook\n"
                           "function debug.sethook(...)\n"
                           "   set(...)\n"
                           "   if select('#', ...) < 2 then start() end\n"
                           "end\n"
                           "function debug.gethook(...)\n"
                           "   if get(...) ~= 'external hook' then return get(...) end\n"
                           "end") != 0)
        return lua_error(L);
    lua_pushcfunction(L, start);
    lua_call(L, 1, 0);
    return 0;
}
