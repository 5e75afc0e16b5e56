/* redis: one Redis server as the rest of Sluice sees it: commands whose answers come later, in order,
 * and channels. What a connection is made of, how it is lost and made again, is the adapter's.
 *
 * Two connections stand behind it, one for commands and one for channels; it is *up* while both
 * stand, have said who they are and have their database. When either is lost, or a command is not
 * answered in time, both are given up: what waited is answered with an error, it is *down*, and comes
 * up again by itself, spread out by jitter. Of a command that was answered with "lost" or "timeout" nobody knows
 * whether the server has done it, or will, if it had come to the server's machine by then; from here it is
 * not sent any more.
 *
 * Nothing is called from inside the library, nor before a function returns: what a socket had is
 * read first, all of it, and handed over at the end of the turn (ports/later.h), in order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

enum redis_kind { REDIS_NIL, REDIS_TEXT, REDIS_NUMBER, REDIS_LIST, REDIS_ERROR };

struct redis_value {
    enum redis_kind kind;
    struct bytes text; /* of TEXT (a status, too) and of ERROR: what the server said */
    int64_t number;
    const struct redis_value *items; /* of LIST; an ERROR may stand in one */
    size_t count;
};

/* Valid during the call that hands it over. Either a value or an error. */
struct redis_answer {
    const struct redis_value *value; /* NULL: see code. Never of the kind ERROR */
    const char *code;     /* NULL, or a static word: "error" (what the server answered, see sentence),
                             "away" (it is down; nothing was sent), "full" (too much waits already; nothing
                             was sent), "timeout", "lost" */
    const char *sentence; /* what happened, for people; NULL without an error. An answer of the server's
                             begins with its own word: "NOSCRIPT ...", "WRONGTYPE ..." */
};

typedef void redis_done_f(void *owner, const struct redis_answer *answer);

/* Any of them may use the server, but not close it. */
struct redis_events {
    void (*up)(void *owner);                    /* nothing is subscribed: channels do not outlive a connection */
    void (*down)(void *owner, const char *why); /* behind the answers of all commands that waited */
    void (*subscribed)(void *owner, struct bytes channel); /* the server has it: messages from here on */
    void (*message)(void *owner, struct bytes channel, struct bytes payload);
};

struct redis;
struct redis_call;

struct redis_ops {
    /* Sends a command: its words, the first of which is its name; everything is copied. `done` is called once,
     * unless it is cancelled. Always answered, when it is down, too. */
    struct redis_call *(*start)(struct redis *redis, const struct bytes *words, size_t count,
                                redis_done_f *done, void *owner);

    /* Gives it up: `done` is not called any more. The server may do it all the same. */
    void (*cancel)(struct redis *redis, struct redis_call *call);

    /* Only while it is up. What is asked for in one turn is few commands, in its order. `message` names the channel
     * that was published on; a pattern's `subscribed` names the pattern. */
    void (*subscribe)(struct redis *redis, const struct bytes *channels, size_t count);
    void (*unsubscribe)(struct redis *redis, const struct bytes *channels, size_t count);
    void (*subscribe_pattern)(struct redis *redis, struct bytes pattern);

    bool (*is_up)(const struct redis *redis);

    /* Gives both connections up, as if they were lost: `down` comes, then `up` again. Who asks
     * tells the log why. */
    void (*restart)(struct redis *redis, const char *why);

    /* Ends it: no event comes any more, nor an answer of what waits. */
    void (*close)(struct redis *redis);
};

struct redis {
    const struct redis_ops *ops;
};

/* How servers are had. */
struct redis_opener {
    /* url: redis://[[user]:password@]host[:port][/database], unix://[[user]:password@]/path[?db=n],
     * redis-sentinel://[[user]:password@]host[:port],...[/database]#master. It begins to connect; events come
     * later. NULL: the url is none; a sentence in error. */
    struct redis *(*open)(struct redis_opener *opener, struct bytes url,
                          const struct redis_events *events, void *owner, struct buf *error);
};
