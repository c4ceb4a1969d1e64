/* smtp.h - an SMTP client that does no I/O of its own.
 *
 * A session is the client's side of one conversation with one server. It opens no socket,
 * allocates nothing, never waits and never reads a clock. It is a state machine between two
 * streams of bytes: smtp_recv takes what the server sent, smtp_send_buf has what the server is to
 * be sent. A driver connects the session to a network. lua/smtp/client/loop.lua is a driver for
 * every transport; csrc/lua/lflights.c does the same in C where the socket is one of this library.
 *
 * The driver's loop
 *
 *   The driver asks smtp_wants, does the most urgent of the things wanted, reports the result, and
 *   asks again. SEND: write smtp_send_buf to the network, then smtp_send_ack. RECV: read, then
 *   smtp_recv. TLS, SECRET, ANSWER and BODY need something that only the caller has: a handshake,
 *   a password, a SASL answer, the next piece of a message. END, with the option `hold_ends`: the
 *   caller's word that a message may end. READY: the session rests between two transactions, and
 *   takes a transaction, a question, or smtp_quit. NOTHING: the conversation is over. How long the
 *   driver may wait is defined by smtp_patience.
 *
 *   The cuts between two pieces, in either direction and in the message, have no meaning: byte by
 *   byte gives the same conversation as all at once.
 *
 * A conversation
 *
 *   greeting, EHLO (or HELO), STARTTLS and a second EHLO, AUTH, then any number of transactions,
 *   and QUIT. STARTTLS and AUTH follow a policy: SKIP, PREFER or REQUIRE. What the server offered
 *   before TLS is forgotten when TLS begins, because an attacker may have written it.
 *
 *   A transaction is one message on its way: MAIL, a RCPT for each recipient, DATA, the text and
 *   the lone dot; or BDAT and the octets where the server offers CHUNKING. The caller owns the
 *   struct, queues it with smtp_transaction_add, and reads the result once `over` is set. A
 *   transaction that cannot succeed with this server (too large, an extension that is not offered)
 *   ends before MAIL, and nothing of it is sent.
 *
 * Flights
 *
 *   A flight is what is said without waiting for answers. Without PIPELINING (RFC 2920) each
 *   command waits for the answer to the one before. With it, MAIL, all RCPT and DATA are one
 *   flight: the session writes them into its output buffer one after the other, so that they leave
 *   in one write, and the answers arrive in one read. Some things always end a flight: a command
 *   whose answer decides what comes next (EHLO, STARTTLS, AUTH, DATA, the end of a message), 100
 *   RCPT commands, the option `window`, a full buffer.
 *
 *   So a command is in one of three states: said (it is in the output buffer), sent (it has left),
 *   answered. The session keeps all that is said and not answered in the order in which it was
 *   said. A server answers in the same order; the only key of an answer is its place in that
 *   order. Therefore an answer that comes while nothing is due, or that begins before its command
 *   has been sent, ends the session: it would shift every later answer by one, and a message would
 *   be taken for accepted that was not.
 *
 * Grades of pipelining
 *
 *   RFC 2920 3.1 also lets the next transaction begin while the answer to the end of a message is
 *   due. This saves a round trip for each message, but many servers fail there: they lose the
 *   commands, read them as text, or reject a client that speaks early. So there are three grades.
 *   SAFE says nothing after the end of a message. EAGER goes past it: RSET, MAIL, RCPT and DATA of
 *   the next transaction follow at once, and so on, up to flight_max messages and
 *   SMTP_EAGER_LEN_MAX bytes without an answer. TRY is for the first messages to a server that is
 *   not known: it says the next envelope but not its DATA, and becomes EAGER when a message that
 *   followed another one in this way has been accepted. It says that envelope together with the
 *   end or after its answer, because a server that reads the end alone shows nothing. The RSET
 *   between two messages is a precaution: were the first one refused, some servers would go on
 *   with its sender. A session that is set to SAFE meanwhile waits, before it says more, for the
 *   answers to what it has said after an end. If the conversation fails after the end of a
 *   message, smtp_eager_failed is true, the messages that were not the cause are `bystander`s, and
 *   the caller sends them again with SAFE. LMTP is always SAFE, since it has one answer for each
 *   accepted recipient (RFC 2033 4.2), and how many these are is not known in advance.
 *
 * Chunks ahead
 *
 *   With `chunks_ahead`, TRY and EAGER also let the BDAT of a message that is in memory follow its
 *   RCPT at once, so that a message costs one round trip; in EAGER the flight goes on with the next
 *   ones. First the server has to show, on this connection, after TLS and AUTH, that it consumes a
 *   chunk that it refuses. For this it is sent a harmless one, outside a transaction: "BDAT 6" CR
 * LF "QUIT" CR LF, and RSET. A server that consumes the six octets answers 503 and 250. One that
 *   runs them as commands answers 221 in the place of that 250, and closes the connection before it
 *   could read more. The chunk rides with the first MAIL, whose own BDAT waits as in SAFE; it goes
 *   alone where the caller opens a connection before there is a message, and not at all where one
 *   message is all there will be. If the session ends before the 250, smtp_status.chunk_failed is
 *   true, and the caller opens another one without `chunks_ahead`. After the 250 the server owes
 *   one answer to each chunk, also to one for which it accepted no recipient, and the RSET that
 *   follows a refusal shows whether that was all.
 *
 * Ends that are held back
 *
 *   With `hold_ends`, the octets that end a message wait until smtp_end_allow: the dot and its line
 *   end, or the last octet of the last chunk. smtp_send_buf contains neither them nor anything said
 *   after them. END is wanted once the text before them has left, but for SMTP_HELD_LEN_MAX octets
 *   at most, so that a short text and its end leave in one write. So the caller can first store
 *   that this message is about to be delivered: after a crash, a message without such a mark is at
 *   no server. Where the caller does not allow the end, it breaks the session, and the verdict is
 *   UNSENT. The text of a message is only said when everything before it was answered, and the
 *   recipients that the server has accepted are known by then. A lone dot, said where the envelope
 *   was refused and the server asks for the message all the same, is not held: it ends no message.
 *
 *   With smtp_end_ahead the caller says of a transaction that it has stored this already, for all
 *   recipients. With `chunks_ahead`, its chunk then goes ahead of the answers, and what follows it
 *   is said as well, but waits. Each end is allowed by itself, in order: what made the caller sure
 *   may have changed when the end is due. An end waits although its envelope was refused meanwhile,
 *   because a server may take the message all the same.
 *
 * What is never said after what
 *
 *   - DATA while answers to RCPT are due, if `all` recipients or none are to get the message:
 *     after 354 only the message, or breaking the connection, can follow.
 *   - BDAT while any answer is due, unless the server consumes chunks that it refuses. Some servers
 *     that have accepted no recipient, or refuse a chunk, read its octets as commands: a message
 *     would become an attack on its own server.
 *   - A transaction after a last chunk, before the server has accepted or consumed one chunk on
 *     this connection. Only QUIT may follow it.
 *   - Anything after STARTTLS or an AUTH command, and any plain text between the answer to
 *     STARTTLS and the handshake: RFC 3207 4.2 and the attack known as injection.
 *   - The last octet of a message of declared length before its end is known to be there, so that
 *     no message can be taken for whole that is not.
 *   - A command that contains a CR, an LF or a NUL: checked where it is written, last of all.
 *
 * Verdicts, and the two kinds of failure
 *
 *   A *refusal* ends one transaction and leaves the session usable: the server refused the sender,
 *   all recipients, or the message. The first refusal is the cause; what follows from it is not
 *   reported. A *break* ends the session: the connection is lost, the time is over, the server
 *   broke the protocol, or the caller's source failed. A break is final, and every unfinished
 *   transaction ends with it.
 *
 *   Each recipient of a transaction that is over has a verdict. ACCEPTED: the server has taken
 *   responsibility for delivery to this recipient, by its answer to the end of the message.
 *   REFUSED and DEFERRED: it has refused, for good or for now. UNSENT: the message cannot have
 *   been delivered, because its end never left. UNKNOWN: the end left, no answer came; a second
 *   attempt may deliver the message twice. A verdict is never better than what the server said,
 *   and never UNSENT once the end has left.
 *
 * Memory and secrets
 *
 *   The caller gives the memory, and all bounds are constants below. It has two parts: a small one
 *   (smtp_session_size), which a session always has, and a large one (smtp_work_size): the output
 *   buffer, and what is heard and not understood yet. A session that rests, or is over, needs only
 *   the small one: smtp_session_rest takes the other from it, so that many connections that are
 *   open and idle share what a few of them need at a time; smtp_session_work gives it one before
 *   the next call that says or hears something.
 *
 *   Bytes are borrowed: what smtp_options points at must outlive the session, what a transaction
 *   points at must outlive the transaction. Nothing needs a NUL at its end. What a caller gives is
 *   checked by grammar where it enters (text.h); what a server says is bounded and never trusted.
 *
 *   A secret is written into the output buffer only when its command is said, in base64, and is
 *   wiped when it has left or the session breaks. It is not in the transcript. Where a server
 *   repeats a secret in its words, smtp_hide keeps it out of replies and errors.
 *
 * Names: lengths are bytes (_len), numbers of things end in _count, bounds in _max.
 */
#ifndef SMTP_H
#define SMTP_H

#include "text/text.h"

/* The C API is not public: a shared object shows its luaopen_ function and nothing else. A hidden
 * declaration hides the definition, so this pragma is in every header and in no .c file. */
#pragma GCC visibility push(hidden)

enum {
    SMTP_LINE_MAX = 12290,       /* octets of one reply line (RFC 4954 4; RFC 5321 asks for 512) */
    SMTP_REPLY_MAX = 65536,      /* octets of one whole reply */
    SMTP_REPLY_LINES_MAX = 256,  /* lines of one whole reply */
    SMTP_KEPT_MAX = 12288,       /* octets of a reply's text that are kept */
    SMTP_TEXT_MAX = 512,         /* octets of a server's words that trouble keeps */
    SMTP_MECHANISMS_MAX = 2048,  /* octets of the server's list of AUTH mechanisms */
    SMTP_CHALLENGE_MAX = 9216,   /* octets of a SASL challenge or answer, decoded (RFC 4954 4) */
    SMTP_AUTH_TURNS_MAX = 16,    /* answers in one SASL exchange */
    SMTP_SECRET_LEN_MAX = 4096,  /* octets of a password, a user name, an authorization identity */
    SMTP_TOKEN_LEN_MAX = 8192,   /* octets of an OAuth token */
    SMTP_HOST_LEN_MAX = 255,     /* octets of the server's name */
    SMTP_BUFFER_LEN_MIN = 32768, /* octets of output a session must be able to hold */
    SMTP_TRANSCRIPT_MAX = 8192,  /* octets of lines that a transcript shows */
    SMTP_HIDDEN_MAX = 48,        /* forms of secrets that are not to be shown */
    SMTP_FLIGHT_MAX = 64,        /* messages said and not yet answered */
    SMTP_UNHEARD_LEN_MAX = 8192, /* bytes of commands not yet answered that any server's buffers
                                    hold while its replies are not read */
    SMTP_EAGER_LEN_MAX =
        262144, /* octets said and not yet answered, after which nothing new begins */
    SMTP_HELD_LEN_MAX = 16384,  /* octets of text that may wait with an end that is held back */
    SMTP_EAGER_QUIT_MAX = 100,  /* recipients of a message after which QUIT may be said at once */
    SMTP_RCPT_FLIGHT_MAX = 100, /* RCPT commands said and not yet answered */
    SMTP_MECHS_MAX = 32         /* AUTH mechanisms that may be allowed */
};

/* Of the parameters of extensions, so that no command grows beyond bounds. */
enum {
    SMTP_NOTIFY_LEN_MAX = 21,     /* octets of NOTIFY's value: all three words */
    SMTP_ORCPT_LEN_MAX = 500,     /* octets of ORCPT's value (RFC 3461 4.2) */
    SMTP_ENVID_LEN_MAX = 100,     /* octets of ENVID's value (RFC 3461 4.4) */
    SMTP_SECONDS_MAX = 999999999, /* RFC 2852 4, RFC 4865 4 */
    SMTP_DATE_LEN = 20            /* octets of "2026-11-24T12:00:00Z" */
};

/** How a server's words end where they were cut: a secret may be there in part. */
#define SMTP_CUT_MARK " [cut]"

/** The extensions that a caller may require: name, keyword, the keyword as the reason of an error,
 * and what reads the parameters (extensions.c). `X` is for E to use. If several required extensions
 * are missing, the first of these is reported. */
/* clang-format off */
#define SMTP_EXTENSIONS(E, X)                                                                      \
    E(X, PIPELINING,    "PIPELINING",    "pipelining",    NULL)               /* RFC 2920 */ \
    E(X, 8BITMIME,      "8BITMIME",      "8bitmime",      NULL)               /* RFC 6152 */ \
    E(X, SIZE,          "SIZE",          "size",          read_size)          /* RFC 1870 */ \
    E(X, SMTPUTF8,      "SMTPUTF8",      "smtputf8",      NULL)               /* RFC 6531 */ \
    E(X, BINARYMIME,    "BINARYMIME",    "binarymime",    NULL)               /* RFC 3030 */ \
    E(X, CHUNKING,      "CHUNKING",      "chunking",      NULL)               /* RFC 3030 */ \
    E(X, DSN,           "DSN",           "dsn",           NULL)               /* RFC 3461 */ \
    E(X, REQUIRETLS,    "REQUIRETLS",    "requiretls",    NULL)               /* RFC 8689 */ \
    E(X, DELIVERBY,     "DELIVERBY",     "deliverby",     read_deliverby)     /* RFC 2852 */ \
    E(X, FUTURERELEASE, "FUTURERELEASE", "futurerelease", read_futurerelease) /* RFC 4865 */ \
    E(X, MT_PRIORITY,   "MT-PRIORITY",   "mt-priority",   NULL)               /* RFC 6710 */ \
    E(X, LIMITS,        "LIMITS",        "limits",        read_limits)        /* RFC 9422 */
#define SMTP_EXTENSION_ERROR(X, name, keyword, reason, read)                                       \
    X(NO_##name, "extension_unsupported", reason, "does not offer " keyword)
/* clang-format on */

/** What went wrong: name, kind and reason as programs know them, and a sentence for people, which
 *  continues after the server's name: "refused EHLO". A note has another subject, and a colon
 * before it: "message not sent: …". */
/* clang-format off */
#define SMTP_NOTE(text) text, .is_note = true
#define SMTP_ERRORS(X)                                                                             \
    X(NONE,             "none",                "none",             "reports no error")             \
    X(GREETING_REFUSED, "greeting_refused",    "refused",          "refused the conversation")     \
    X(HELO_REFUSED,     "greeting_refused",    "helo",             "refused both EHLO and HELO")   \
    X(LHLO_REFUSED,     "greeting_refused",    "helo",             "refused the name in LHLO")     \
    X(MALFORMED,        "protocol",            "malformed",        "sent something that is not an SMTP reply")\
    X(TLS_BYTES,        "protocol",            "tls_on_plain_port", "answered with TLS where plain SMTP was expected")\
    X(MIXED_CODES,      "protocol",            "mixed_codes",      "sent one reply with different codes")\
    X(TOO_LONG,         "protocol",            "too_long",         "sent a reply that is too long")\
    X(UNASKED,          "protocol",            "unasked",          "sent a reply that no command had asked for")\
    X(UNEXPECTED,       "protocol",            "unexpected",       "sent a reply that does not fit the command")\
    X(INJECTED,         "protocol",            "injected",         "sent plain text after its reply to STARTTLS, as in an attack")\
    X(TLS_FLOOD,        "protocol",            "tls_flood",        "sent TLS messages without end and without data")\
    X(RESET_REFUSED,    "protocol",            "reset_refused",    "refused RSET")                 \
    X(CHUNK_NOT_CONSUMED, "protocol",          "chunk",            "does not consume a chunk that it refuses")\
    X(CLOSED,           "disconnected",        "closed",           "closed the connection")        \
    X(WORN_OUT,         "disconnected",        "worn_out",         "refused so many messages on this connection that a new one is needed")\
    X(SHUTTING_DOWN,    "disconnected",        "shutting_down",    "ended the conversation")       \
    X(ABORTED,          "disconnected",        "aborted",          SMTP_NOTE("connection abandoned: an earlier call on it did not return"))\
    X(TIMEOUT,          "timeout",             "timeout",          "did not answer in time")       \
    X(TLS_FAILED,       "tls",                 "handshake",        "failed in the TLS handshake")  \
    X(TLS_NOT_OFFERED,  "tls_unsupported",     "not_advertised",   "does not offer STARTTLS")      \
    X(TLS_HELO_ONLY,    "tls_unsupported",     "helo_only",        "refused EHLO, so STARTTLS is not available")\
    X(STARTTLS_REFUSED, "tls",                 "starttls_refused", "offered STARTTLS and then refused it")\
    X(AUTH_NOT_OFFERED, "auth_unsupported",    "not_advertised",   "does not offer AUTH")          \
    X(AUTH_GONE,        "auth_unsupported",    "not_advertised_after_tls", "offered AUTH before TLS but not after it")\
    X(AUTH_HELO_ONLY,   "auth_unsupported",    "helo_only",        "refused EHLO, so AUTH is not available")\
    X(AUTH_EMPTY,       "auth_unsupported",    "empty_list",       "offers AUTH without any mechanism")\
    X(AUTH_NO_COMMON,   "auth_unsupported",    "no_common_mechanism", "offers no AUTH mechanism that may be used")\
    X(AUTH_UNKNOWN,     "auth_unsupported",    "rejected_command", "offers AUTH but does not support the command")\
    X(AUTH_INSECURE,    "auth_insecure",       "plaintext",        "accepts the password only in clear text, and the connection is not encrypted")\
    X(AUTH_UNVERIFIED,  "auth_insecure",       "unverified",       "accepts the password only in clear text, and the transport does not declare its TLS verified")\
    X(AUTH_ENCRYPT,     "auth_insecure",       "encryption_required", "requires encryption before AUTH")\
    X(AUTH_REJECTED,    "auth_rejected",       "rejected",         "rejected the user name or password")\
    X(AUTH_TOO_WEAK,    "auth_rejected",       "mechanism_too_weak", "considers the AUTH mechanism too weak for this user")\
    X(AUTH_PROTOCOL,    "auth_rejected",       "protocol",         "broke the rules of the AUTH exchange")\
    X(AUTH_NOT_AUTHENTIC, "auth_rejected",     "server_not_authentic", "could not prove that it knows the password")\
    X(AUTH_ITERATIONS,  "auth_rejected",       "iterations",       "asks for a number of hash iterations outside scram_iterations")\
    X(AUTH_MECHANISM,   "auth_rejected",       "mechanism",        "sent data that the AUTH mechanism did not accept")\
    X(AUTH_TEMPORARY,   "auth_temporary",      "temporary",        "cannot check logins at the moment")\
    X(AUTH_REQUIRED,    "auth_required",       "required",         "requires authentication first")\
    X(TLS_REQUIRED,     "tls_required",        "required",         "requires STARTTLS first")      \
    X(SENDER_REFUSED,   "sender_refused",      "refused",          "refused the sender")           \
    X(NOBODY_ACCEPTED,  "recipients_refused",  "refused",          "accepted no recipient")        \
    X(NOT_ALL_ACCEPTED, "recipients_refused",  "not_all",          "did not accept every recipient, as recipients = \"all\" requires")\
    X(TOO_MANY,         "recipients_refused",  "too_many",         "does not accept so many recipients at once, as recipients = \"all\" requires")\
    X(DATA_REFUSED,     "data_refused",        "refused",          "refused the message")          \
    X(BDAT_UNKNOWN,     "data_refused",        "bdat",             "offers CHUNKING but does not support BDAT")\
    X(TOO_LARGE,        "message_too_large",   "too_large",        "does not accept messages this large")\
    SMTP_EXTENSIONS(SMTP_EXTENSION_ERROR, X)                                                       \
    X(TLS_UNVERIFIED,   "extension_unsupported", "requiretls_unverified", "has not proven its identity by TLS, as requiretls requires")\
    X(BY_TOO_SOON,      "extension_unsupported", "deliverby_minimum", "does not return messages as soon as deliver_by requires")\
    X(HOLD_TOO_LONG,    "extension_unsupported", "futurerelease_maximum", "does not hold messages for as long as requested")\
    X(BODY_NUL,         "source",              "nul",              SMTP_NOTE("message not sent: it contains a NUL byte"))\
    X(BODY_LINE,        "source",              "line_too_long",    SMTP_NOTE("message not sent: it has a line of more than 998 bytes"))\
    X(BODY_8BIT,        "source",              "eightbit",         SMTP_NOTE("message not sent: it contains 8-bit bytes that were not declared"))\
    X(BODY_BCC,         "source",              "bcc",              SMTP_NOTE("message not sent: its header contains Bcc, which every recipient would see"))\
    X(BODY_MBOX,        "source",              "mbox",             SMTP_NOTE("message not sent: it begins with the line \"From …\" of an mbox file"))\
    X(BODY_BOM,         "source",              "byte_order_mark",  SMTP_NOTE("message not sent: it begins with a byte order mark"))\
    X(BODY_LEN,         "source",              "size",             SMTP_NOTE("message not sent: its length is not the declared one"))\
    X(SOURCE_CHANGED,   "source",              "changed",          SMTP_NOTE("message not sent: it changed after it was signed"))\
    X(SOURCE_FAILED,    "source",              "failed",           SMTP_NOTE("message not sent: its source failed"))\
    X(TRACE_FAILED,     "source",              "trace",            SMTP_NOTE("connection abandoned: the function given as trace failed"))\
    X(OBSERVE_FAILED,   "source",              "observe",          SMTP_NOTE("connection abandoned: the function given as observe failed"))\
    X(TRANSPORT_FAILED, "source",              "transport",        SMTP_NOTE("connection abandoned: the transport that the caller gave failed"))\
    X(LOOP_FAILED,      "source",              "loop",             SMTP_NOTE("connection abandoned: the event loop that the caller gave failed"))\
    X(WITHHELD,         "source",              "withheld",         SMTP_NOTE("message not sent: the caller withheld its end"))\
    X(AUTH_SOURCE,      "source",              "auth",             SMTP_NOTE("login abandoned: the caller's function or object for AUTH failed"))\
    X(NO_CRYPTO,        "system",              "crypto",           SMTP_NOTE("connection abandoned: libcrypto failed, probably out of memory"))\
    X(NO_RESOURCES,     "system",              "resources",        SMTP_NOTE("connection abandoned: this machine has no descriptors or memory left"))\
    X(NO_RANDOM,        "system",              "random",           SMTP_NOTE("connection abandoned: this system provides no random bytes"))\
    X(UNSAYABLE,        "usage",               "unsayable",        SMTP_NOTE("command not sent: an argument contains what no command may contain"))
/* clang-format on */

enum smtp_error {
#define X(name, kind, reason, ...) SMTP_ERROR_##name,
    SMTP_ERRORS(X)
#undef X
};

/** The words of each error: "auth_unsupported", "helo_only", "refused EHLO, …". */
struct smtp_error_words {
    const char *kind, *reason, *sentence;
    bool is_note;
};
extern const struct smtp_error_words smtp_errors[];
/** Returns the first error of this kind and reason, NONE where there is none. */
enum smtp_error smtp_error_find(const char *kind, const char *reason);

/** A reply's facts: the code, the enhanced status (RFC 3463) where its class fits the code, all 0
 *  otherwise, and the server's words made printable: lines joined by LF, valid UTF-8. */
struct smtp_answer {
    uint16_t code;
    uint16_t enhanced[3];
    size_t text_len;
    char text[SMTP_TEXT_MAX];
};

/** Why a transaction or a session ended. `stage` is a word: "auth", "rcpt", … */
struct smtp_trouble {
    enum smtp_error error;
    const char *stage;
    struct smtp_answer answer;
};

/** require: an error where the server cannot. prefer: used where it can. skip: never used. */
enum smtp_policy { SMTP_SKIP, SMTP_PREFER, SMTP_REQUIRE };

/** What a mechanism is like. */
enum {
    SMTP_MECH_SHOWS_SECRET = 0x01, /* an eavesdropper can use what is said */
    SMTP_MECH_BINDS = 0x02,        /* to the TLS channel; nothing that does not is tried after it */
    SMTP_MECH_MUTUAL = 0x04        /* the server has to prove itself, in its 235 at the latest */
};

/** An AUTH mechanism that may be used. PLAIN, LOGIN, EXTERNAL, XOAUTH2 and OAUTHBEARER are answered
 *  here, and their flags known; for any other the session wants ANSWER. */
struct smtp_mech {
    struct smtp_text name; /* upper case (RFC 4422 3.1) */
    unsigned flags;
};

/** Extensions as bits. STARTTLS and AUTH have policies of their own. */
enum {
#define E(X, name, keyword, reason, read) SMTP_EXT_PLACE_##name,
    SMTP_EXTENSIONS(E, ) SMTP_EXT_PLACE_STARTTLS,
    SMTP_EXT_PLACE_AUTH
#undef E
};
enum {
#define E(X, name, keyword, reason, read) SMTP_EXT_##name = 1 << SMTP_EXT_PLACE_##name,
    SMTP_EXTENSIONS(E, ) SMTP_EXT_STARTTLS = 1 << SMTP_EXT_PLACE_STARTTLS,
    SMTP_EXT_AUTH = 1 << SMTP_EXT_PLACE_AUTH
#undef E
};

/** Returns the extension with this keyword, in any case; 0 where there is none. */
unsigned smtp_extension_find(const char *keyword, size_t len);

/** How far commands go ahead of answers where PIPELINING is offered. LMTP is always SAFE: see
 *  "Grades of pipelining" above. */
enum smtp_grade {
    SMTP_SAFE, /* nothing after the end of a message */
    SMTP_TRY,  /* the next envelope, until a message that followed another one was accepted */
    SMTP_EAGER /* its DATA, too */
};

/** Where a dialogue ends early, for a caller that tries a server out: the session is READY after
 * this step. After MAIL and RCPT it says RSET first; nothing of the message is said. */
enum smtp_halt {
    SMTP_HALT_NEVER,
    SMTP_HALT_GREETING,
    SMTP_HALT_EHLO, /* the first one */
    SMTP_HALT_TLS,
    SMTP_HALT_MAIL, /* no recipient is offered */
    SMTP_HALT_RCPT  /* an accepted recipient is one that RCPT accepted */
};

struct smtp_options {
    struct smtp_text domain;                /* what EHLO says: smtp_domain_check */
    enum smtp_policy tls;                   /* STARTTLS */
    bool tls_on, tls_verified;              /* TLS from the first byte; the peer proved itself */
    enum smtp_policy auth;                  /* not SKIP: there are credentials */
    struct smtp_text username, authzid;     /* no NUL (RFC 4616), no %x01 (RFC 7628) */
    bool secret_in_clear;                   /* a secret may travel on a link without TLS */
    bool secret_unverified;                 /* ... and inside TLS where the peer is not verified */
    bool mechs_named;                       /* `mechs` is the user's own choice */
    bool token_renewable;                   /* a second token may be asked for */
    struct smtp_mech mechs[SMTP_MECHS_MAX]; /* allowed, in order of preference */
    size_t mech_count;
    struct smtp_text host; /* as the caller names it; OAUTHBEARER tells the server */
    uint16_t port;
    bool lmtp;         /* LMTP instead of SMTP (RFC 2033) */
    bool hold_ends;    /* a message ends only after smtp_end_allow */
    bool chunks_ahead; /* a chunk may go ahead, where the server consumes a harmless one */
    unsigned ext_skip; /* extensions that are never used */
    enum smtp_grade grade;
    size_t flight_max;  /* messages said and not yet answered at most: to SMTP_FLIGHT_MAX */
    size_t refused_max; /* then no further message: some servers go; 0: any number */
    size_t window;      /* replies outstanding at most, to no more than 8 KiB of commands; 0: any */
    enum smtp_halt halt;
};

enum smtp_verdict {
    SMTP_UNSENT,   /* the message cannot have been delivered to this recipient */
    SMTP_ACCEPTED, /* the server has taken responsibility for delivery */
    SMTP_REFUSED,  /* the server refused for good (5yz) */
    SMTP_DEFERRED, /* the server refused for now (4yz) */
    SMTP_UNKNOWN   /* the end of the message left, and no answer came: it may be delivered */
};

struct smtp_recipient {
    struct smtp_text address;       /* canonical, as smtp_address_check gives it, without < > */
    struct smtp_text notify, orcpt; /* values of NOTIFY= and ORCPT= (RFC 3461 4.1, 4.2) */
    enum smtp_verdict verdict;
    bool again; /* it was one too many for this transaction, and is for a further one */
    uint16_t code;
    uint16_t enhanced[3];
    uint32_t text_at, text_len; /* the server's words, in smtp_transaction.texts */
    uint64_t end_at;            /* where its RCPT ends in our stream of bytes */
};

#define SMTP_LEN_UNKNOWN UINT64_MAX

/** One transaction. The caller fills in the upper half and zeroes the lower half. Values that are
 *  empty or 0 are not said, and neither are those of an extension that is neither required nor
 *  offered. Values are esmtp-values of RFC 5321 4.1.2. */
struct smtp_transaction {
    struct smtp_text from;     /* reverse path without < >; empty: the null reverse path */
    struct smtp_recipient *to; /* at least one */
    size_t to_count;
    uint64_t size;       /* octets on the wire, for SIZE= (RFC 1870), or SMTP_LEN_UNKNOWN */
    bool exact;          /* `size` is exact, and the message can be read again: one BDAT takes it */
    uint64_t source_len; /* octets that smtp_body must be given in all, or SMTP_LEN_UNKNOWN */
    struct smtp_text text; /* the whole message, if it is in memory: then BODY is not wanted */
    bool ready;            /* CRLF ends each line of `text`, and no line begins with a dot */
    bool binary_wanted;    /* use BINARYMIME if possible, with octets as they are (RFC 3030) */
    bool eightbit;         /* the message contains octets over 127 (RFC 6152) */
    bool utf8;    /* an address needs SMTPUTF8; the header may contain UTF-8 (RFC 6531, 6532) */
    size_t offer; /* the most recipients in one transaction, see smtp_transaction_offer; 0: any */
    bool all;     /* the message is sent only if every recipient is accepted */
    unsigned ext_require;              /* extensions without which it is not sent */
    struct smtp_text notify;           /* for recipients without a value of their own */
    struct smtp_text ret, envid;       /* values of RET= and ENVID= (RFC 3461 4.3, 4.4) */
    bool requiretls;                   /* RFC 8689 */
    bool by_return, by_trace;          /* RFC 2852 4: mode R, else N; trace */
    uint32_t by_seconds, hold_seconds; /* RFC 2852 4; RFC 4865 4 */
    struct smtp_text hold_until;       /* RFC 4865 4, as "2026-11-24T12:00:00Z" */
    struct smtp_text mt_priority;      /* RFC 6710 4.1: "-9" to "9" */
    bool may_be_sent;                  /* by an earlier transaction of the same message */
    char *texts;                       /* room for the server's words about recipients */
    size_t texts_max;

    size_t to_said, to_heard, to_accepted;
    size_t to_end;    /* recipients of this transaction; the others are for further ones */
    size_t to_judged; /* LMTP: recipients before this one have their reply to the message */
    size_t texts_len;
    size_t due_count;               /* replies that are due */
    bool binary;                    /* MAIL says BINARYMIME: octets are sent as they are */
    uint64_t text_size;             /* with `binary`: the caller's `size` */
    bool queued;                    /* smtp_transaction_add was called */
    bool has_outcome;               /* the outcome is final */
    bool over;                      /* the outcome is final, and no more replies are due */
    bool sender_accepted;           /* the reply to MAIL was 2yz */
    bool demands;                   /* the refusal that decides demands TLS or AUTH */
    bool contradicted;              /* a recipient was accepted after a refused sender */
    bool taken;                     /* LMTP: a recipient has the message */
    bool full;                      /* a recipient was one too many */
    bool overfilled;                /* the server ended the connection after such refusals */
    bool followed;                  /* it began after the end of another one, before its answer */
    bool crossing;                  /* such a beginning is not wholly answered yet */
    bool end_ahead;                 /* smtp_end_ahead was called */
    bool ahead;                     /* its BDAT was said before the answers to RCPT */
    bool bystander;                 /* the session broke through no fault of this one */
    uint64_t begun_at;              /* where it begins in our stream of bytes */
    uint64_t octets_at, octets_len; /* where the octets of the newest chunk are */
    uint64_t end_at;                /* where the message ends; 0: it has not ended yet */
    uint64_t held_at;               /* where its end begins that is held back; 0: none is */
    uint64_t taken_len;             /* octets that smtp_body was given so far */
    struct smtp_trouble trouble;    /* error NONE: the message was accepted */
    struct smtp_answer answer;      /* the reply to the end of the message */
    struct smtp_transaction *next;
};

enum smtp_auth_state { SMTP_AUTH_SKIPPED, SMTP_AUTH_UNAVAILABLE, SMTP_AUTH_DONE };
enum smtp_tls_state { SMTP_TLS_SKIPPED, SMTP_TLS_UNAVAILABLE, SMTP_TLS_ON };

/** What became of a mechanism that the server offers: a word for programs, a text for people. */
/* clang-format off */
#define SMTP_MECH_STATES(X)                                                                        \
    X(UNLISTED,   "unlisted",   "not among the mechanisms of the options")                         \
    X(UNTRIED,    "untried",    "not tried")                                                       \
    X(UNBOUND,    "unbound",    "not tried after one with -PLUS")                                  \
    X(NEEDS_TLS,  "needs_tls",  "it needs TLS")                                                    \
    X(IN_CLEAR,   "in_clear",   "it sends the secret in clear text, and there is no TLS")          \
    X(UNVERIFIED, "unverified", "it sends the secret in clear text, and the transport does not declare its TLS verified")\
    X(UNUSABLE,   "unusable",   "it cannot be used here") /* smtp_mechanism_out */                 \
    X(ANSWERED,   "answered",   "answered")               /* by a code that refuses it */          \
    X(FAILED,     "failed",     "failed")                                                          \
    X(USED,       "used",       "authenticated")
/* clang-format on */

enum smtp_mech_state {
#define X(name, word, text) SMTP_MECH_##name,
    SMTP_MECH_STATES(X)
#undef X
};

struct smtp_mech_words {
    const char *word, *text;
};
extern const struct smtp_mech_words smtp_mech_states[];

/** What a session knows of its server and itself. */
struct smtp_facts {
    bool esmtp; /* EHLO was understood */
    enum smtp_tls_state tls;
    bool tls_verified; /* and TLS is on */
    enum smtp_auth_state auth;
    enum smtp_error auth_reason; /* why AUTH is unavailable */
    struct smtp_text mechanism;  /* the newest one that AUTH was said with */
    struct smtp_text challenge;  /* what an error challenge held, printable (RFC 7628 3.2.2) */
    const struct smtp_answer *ehlo_reply; /* the refusal of the newest EHLO; NULL: none */
    bool bound;                           /* a mechanism that binds was tried */
    bool starttls_offered;                /* in the newest EHLO, or before TLS */
    uint64_t size_max;                    /* 0: the server stated no limit */
    uint32_t rcpt_max, mail_max;          /* RFC 9422; 0: the server stated no limit */
    bool consumes_chunks;                 /* it consumed the harmless chunk */
    struct smtp_text server;              /* first line of the newest EHLO or HELO reply */
    struct smtp_text capabilities;        /* its other lines, joined by LF, printable */
    struct smtp_text mechanisms;          /* offered, joined by a space, upper case, printable */
    struct smtp_text mechanisms_before_tls;
};

/** How far a session has come. */
struct smtp_status {
    struct smtp_trouble trouble; /* why the session broke; error NONE where it did not */
    struct smtp_answer asked;    /* the answer to the newest question */
    uint64_t replies;            /* whole replies heard so far: progress, for a driver's clock */
    uint64_t octets;             /* of messages, sent so far: progress, for a person */
    enum smtp_grade grade;       /* the grade that is in force: TRY becomes EAGER by itself */
    bool eager_failed;  /* the server could not handle what followed a message: use SAFE for it */
    bool chunk_failed;  /* the session ended at the harmless chunk: do without `chunks_ahead` */
    bool token_renewed; /* a token was refused as over: a new one is wanted */
};

struct smtp_session; /* opaque */

/** A mechanism that the server offers; `code` is the reply where the state is ANSWERED. */
struct smtp_offer {
    struct smtp_text name;
    enum smtp_mech_state state;
    uint16_t code;
};
/** Takes the next one, in the server's order, off `rest`, which is facts.mechanisms at first.
 * Returns whether there is one. */
bool smtp_offer_next(const struct smtp_session *s, struct smtp_text *rest,
                     struct smtp_offer *offer);

/** Returns how many octets of memory a session needs, */
size_t smtp_session_size(void);
/** and how many more of working memory, whose output buffer has `buffer_len` octets. */
size_t smtp_work_size(size_t buffer_len);
/** Starts a session in `memory` and `work`, aligned as by malloc. `buffer_len` >=
 * SMTP_BUFFER_LEN_MIN. The connection must be open. `facts` NULL: the first thing wanted is the
 * greeting. Else another session, whose facts these are, has opened the connection and left it
 * READY, and so this one starts; `mechanism` of the facts must outlive it. */
struct smtp_session *smtp_session_init(void *memory, void *work, size_t buffer_len,
                                       const struct smtp_options *options,
                                       const struct smtp_facts *facts);
/** Ends a session, wherever it is, before its memory is freed or used for another one: what has not
 * left is removed, and wiped if a secret is in it. Returns the working memory, which is the
 * caller's again; NULL where the session has none. */
void *smtp_session_end(struct smtp_session *s);
/** Returns the working memory of a session that rests or is over, which does without it from now
 * on. NULL: something is under way or has come in part, or it has none, or it keeps the memory
 * because the server said very much in its EHLO reply. */
void *smtp_session_rest(struct smtp_session *s);
/** Has the session working memory? All that says or hears something needs it; what only reads the
 * session, and the end of the connection, do not. */
bool smtp_session_works(const struct smtp_session *s);
/** Gives working memory to a session that has none. */
void smtp_session_work(struct smtp_session *s, void *memory, size_t buffer_len);
/** Is the session READY, without a reply that has come in part? Then another session could go on
 * with the connection. */
bool smtp_session_rests(const struct smtp_session *s);

/** What the session wants, an OR of these, the most urgent first. TLS, SECRET, ANSWER and NOTHING
 * come without BODY and READY. */
enum {
    SMTP_WANT_NOTHING = 0x01, /* over: close the connection */
    SMTP_WANT_TLS = 0x02,     /* a TLS handshake, then smtp_tls_started */
    SMTP_WANT_SECRET = 0x04,  /* a password or a token: smtp_secret_wanted, smtp_secret */
    SMTP_WANT_ANSWER = 0x08,  /* a SASL answer: smtp_challenge, smtp_answer */
    SMTP_WANT_BODY = 0x10,    /* the next piece of the message: smtp_body, smtp_body_end */
    SMTP_WANT_SEND = 0x20,    /* bytes for the server: smtp_send_buf */
    SMTP_WANT_END = 0x40,     /* may this message end: smtp_ending, smtp_end_allow */
    SMTP_WANT_READY = 0x80,   /* a transaction, a question, or the word to quit */
    SMTP_WANT_RECV = 0x100    /* bytes from the server: smtp_recv */
};
unsigned smtp_wants(const struct smtp_session *s);

/** Returns the bytes to send now, which stay valid until smtp_send_ack. */
struct smtp_text smtp_send_buf(const struct smtp_session *s);
/** `len` of them were handed to the network for good. */
void smtp_send_ack(struct smtp_session *s, size_t len);
/** Could the driver not send all, the last time? Then what is to be sent has waited since that. */
bool smtp_sent_in_part(const struct smtp_session *s);
/** Takes bytes from the server, cut anywhere. Without any, the server has closed the connection. */
void smtp_recv(struct smtp_session *s, const char *data, size_t len);
/** TLS is on, and the caller content with the peer. `verified`: by certificate and name. */
void smtp_tls_started(struct smtp_session *s, bool verified);
/** Returns the secret that is wanted. A token may be wanted a second time. */
enum smtp_secret { SMTP_SECRET_NONE, SMTP_SECRET_PASSWORD, SMTP_SECRET_TOKEN };
enum smtp_secret smtp_secret_wanted(const struct smtp_session *s);
/** Gives the secret, which is borrowed until the exchange is over. */
void smtp_secret(struct smtp_session *s, const char *data, size_t len);

/** Never show these words where the server repeats them in a reply, but "[secret]" in their place:
 * at most SMTP_HIDDEN_MAX, borrowed for as long as the session lives, and longer ones before those
 * that they hold. The words of the call before are no longer hidden. */
void smtp_hide(struct smtp_session *s, const struct smtp_text *words, size_t count);

/** Returns the challenge to the mechanism that ANSWER is wanted of, decoded and valid until the
 * answer: a SASL exchange (RFC 4422) is led from outside. Its data is NULL before AUTH is said;
 * then an initial response may be given. */
struct smtp_text smtp_challenge(const struct smtp_session *s, struct smtp_text *mechanism);
/** The answer, at most SMTP_CHALLENGE_MAX octets; data NULL: no initial response. `content`: the
 *  mechanism needs nothing more, 235 may come. Returns whether it was said: an initial response
 * that does not fit (RFC 4954 4) is asked for again, as the answer to the first challenge. */
bool smtp_answer(struct smtp_session *s, const char *data, size_t len, bool content);
/** The mechanism refuses to go on: the exchange is cancelled, and `error` ends the session. */
void smtp_answer_refuse(struct smtp_session *s, enum smtp_error error);
/** Before it has begun: the mechanism cannot be used here. The next one is tried. */
void smtp_mechanism_out(struct smtp_session *s);
/** Returns the transaction whose message BODY asks for. */
const struct smtp_transaction *smtp_spoken(const struct smtp_session *s);
/** A piece of the message, cut anywhere. Returns how much of it was taken. */
size_t smtp_body(struct smtp_session *s, const char *data, size_t len);
/** The same of a piece that is borrowed until BODY is wanted again or the session ends: what of it
 * is sent as it is need not be copied. */
size_t smtp_body_lend(struct smtp_session *s, const char *data, size_t len);
/** The message is complete. */
void smtp_body_end(struct smtp_session *s);
/** Returns the transaction whose end is held back, NULL where there is none. The verdict of those
 * of its recipients that the server has accepted so far is ACCEPTED. */
const struct smtp_transaction *smtp_ending(const struct smtp_session *s);
/** Its end may leave. */
void smtp_end_allow(struct smtp_session *s);
/** The end of this transaction, which was added, will be allowed whatever the answers to RCPT are:
 * so its chunk may go ahead of them, as with `chunks_ahead` and without `hold_ends`. */
void smtp_end_ahead(struct smtp_session *s, struct smtp_transaction *transaction);
/** The driver lost the connection, its patience or the message's source: the session is over. */
void smtp_break(struct smtp_session *s, enum smtp_error error, const char *text, size_t len);

void smtp_set_grade(struct smtp_session *s, enum smtp_grade grade);

/** From now on every command waits for the answer to the one before it, whatever the server
 * offers. */
void smtp_lockstep(struct smtp_session *s);
/** What a driver's clock knows, in seconds of a clock that only goes forward. */
struct smtp_clock {
    double deadline;      /* of the whole conversation */
    double reply_timeout; /* for one reply */
    double moved;         /* when a command or a part of it was sent, or a reply heard, last */
};
/** Returns for how many seconds, from `now` on, a driver may wait for the network before it says
 *  that the session is broken: the one rule of time-outs. 0 or less: the time is over. The answer
 *  to the end of a message may take all the time there is, because to give up there leaves the
 *  outcome unknown. QUIT has two seconds, since nothing depends on its answer. So has, within
 *  reply_timeout, what was said after the end of a message once that end was answered: a server
 *  that handles it answers at once. Any other reply has reply_timeout. So long, a server may also
 *  take nothing of what is sent: `moved` is when it began to be sent, or a part of it was sent. */
double smtp_patience(const struct smtp_session *s, const struct smtp_clock *clock, double now);
/** Returns how many seconds a message of `len` octets may take, SMTP_LEN_UNKNOWN included:
 * `timeout`, and where that is not fixed by the caller, what so many octets need as well. */
double smtp_message_seconds(double timeout, bool fixed, uint64_t len);

/** Queues a transaction. Its outcome is final when transaction->over is true. */
void smtp_transaction_add(struct smtp_session *s, struct smtp_transaction *transaction);
/** Of a transaction that is over: is recipient `i` for a further transaction? */
bool smtp_transaction_leaves(const struct smtp_transaction *transaction, size_t i);
/** Of a transaction that is over: how many recipients further transactions may have, on another
 * connection, because the server accepted so many, refused others and then ended this one; where it
 * accepted none, so many as it refused; 0: any number. */
size_t smtp_transaction_offer(const struct smtp_transaction *transaction);
/** May a recipient have the message, by this transaction or by one that it goes on with? Of one
 * whose outcome is not final: has its end been made ready to be sent? */
bool smtp_transaction_may_be_sent(const struct smtp_transaction *transaction);
/** Says QUIT once the queue is empty. */
void smtp_quit(struct smtp_session *s);
/** RSET, NOOP, or VRFY with an argument free of CR, LF and NUL; only when READY is wanted. */
enum smtp_question { SMTP_ASK_RSET, SMTP_ASK_NOOP, SMTP_ASK_VRFY }; /* as in SMTP_STEPS */
void smtp_ask(struct smtp_session *s, enum smtp_question question, struct smtp_text argument);

/** These stay valid, and change with the session. */
const struct smtp_facts *smtp_session_facts(const struct smtp_session *s);
const struct smtp_status *smtp_session_status(const struct smtp_session *s);
/** What is going on: "greeting", "ehlo", …, "body", "final", "ready", "quit". */
const char *smtp_session_stage(const struct smtp_session *s);
/** The newest lines that were sent and heard, for people: "C: EHLO me", "S: 250 mx", "*: TLS", each
 * ended by LF, printable, without secrets of ours and octets of messages. (A server may repeat a
 * secret.) `out` has room for SMTP_TRANSCRIPT_MAX + 64 octets. *open: the newest line is not
 * whole. Returns how many octets there are. */
size_t smtp_transcript(const struct smtp_session *s, char *out, bool *open);
/** One line that was sent or heard, for programs. */
struct smtp_line {
    char side;             /* 'C': a command, 'S': a line of a reply, 'M': a message, '*': a note */
    struct smtp_text text; /* printable, without the line end */
    const char *stage;     /* of a command: "ehlo", "mail", …; else NULL */
    uint64_t bytes;        /* of messages, that left between the lines around this one; 'M' only */
};
/** The whole line after `mark`, which is 0 at first and moves on. Its text is in `room`, which has
 * SMTP_TRANSCRIPT_MAX octets. Returns false where there is none yet. */
bool smtp_transcript_next(const struct smtp_session *s, uint64_t *mark, char *room,
                          struct smtp_line *line);

#pragma GCC visibility pop

#endif
