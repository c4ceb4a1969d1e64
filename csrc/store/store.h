/* store.h - what the files of smtp.sqlite_store share.
 *
 * The module opens SQLite databases and runs statements on them. It has no SQL of its own but
 * ROLLBACK: the statements are constants of lua/smtp/outbox/, and values only ever reach them as
 * parameters.
 *
 * A database keeps each statement that it has prepared, in a table that is its user value: from the
 * text of the statement to the pointer, which is NULL while a call reads its rows. Closing the
 * database finalizes all of them. No other object holds a statement, so that none can outlive its
 * database. */
#ifndef STORE_H
#define STORE_H

#include "../port.h"

#include "../lbinding.h"

#include <sqlite3.h>

#pragma GCC visibility push(hidden)

#define DATABASE_CLASS "smtp.Database"

struct store_database {
    sqlite3 *handle; /* NULL: closed */
    pid_t owner;     /* SQLite forbids using a connection in a process that was forked */
    int readers;     /* calls that read rows; they may be interrupted by finalizers */
    bool is_closing; /* it was closed meanwhile: the last of them closes it */
};

/* Returns nil, a word and a sentence for a result of SQLite. `handle` may be NULL: its words are
 * then those of the code alone. `statement`, if any, is reset first: to push may run a finalizer,
 * which may use or close the database. */
int store_failure(lua_State *L, sqlite3 *handle, sqlite3_stmt *statement, int code);

/* Resets a statement, which keeps no pointer to a string of Lua's. */
void store_rest(sqlite3_stmt *statement);

/* Returns the open database that a method was called with, or NULL after pushing nil, a word and a
 * sentence. */
struct store_database *store_open_database(lua_State *L);

/* A call that reads rows is over. */
void store_end_reading(struct store_database *self);

/* statement.c: begins a call of a method that runs a statement: the database, the statement, and
 * the values for its parameters, the last of which is at `top` of the stack. Returns 0, or the
 * number of results of a failure. */
int store_begin(lua_State *L, int top, struct store_database **self, sqlite3_stmt **statement);

/* A call that reads rows takes its statement out of the table, so that a finalizer which runs
 * meanwhile makes one of its own for the same text. No garbage is collected between store_begin and
 * this. The arguments of the call are on the stack, here and when it gives the statement back. */
void store_take(lua_State *L);

/* The statement keeps no pointer to a string of Lua's. It is finalized where the table has another
 * one for its text by now, or the database was closed. */
void store_give_back(lua_State *L, struct store_database *self, sqlite3_stmt *statement);

void store_push_integer(lua_State *L, sqlite3_int64 value);

int database_run(lua_State *L);
int database_run_each(lua_State *L);

/* rows.c */
int database_rows(lua_State *L);
int database_records(lua_State *L);

#pragma GCC visibility pop

#endif
