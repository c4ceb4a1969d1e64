/* lcommand.c - what only the command lua-smtp asks of the system: to be interrupted by signals, and
 * a password from the terminal. The library itself never calls this. */
#include "../port.h"
#include "../wipe.h"

#include "lsocket.h"

#include <signal.h>
#include <sys/select.h>
#include <termios.h>

enum { SECRET_LEN_MAX = 4096 }; /* bytes; a terminal gives no longer line (termios(3)) */

/* ---- signals ---- */

static const int interrupting[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
static lua_State *interrupted_state;
static volatile sig_atomic_t caught, only_noted;

/* Within a coroutine it waits for the coroutine's return, because the scheduler takes an error
 * there for the end of one job: the others would go on. (LuaJIT has one hook for all coroutines;
 * those that are made meanwhile inherit it.) */
static void interrupt(lua_State *L, lua_Debug *activation)
{
    (void)activation;
    if (L != interrupted_state) return;
    lua_sethook(L, NULL, 0, 0);
    (void)alarm(0);
    luaL_error(L, "interrupted by signal %d", (int)caught);
}

/* A signal that came just before a wait did not end it: an alarm does, every second until then. */
static void end_wait(int number)
{
    struct sigaction again = {.sa_handler = end_wait};
    (void)number;
    sigemptyset(&again.sa_mask);
    (void)sigaction(SIGALRM, &again, NULL);
    (void)alarm(1);
}

/* As the interpreter does for SIGINT: the next step of the Lua program raises an error. A wait that
 * the signal ends returns "again" to Lua before that. */
static void note_signal(int number)
{
    caught = number;
    if (only_noted) return;
    lua_sethook(interrupted_state, interrupt, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
    end_wait(0);
}

static int command_interruptible(lua_State *L)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND}, old;
    interrupted_state = L;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof interrupting / sizeof *interrupting; i++)
        /* What was ignored from the start stays so: nohup(1). */
        if (sigaction(interrupting[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(interrupting[i], &action, NULL);
    return 0;
}

int lcommand_caught(void)
{
    return caught;
}

/** socket.caught() -> the number of the signal that came, or nothing */
static int command_caught(lua_State *L)
{
    if (caught == 0) return 0;
    lua_pushinteger(L, caught);
    return 1;
}

/** socket.finish_first(on): while it is on, the first signal is only noted, so that the program can
 *  finish its work; the second one ends the process. Off: what was noted is forgotten. */
static int command_finish_first(lua_State *L)
{
    only_noted = lua_toboolean(L, 1);
    if (!only_noted) caught = 0;
    return 0;
}

/* ---- standard output ---- */

/** socket.output_failed() -> true if anything that was printed so far could not be written. */
static int command_output_failed(lua_State *L)
{
    lua_pushboolean(L, ferror(stdout) != 0);
    return 1;
}

/* ---- passwords ---- */

static void say(int terminal, const char *text)
{
    int fd = isatty(STDERR_FILENO) != 0 ? STDERR_FILENO : terminal;
    ssize_t written = write(fd, text, strlen(text));
    (void)written; /* the user sees no prompt, and can still type */
}

/* Waits for input. false: a signal came, before this or meanwhile. Signals arrive only while it
 * waits: one that came just before would not end the wait. */
static bool wait_for_input(int fd, const sigset_t *signals)
{
    sigset_t before;
    fd_set input;
    FD_ZERO(&input);
    FD_SET((unsigned short)fd, &input); /* C libraries differ in its type */
    if (sigprocmask(SIG_BLOCK, signals, &before) != 0) return false;
    bool ready = caught == 0 && pselect(fd + 1, &input, NULL, NULL, NULL, &before) > 0;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return ready;
}

/* The next line without its end: its length, or -1: the input is over or a signal came. Read byte
 * by byte: where the terminal is standard input, what follows is the message's. */
static ssize_t read_line(int fd, char *line, size_t max)
{
    size_t len = 0;
    char c;
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof interrupting / sizeof *interrupting; i++)
        sigaddset(&signals, interrupting[i]);
    for (;;) {
        if (!wait_for_input(fd, &signals)) return -1;
        ssize_t count = read(fd, &c, 1);
        if (count < 0 || (count == 0 && len == 0)) return -1;
        if (count == 0 || c == '\n') return (ssize_t)len;
        if (len < max) line[len++] = c;
    }
}

/* Echo is off, and so are the keys that would stop or kill the process before it is on again. */
static bool hide(int fd, struct termios *before)
{
    if (tcgetattr(fd, before) != 0) return false;
    struct termios quiet = *before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    quiet.c_lflag |= ICANON | ISIG;
    quiet.c_cc[VSUSP] = quiet.c_cc[VQUIT] = (cc_t)fpathconf(fd, _PC_VDISABLE);
    return tcsetattr(fd, TCSADRAIN, &quiet) == 0;
}

/* Asks at the terminal. Returns the length of the answer; -1: this is not a terminal. */
static ssize_t ask(int fd, const char *prompt, char *line)
{
    struct termios before;
    if (!hide(fd, &before)) return -1;
    say(fd, prompt);
    ssize_t len = read_line(fd, line, SECRET_LEN_MAX);
    (void)tcsetattr(fd, TCSANOW, &before); /* TCSADRAIN could be interrupted */
    say(fd, "\n");
    return len < 0 ? 0 : len;
}

static int command_read_secret(lua_State *L)
{
    const char *prompt = luaL_checkstring(L, 1);
    char *line = new_secret(L, SECRET_LEN_MAX);
    bool is_input = isatty(STDIN_FILENO) != 0; /* else it may be a message */
    int fd = is_input ? STDIN_FILENO : open("/dev/tty", O_RDWR | O_CLOEXEC);
    ssize_t len = fd < 0 || fd >= FD_SETSIZE ? -1 : ask(fd, prompt, line);
    if (!is_input && fd >= 0) close(fd);
    if (len < 0) return 0;
    lua_pushlstring(L, line, (size_t)len);
    wipe(line, SECRET_LEN_MAX);
    return 1;
}

static const luaL_Reg functions[] = {METHOD(command, interruptible), METHOD(command, caught),
                                     METHOD(command, finish_first),  METHOD(command, output_failed),
                                     METHOD(command, read_secret),   {NULL, NULL}};

void lcommand_open(lua_State *L)
{
    lcompat_setfuncs(L, functions);
}
