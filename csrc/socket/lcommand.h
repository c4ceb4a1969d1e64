/* lcommand.h - the part of smtp.socket that only the command lua-smtp calls. */
#ifndef LCOMMAND_H
#define LCOMMAND_H

#include "../lbinding.h"

#pragma GCC visibility push(hidden)

/** Adds to the module on top of the stack:
 *
 *  socket.interruptible(): from now on SIGINT, SIGTERM, SIGHUP and SIGPIPE raise an error in the
 *  main Lua state, once each; a second one ends the process as by default. A signal that was
 *  ignored before stays ignored.
 *
 *  socket.caught() -> the number of the signal that came last, nil: none.
 *
 *  socket.read_secret(prompt) -> a line that the user types without seeing it, "" where the input
 *  ended or a signal came; nil where standard input is not a terminal. The terminal is as it was
 *  when this returns, for whatever reason. */
void lcommand_open(lua_State *L);

#pragma GCC visibility pop

#endif
