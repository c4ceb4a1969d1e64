/* database.c - smtp.sqlite_store: databases of SQLite, opened and closed. */
#include "store.h"

#include <stdio.h>
#include <sys/stat.h>

enum { BUSY_MS_MAX = 600000, SENTENCE_MAX = 512 };

/* ---- failures ---- */

/* The word for a result; extended codes have been reduced to their primary one. */
static const char *word_of(int code)
{
    static const struct {
        int code;
        const char *word;
    } words[] = {
        {SQLITE_BUSY, "busy"},      {SQLITE_LOCKED, "busy"},
        {SQLITE_FULL, "full"},      {SQLITE_CORRUPT, "corrupt"},
        {SQLITE_NOTADB, "corrupt"}, {SQLITE_READONLY, "readonly"},
        {SQLITE_CANTOPEN, "path"},  {SQLITE_PERM, "path"},
        {SQLITE_AUTH, "path"},      {SQLITE_NOMEM, "memory"},
        {SQLITE_IOERR, "io"},       {SQLITE_TOOBIG, "toobig"},
        {SQLITE_PROTOCOL, "busy"},  {SQLITE_CONSTRAINT, "constraint"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].code == code) return words[i].word;
    return "sqlite";
}

static int push_trouble(lua_State *L, const char *word, const char *sentence)
{
    lua_pushnil(L);
    lua_pushstring(L, word);
    lua_pushstring(L, sentence);
    return 3;
}

int store_failure(lua_State *L, sqlite3 *handle, sqlite3_stmt *statement, int code)
{
    char sentence[SENTENCE_MAX];
    (void)snprintf(sentence, sizeof sentence, "%s",
                   handle != NULL ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
    if (statement != NULL) store_rest(statement);
    return push_trouble(L, word_of(code & 0xff), sentence);
}

struct store_database *store_open_database(lua_State *L)
{
    struct store_database *self = self_arg(L, DATABASE_CLASS);
    if (self->handle == NULL || self->is_closing)
        (void)push_trouble(L, "closed", "the database is closed");
    else if (self->owner != getpid())
        (void)push_trouble(L, "forked", "the database was opened before this process was forked");
    else
        return self;
    return NULL;
}

/* ---- opening ---- */

/* Makes a file that only its owner can read: mail is private. SQLite gives the files beside it the
 * same permissions. A file that exists is left alone: to close it here would drop the locks that
 * this process may hold on it (fcntl(2)). */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd >= 0) (void)close(fd);
}

static int open_handle(struct store_database *self, const char *path, int busy_ms)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &self->handle, flags, NULL);
    self->owner = getpid();
    if (code == SQLITE_OK) code = sqlite3_extended_result_codes(self->handle, 1);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(self->handle, busy_ms);
    return code;
}

static void finalize_all(sqlite3 *handle)
{
    sqlite3_stmt *statement;
    while ((statement = sqlite3_next_stmt(handle, NULL)) != NULL)
        (void)sqlite3_finalize(statement);
}

/* A process that was forked leaves the connection to the process that opened it. */
static void close_handle(struct store_database *self)
{
    sqlite3 *handle = self->handle;
    self->handle = NULL;
    if (handle == NULL || self->owner != getpid()) return;
    finalize_all(handle);
    (void)sqlite3_close(handle);
}

void store_end_reading(struct store_database *self)
{
    if (--self->readers == 0 && self->is_closing) close_handle(self);
}

/** sqlite_store.open(path, busy_ms) -> database | nil, word, sentence. A statement that finds the
 *  database locked waits for up to `busy_ms`. */
static int store_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    int busy_ms = (int)lcompat_count(L, 2, BUSY_MS_MAX);
    struct store_database *self = new_object(L, DATABASE_CLASS, sizeof *self);
    lua_newtable(L);
    lua_setuservalue(L, -2);
    make_private(path);
    int code = open_handle(self, path, busy_ms);
    if (code == SQLITE_OK) return 1;
    int count = store_failure(L, self->handle, NULL, code);
    close_handle(self);
    return count;
}

/** database:close() */
static int database_close(lua_State *L)
{
    struct store_database *self = self_arg(L, DATABASE_CLASS);
    lua_newtable(L);
    lua_setuservalue(L, 1); /* what it had prepared is gone */
    self->is_closing = self->readers > 0;
    if (!self->is_closing) close_handle(self);
    return 0;
}

/** database:rollback() -> false: a transaction is still open. Ends one, if it is open, without its
 *  changes. That takes memory, which SQLite may not have; to close the database takes none. It
 *  needs no memory of Lua's: it is called after errors, where that may be the cause. */
static int database_rollback(lua_State *L)
{
    const struct store_database *self = self_arg(L, DATABASE_CLASS);
    bool is_usable = self->handle != NULL && self->owner == getpid();
    if (is_usable && !sqlite3_get_autocommit(self->handle))
        (void)sqlite3_exec(self->handle, "ROLLBACK", NULL, NULL, NULL);
    lua_pushboolean(L, !is_usable || sqlite3_get_autocommit(self->handle));
    return 1;
}

static int database_gc(lua_State *L)
{
    close_handle(lua_touserdata(L, 1));
    return 0;
}

static const luaL_Reg methods[] = {METHOD(database, run),
                                   METHOD(database, run_each),
                                   METHOD(database, rows),
                                   METHOD(database, records),
                                   METHOD(database, rollback),
                                   METHOD(database, close),
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {METHOD(store, open), {NULL, NULL}};

LCOMPAT_OPEN(sqlite_store)
{
    new_class(L, DATABASE_CLASS, methods, database_gc);
    lcompat_newlib(L, functions);
    set_string(L, "version", sqlite3_libversion());
    lua_pushboolean(L, sqlite3_threadsafe() != 0);
    lua_setfield(L, -2, "is_threadsafe");
    return 1;
}
