/* lsocket.h - what the files of the modules smtp.socket and smtp.tls share. */
#ifndef LSOCKET_H
#define LSOCKET_H

#include "../lbinding.h"
#include "socket.h"

#include <dlfcn.h>

#pragma GCC visibility push(hidden)

#define SOCKET "smtp.Socket"

/* A field of that class, by which smtp.tls sees that both modules are of one version: files may
 * have been replaced while the process runs. */
#define LAYOUT_FIELD "layout"
enum { SOCKET_LAYOUT = sizeof(struct smtp_socket) + sizeof(struct tls_calls) };

static inline struct smtp_socket *to_socket(lua_State *L, int index)
{
    return index == 1 ? self_arg(L, SOCKET) : luaL_checkudata(L, index, SOCKET);
}

/* Returns true where `word` is NULL, else nil, word and text. */
static inline int push_result(lua_State *L, const char *word, const char *text)
{
    if (word == NULL) {
        lua_pushboolean(L, 1);
        return 1;
    }
    push_failure(L, word);
    lua_pushstring(L, text);
    return 3;
}

/* The module of this function stays in memory when its Lua state ends. */
static inline void prevent_unloading(lua_CFunction function)
{
    Dl_info self;
    if (dladdr((void *)(size_t)function, &self) != 0)
        (void)dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE | RTLD_NOLOAD);
}

/* lcommand.c: the part of smtp.socket that only the command lua-smtp calls. */
/** Adds to the module on top of the stack:
 *
 *  socket.interruptible(): from now on SIGINT, SIGTERM, SIGHUP and SIGPIPE raise an error in the
 *  main Lua state, once each; a second one ends the process as by default. A signal that was
 *  ignored before stays ignored.
 *
 *  socket.caught() -> the number of the signal that came last, nil: none.
 *  socket.output_failed() -> true: what was printed could not be written.
 *
 *  socket.read_secret(prompt) -> a line that the user types without seeing it, "" where the input
 *  ended or a signal came; nil where there is no terminal. The terminal is standard input, or else
 *  the one that controls the process. It is as it was when this returns, for whatever reason. */
void lcommand_open(lua_State *L);
/* Returns what socket.caught returns, 0 for nil. */
int lcommand_caught(void);

/* lprivate.c: */
/** Adds to the module on top of the stack:
 *
 *  socket.read_private(path) -> { text =, is_trusted = the owner is this user or root,
 *  others_write =, others_read = may other users than the owner do so? }, or nil, why not, errno
 *  where the system said why.
 *
 *  socket.output_of(words) -> what a program printed, words[1] with the others as its arguments;
 *  nil and why not, also where its exit status is not 0. It is run without a shell, and its
 *  standard error is that of this process. */
void lprivate_open(lua_State *L);

/* lmailbox.c: */
/** Adds to the module on top of the stack; each returns nil and why not after a failure:
 *
 *  socket.make_folder(path) -> true. The folder is for this user alone; it may exist.
 *
 *  socket.write_new(path, data) -> true: a file for this user alone contains the data, and has been
 *  written to the disk. A file that exists is never replaced; after a failure there is no new one.
 *
 *  socket.microseconds() -> microseconds since 1970.
 *
 *  socket.keep_descriptor(fd) -> true: this process inherited the descriptor and may write to it.
 *  Programs that this process runs do not inherit it.
 *
 *  socket.tell_descriptor(fd, text) -> true: the text was written, and the descriptor is closed. */
void lmailbox_open(lua_State *L);

/* lpoller.c: */
/** Adds to the module on top of the stack: socket.awaited and socket.poller, which are described
 *  there. */
void lpoller_open(lua_State *L);

#pragma GCC visibility pop

#endif
