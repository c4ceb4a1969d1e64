/* lsmtp.h - what the files of the module smtp.core share. */
#ifndef LSMTP_H
#define LSMTP_H

#include "../io.h"
#include "../lbinding.h"
#include "../smtp.h"

#pragma GCC visibility push(hidden)

#define SESSION_CLASS "smtp.Session"
#define TRANSACTION   "smtp.Transaction"

/* lvalue.c: values of arguments and of the fields of table 1; values into the table on top. */
/* Returns the place of the word in the list, which ends with NULL; for nil, that of `otherwise`. */
int word_field(lua_State *L, const char *key, const char *otherwise, const char *const words[]);
/* Of options[key], which maps keywords to words: the extensions with this word. */
unsigned extensions_field(lua_State *L, const char *key, const char *word);
void push_integer(lua_State *L, size_t number);
void push_enhanced(lua_State *L, const uint16_t status[3]); /* "2.1.5" */
/* code, enhanced and text */
void set_answer(lua_State *L, const struct smtp_answer *answer);
int push_trouble(lua_State *L, const struct smtp_trouble *trouble);

/* loptions.c: read from table 1, which the session has to keep. */
void read_options(lua_State *L, struct smtp_options *o);
/* Of what core.options returned, at `index`; the session has to keep that. */
const struct smtp_options *to_options(lua_State *L, int index);
void push_grade(lua_State *L, const struct smtp_session *s);
int session_grade(lua_State *L);

/* lbuffer.c: pushes a buffer, and returns where its bytes go. */
char *push_buffer(lua_State *L, size_t max);
/* Where the bytes of the buffer at `index` go; NULL where it has less room, or is not there. */
char *buffer_room(lua_State *L, int index, size_t len);
/* The buffer contains so many bytes now. */
void buffer_fill(lua_State *L, int index, size_t len);
/* A piece of a message: a string, or what a buffer contains. */
struct smtp_text piece_arg(lua_State *L, int index);

/* lfacts.c */
/* Reads the facts in table 2, which the session has to keep. `room` is for a part of them. Returns
 * false where there is no table. */
bool read_resume(lua_State *L, struct smtp_facts *facts, struct smtp_answer *room);

/* lsession.c */
struct smtp_session *to_session(lua_State *L);
const char *want_word(const struct smtp_session *s);

/* In the session's user value: the transactions that are not over, each with its text; how many
 * were added since those that are over were removed; what session:carry sent last, and its text. */
enum { TRANSACTIONS = 1, ADDED, CARRIED, CARRIED_TEXT };

/* Keep the value at `index` alive as long as the userdata at 1, under `key`. */
void anchor(lua_State *L, const char *key, int index);

/* Queues the transaction at 2, whose text is at 3, in the session at 1. */
int session_add(lua_State *L);

/* ltransaction.c: pushes a transaction for so many recipients, with room for their addresses and
 * for what the server says: 512 octets and 96 for each recipient. It takes the place of the
 * transaction at `old`, if that is large enough; 0: there is none. */
struct smtp_transaction *push_transaction(lua_State *L, int old, size_t to_count, size_t words_len);
/* Where its addresses go. */
static inline char *words_of(struct smtp_transaction *m)
{
    return (char *)(m->to + m->to_count);
}
static inline char *put_word(char *at, struct smtp_text *text, struct smtp_text word)
{
    memcpy(at, word.data, word.len);
    *text = (struct smtp_text){at, word.len};
    return at + word.len;
}
int transaction_again(lua_State *L);
int transaction_may_be_sent(lua_State *L);

/* lraw.c: pushes the text and the transaction of a caller's own table at `t`, see core.transaction;
 * false: nothing. `known`: a sender whose address was read before, or NULL. `old`: where a
 * transaction is whose place it may take; 0: there is none. `id`: the identifier of a composed
 * message, in its text; empty for any other. */
bool push_plain(lua_State *L, int t, int words, int others, const struct smtp_text *known, int old,
                struct smtp_text *id);
/* That identifier, pushed; nil where it is empty. */
static inline void push_id(lua_State *L, struct smtp_text id)
{
    if (id.len > 0)
        lua_pushlstring(L, id.data, id.len);
    else
        lua_pushnil(L);
}

/* lletter.c: composes a letter with an identifier at the domain of `from`, and with the date of now
 * where it has none, and pushes it as the text. Returns false, with nothing pushed, where that
 * cannot be done here. It allocates nothing before it is composed. */
bool push_letter(lua_State *L, struct smtp_letter *letter, struct smtp_text from,
                 struct smtp_text *text);

/* loutcome.c */
int session_ending(lua_State *L);
struct smtp_transaction *to_transaction(lua_State *L);

/* lpipeline.c: of the pipeline at `index`. ENOUGH: half of its transactions are over (where it
 * drains: all of them, or one has failed), or its first one has begun. */
enum pipeline_news { NEWS_NONE, NEWS_SOME, NEWS_ENOUGH };
enum pipeline_news pipeline_news(lua_State *L, int index);

/* lends.c: may the message whose end is held back end without being asked for: see pipeline:allow.
 */
bool pipeline_may_end(lua_State *L, int index);

/* Ends an offer of pipeline:post; where `alive`, half of the window is taken of it first. Returns
 * how many. */
int pipeline_post_others(lua_State *L, int index, bool alive);

/* lflights.c: what session:flights does. One that waits for its socket while others have their turn
 * is kept after the memory of its session; `io` is NULL where there is none. */
struct flights {
    lua_State *L;
    struct smtp_session *s;
    struct smtp_io *io;
    struct smtp_clock clock;
    bool many;  /* there is a pipeline */
    bool hurry; /* a transaction is over: wait only for those that end at the same time */
    bool done;
    bool again; /* the socket said so: the caller gives way, and calls once more */
};
void flights_forget(struct flights *waiting);
double flights_now(void); /* seconds, of the clock of core.now */
/* What sock:io() returned, at `index`. */
struct smtp_io *io_arg(lua_State *L, int index);
/* One send, or one receive. Returns false where there is none, or where the loop in Lua has to go
 * on. */
bool flights_once(struct flights *f);
/* Where the socket said "again": it may go on while others have their turn. What eager flights find
 * out counts for all conversations, which only Lua can tell them; those do not. */
void flights_keep(const struct flights *f);
/* Hears what arrived on an idle connection. Returns what session:look does. */
bool flights_look(struct smtp_session *s, const struct smtp_io *io);
int session_flights(lua_State *L);
int session_look(lua_State *L);
int session_patience(lua_State *L);

/* What follows a session in its userdata. */
struct session_extra {
    struct flights waiting;
    const struct pipeline *pipeline; /* its own, or NULL */
    struct works *works;
    bool has_begun; /* a session:carry that has not returned has begun its message */
};
static inline struct session_extra *session_extra(struct smtp_session *s)
{
    return (struct session_extra *)(void *)((char *)s + smtp_session_size());
}

/* lwork.c: the working memory of the sessions of this Lua state. */
struct works *works_of(lua_State *L);
/* A session at `memory`, whose extra is there, starts, or ends wherever it is. */
void session_start(lua_State *L, void *memory, const struct smtp_options *options,
                   const struct smtp_facts *facts);
void session_end(lua_State *L, struct smtp_session *s);
/* The session is about to say or hear something; it may rest, or be over, now. */
void session_work(lua_State *L, struct smtp_session *s);
void session_rest(lua_State *L, struct smtp_session *s);
/* For a method that has the session say or hear something. */
struct smtp_session *to_working_session(lua_State *L);

/* The files that add functions to the table on top, and methods to classes, in this order. */
/* clang-format off */
#define CORE_FILES(X)                                                                              \
    X(loptions) X(lsession) X(lcarry) X(lauth) X(lfacts) X(ltransaction) X(loutcome) X(lreceipt)   \
    X(lpipeline) X(lends) X(ltaken) X(lbuffer) X(lencode) X(lletter) X(llimits) X(lheader)         \
    X(lpack) X(lwork)
/* clang-format on */
#define X(file) void file##_open(lua_State *L);
CORE_FILES(X)
#undef X

#pragma GCC visibility pop

#endif
