/* lprivate.c - what the accounts of the command lua-smtp ask of the system: a file, with what other
 * users may do to it, and the output of a program. Both may contain a password. */
#include "../port.h"
#include "../wipe.h"

#include "lsocket.h"

#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    FILE_LEN_MAX = 256 * 1024, /* bytes; thousands of accounts */
    OUTPUT_LEN_MAX = 64 * 1024 /* bytes; a token has a few thousand */
};

/* Reads until the end or until `max` bytes are there. Returns their number; -1: an error with
 * errno, EINTR for a signal that ends the command. */
static ssize_t read_all(int fd, char *bytes, size_t max)
{
    size_t len = 0;
    while (len < max) {
        ssize_t count = read(fd, bytes + len, max - len);
        if (count == 0) break;
        if (count > 0)
            len += (size_t)count;
        else if (errno != EINTR || lcommand_caught() != 0)
            return -1;
    }
    return (ssize_t)len;
}

static int push_errno(lua_State *L, int error)
{
    lua_pushnil(L);
    lua_pushstring(L, strerror(error));
    lua_pushinteger(L, error);
    return 3;
}

/* ---- files ---- */

/* What a file is, and its text; `error`: the errno of what failed, or 0. */
struct private_file {
    struct stat facts;
    ssize_t len;
    int error;
};

/* Opens a file for reading. A pipe without a writer does not block. Returns -1 with errno; for a
 * directory that this user may not search, that is ENOENT. */
static int open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 || errno != EACCES || access(path, F_OK) == 0) return fd;
    errno = ENOENT;
    return -1;
}

/* Reads a file. What other users may do is asked of the open file: the name may lead to another one
 * by now. Nothing here can raise, so that the file is closed in every case. */
static struct private_file read_file(const char *path, char *text)
{
    struct private_file file = {.len = -1};
    int fd = open_file(path);
    bool done = fd >= 0 && fstat(fd, &file.facts) == 0;
    if (done && S_ISREG(file.facts.st_mode)) {
        file.len = read_all(fd, text, FILE_LEN_MAX + 1);
        done = file.len >= 0;
    }
    if (!done) file.error = errno;
    if (fd >= 0) close(fd);
    return file;
}

/* Pushes the file as a table. Where a file has an access control list, the bits of the group are
 * what the list allows at most. */
static int push_file(lua_State *L, const struct private_file *file, const char *text)
{
    mode_t mode = file->facts.st_mode;
    uid_t owner = file->facts.st_uid;
    if (file->error != 0) return push_errno(L, file->error);
    if (!S_ISREG(mode)) return push_failure(L, "it is not a regular file");
    if (file->len > FILE_LEN_MAX) return push_failure(L, "it is larger than 256 KiB");
    lua_newtable(L);
    set_text(L, "text", text, (size_t)file->len);
    set_flag(L, "is_trusted", owner == geteuid() || owner == 0);
    set_flag(L, "others_write", (mode & (S_IWGRP | S_IWOTH)) != 0);
    set_flag(L, "others_read", (mode & (S_IRGRP | S_IROTH)) != 0);
    return 1;
}

static int command_read_private(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    char *text = new_secret(L, FILE_LEN_MAX + 1);
    struct private_file file = read_file(path, text);
    int count = push_file(L, &file, text);
    wipe(text, FILE_LEN_MAX + 1);
    return count;
}

/* ---- programs ---- */

/* Pushes the words of list 1 as the arguments of a program. */
static char **new_arguments(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t count = lcompat_rawlen(L, 1);
    luaL_argcheck(L, count >= 1 && count <= 1000, 1, "1 to 1000 words");
    char **words =
        memset(lua_newuserdata(L, (count + 1) * sizeof *words), 0, (count + 1) * sizeof *words);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (int)i + 1); /* the list keeps the string */
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "strings");
        words[i] = (char *)(uintptr_t)lua_tostring(L, -1); /* posix_spawnp changes nothing */
        lua_pop(L, 1);
    }
    return words;
}

/* Starts a program that writes to `output`. Its standard input is the terminal, or else empty: what
 * the command reads there is a message. Returns 0 or an errno. */
static int spawn(pid_t *child, char **words, int output)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return error;
    (void)signal(SIGCHLD, SIG_DFL); /* where it is ignored, the status of the program is lost */
    error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (error == 0 && isatty(STDIN_FILENO) == 0)
        error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0) error = posix_spawnp(child, words[0], &actions, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Waits for the end of a program, which a signal to the command ends as well. Pushes its output, or
 * nil and what went wrong. */
static int push_output(lua_State *L, pid_t child, const char *output, ssize_t len)
{
    int status = 0;
    pid_t ended;
    if (len < 0) (void)kill(child, SIGTERM);
    while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR)
        if (lcommand_caught() != 0) (void)kill(child, SIGTERM);
    if (len > OUTPUT_LEN_MAX) return push_failure(L, "it printed more than 64 KiB");
    if (len < 0 || ended < 0) return push_errno(L, errno);
    if (status == 0) return lua_pushlstring(L, output, (size_t)len), 1;
    lua_pushnil(L);
    if (WIFEXITED(status))
        lua_pushfstring(L, "its exit status was %d", WEXITSTATUS(status));
    else
        lua_pushfstring(L, "it was ended by signal %d", WTERMSIG(status));
    return 2;
}

static int command_output_of(lua_State *L)
{
    char **words = new_arguments(L);
    char *output = new_secret(L, OUTPUT_LEN_MAX + 1);
    int ends[2];
    pid_t child;
    if (port_pipe(ends) < 0) return push_errno(L, errno);
    for (int i = 0; i < 2; i++)
        (void)fcntl(ends[i], F_SETFL, 0); /* programs expect to wait */
    int error = spawn(&child, words, ends[1]);
    close(ends[1]);
    ssize_t len = error == 0 ? read_all(ends[0], output, OUTPUT_LEN_MAX + 1) : 0;
    close(ends[0]);
    int count = error == 0 ? push_output(L, child, output, len) : push_errno(L, error);
    wipe(output, OUTPUT_LEN_MAX + 1);
    return count;
}

static const luaL_Reg functions[] = {
    METHOD(command, read_private), METHOD(command, output_of), {NULL, NULL}};

void lprivate_open(lua_State *L)
{
    lcompat_setfuncs(L, functions);
}
