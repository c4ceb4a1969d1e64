/* io.h - how smtp.socket lends a connection to smtp.core, so that flights go to and fro without Lua
 * between them. */
#ifndef SMTP_IO_H
#define SMTP_IO_H

#include <stdbool.h>
#include <stddef.h>

/** As sock:send and sock:receiveany: NULL, or a word that means "ask the socket itself, which will
 *  say it again". */
struct smtp_io {
    void *socket;
    const char *(*send)(void *socket, const char *data, size_t len, int timeout_ms, size_t *sent);
    /** *data is valid until the next call. */
    const char *(*receive)(void *socket, int timeout_ms, const char **data, size_t *len);
    /** For socket.wait, where a flight waits for the socket, or NULL: goes on with it. Returns
     * whether it waits again, so that nothing else has to know. */
    bool (*go_on)(void *flight);
    /** Where `go_on` is set: the flight no longer waits for the socket. */
    void (*forget)(void *flight);
    void *flight;
};

/** Ends the wait of a flight, if there is one: the connection ends, or another flight waits. */
static inline void smtp_io_release(struct smtp_io *io)
{
    if (io->go_on != NULL) io->forget(io->flight);
    io->go_on = NULL;
}

#endif
