/* limit.c - what SQLite itself needs for puts: the statements of lua/smtp/outbox/sqlite_put.lua in
 * a loop. See spec/bench/outbox/run.
 *
 * limit STORE COUNT [EACH]: puts so many messages of 1 KiB into a store that smtp.outbox has made,
 * each in a transaction of its own, or so many in each, and prints the seconds that it took, by the
 * clock and of the processor. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static sqlite3 *db;

static void check(int ok)
{
    if (ok) return;
    fprintf(stderr, "limit: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement;
    check(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) ==
          SQLITE_OK);
    return statement;
}

static void run(sqlite3_stmt *statement)
{
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        continue;
    check(code == SQLITE_DONE);
    sqlite3_reset(statement);
}

static void text(sqlite3_stmt *statement, int at, const char *value, int len)
{
    check(sqlite3_bind_text(statement, at, value, len, SQLITE_STATIC) == SQLITE_OK);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 1;
    check(sqlite3_open(argv[1], &db) == SQLITE_OK);
    run(prepare("PRAGMA synchronous = FULL"));
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT");
    sqlite3_stmt *insert =
        prepare("INSERT INTO messages (outbox, id, due, created, since, size, facts, recipients, "
                "addresses, body) VALUES (?, ?, ?, ?, ?, ?, CAST(? AS BLOB), CAST(? AS BLOB), ?, "
                "CAST(? AS BLOB)) ON CONFLICT (outbox, id) DO NOTHING");
    sqlite3_stmt *enter = prepare("INSERT INTO queue (outbox, due, number) VALUES (?, ?, ?)");
    static char octets[1024], facts[80], recipients[60], id[40];
    memset(octets, 'x', sizeof octets);
    memset(facts, 'f', sizeof facts);
    memset(recipients, 'r', sizeof recipients);
    double started = now();
    long count = strtol(argv[2], NULL, 10), each = argc > 3 ? strtol(argv[3], NULL, 10) : 1;
    for (long i = 0; i < count; i++) {
        int id_len =
            snprintf(id, sizeof id, "%08x%024lx", 1796065842, (unsigned long)i * 2654435761UL);
        if (i % each == 0) run(begin);

        text(insert, 1, "outbox", -1);
        text(insert, 2, id, id_len);
        for (int at = 3; at <= 6; at++)
            sqlite3_bind_int64(insert, at, 1796065842);
        text(insert, 7, facts, sizeof facts);
        text(insert, 8, recipients, sizeof recipients);
        text(insert, 9, "\nbob@there.example\n", -1);
        text(insert, 10, octets, sizeof octets);
        run(insert);
        text(enter, 1, "outbox", -1);
        sqlite3_bind_int64(enter, 2, 1796065842);
        sqlite3_bind_int64(enter, 3, sqlite3_last_insert_rowid(db));
        run(enter);
        if (i % each == each - 1 || i == count - 1) run(commit);
    }
    printf("%.6f %.6f\n", now() - started, (double)clock() / CLOCKS_PER_SEC);
    return 0;
}
