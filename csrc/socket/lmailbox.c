/* lmailbox.c - what the command `lua-smtp sink` asks of the system: a file for each message, and
 * the descriptor by which another program learns that the sink is ready. The library itself never
 * calls this. */
#include "../port.h"

#include "lsocket.h"

#include <sys/stat.h>

static int push_errno(lua_State *L, int error)
{
    return push_failure(L, strerror(error));
}

/* Returns 0 or errno. */
static int write_all(int fd, struct smtp_text text)
{
    while (text.len > 0) {
        ssize_t count = write(fd, text.data, text.len);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno;
        text.data += count;
        text.len -= (size_t)count;
    }
    return 0;
}

static int mailbox_make_folder(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct stat s;
    int error = mkdir(path, S_IRWXU) == 0 ? 0 : errno;
    if (error == EEXIST && stat(path, &s) == 0) error = S_ISDIR(s.st_mode) ? 0 : ENOTDIR;
    if (error != 0) return push_errno(L, error);
    lua_pushboolean(L, true);
    return 1;
}

static int mailbox_write_new(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct smtp_text text = text_arg(L, 2);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) return push_errno(L, errno);
    int error = write_all(fd, text);
    if (error == 0 && fsync(fd) != 0) error = errno;
    if (close(fd) != 0 && error == 0) error = errno;
    if (error != 0) {
        (void)unlink(path);
        return push_errno(L, error);
    }
    lua_pushboolean(L, true);
    return 1;
}

static int mailbox_microseconds(lua_State *L)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    lua_pushnumber(L, (lua_Number)now_us);
    return 1;
}

static int mailbox_keep_descriptor(lua_State *L)
{
    int fd = (int)lcompat_count(L, 1, INT32_MAX);
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY)
        return push_failure(L, "it is not for writing");
    if (flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return push_errno(L, errno);
    lua_pushboolean(L, true);
    return 1;
}

static int mailbox_tell_descriptor(lua_State *L)
{
    int fd = (int)lcompat_count(L, 1, INT32_MAX);
    int error = write_all(fd, text_arg(L, 2));
    if (close(fd) != 0 && error == 0) error = errno;
    if (error != 0) return push_errno(L, error);
    lua_pushboolean(L, true);
    return 1;
}

static const luaL_Reg functions[] = {
    METHOD(mailbox, make_folder),     METHOD(mailbox, write_new),
    METHOD(mailbox, microseconds),    METHOD(mailbox, keep_descriptor),
    METHOD(mailbox, tell_descriptor), {NULL, NULL}};

void lmailbox_open(lua_State *L)
{
    lcompat_setfuncs(L, functions);
}
