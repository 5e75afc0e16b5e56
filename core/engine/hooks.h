/* hooks: what the engine asks of an app's rules. Implemented by the script
 * border over one VM; the engine knows no Lua.
 *
 * Every hook may wait (for HTTP, for time). So a call answers through `done`,
 * either before `call` returns - then `call` returned NULL - or later, at the end
 * of some turn, exactly once, unless it is cancelled first.
 *
 * Three outcomes: YES with its values, NO (the rule said nil or false), UNKNOWN
 * (it raised, ran out of its deadline, was killed): never to be mixed up. Errors
 * are logged, with file and line, by the implementer, once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/bytes.h"
#include "plan/plan.h"
#include "ports/exchange.h"
#include "ports/verdict.h"

struct frame;
struct places;
struct publication;
struct seat; /* engine/seat.h: a subscriber with who it is */

enum hook_kind {
    HOOK_AUTHENTICATE, /* request, tag                    -> who */
    HOOK_TOPICS,       /* request, seat                   -> names */
    HOOK_SUBSCRIBE,    /* request, seat, name, params     -> yes or no */
    HOOK_FILTER,       /* seat, frame, params             -> yes or no */
    HOOK_AUDIENCE_KEY, /* frame, params                   -> text; may not wait */
    HOOK_AUDIENCE,     /* key, users                      -> text: a '1' or '0' a user; NO: nobody */
    HOOK_SNAPSHOT,     /* seat, name, params              -> names: type and data by turns; NO: nothing */
    HOOK_KEY,          /* seat                            -> text; NO: no lease */
    HOOK_REQUEST,      /* key, data                       -> text (url), headers */
    HOOK_EVENT,        /* event                           -> yes (handled) */
    HOOK_AUTHORIZE,    /* request                         -> who: nobody is an app */
    HOOK_PUBLISH,      /* publication                     -> text: JSON, or none; NO: response */
    HOOK_ROUTE,        /* request, who, tag, params       -> response */
    HOOK_EVERY,        /* nothing                         -> yes */
    HOOK_CONNECT,      /* seat                            -> yes or no (a no ends it) */
    HOOK_DISCONNECT,   /* seat, reason                    -> nothing is waited for */
    HOOK_PRESENCE,     /* key (a user), reason, params    -> yes; reason: "online", "offline" */
    HOOK_KINDS
};

/* Who a request or subscriber is. Data is the JSON text of what authenticate returned, interned,
 * so that equal data is stored once. */
struct identity {
    struct atom *user;          /* NULL: nobody */
    struct atom *data;          /* NULL: none */
    uint64_t expires_wall_ms;   /* 0: never */
};

/* What arrives from outside. Borrowed until the call is done. */
struct event {
    struct atom *source; /* the declaration's name: "inbox" */
    struct bytes type;
    struct bytes data;
    struct bytes id;     /* empty: none */
    struct bytes tag;    /* empty: none */
    struct bytes key;    /* the link's key, or a source's channel: */
    bool channel;        /* then it is nobody's */
    /* Of one that was published: */
    struct bytes user;   /* whose tab caused it; data NULL: nobody's */
    struct bytes *topics;
    size_t topic_count;
};

/* Only what the kind's line above names is set. All borrowed until `done` or cancel. */
struct hook_call {
    enum hook_kind kind;
    hook hook;
    const struct http_request *request;
    struct seat *seat;
    const struct identity *who;
    struct atom *tag;
    struct bytes name;  /* a topic's name */
    const struct pattern *pattern; /* gives params their names */
    const struct pattern_match *params;
    struct frame *frame;
    struct bytes key;
    struct atom *const *users;
    size_t user_count;
    struct atom *data;
    const struct event *event;
    struct publication *publication; /* engine/publication.h; `event` is then the one at hand */
    const char *reason;
    const struct terms *terms; /* engine/terms.h, of what it emits; NULL: none */
};

enum outcome { OUTCOME_YES, OUTCOME_NO, OUTCOME_UNKNOWN };

enum no {
    NO_IDENTITY,   /* it is not known who it is */
    NO_FORBIDDEN,  /* it is, and that one may not */
    NO_BAD_REQUEST /* what it asks for makes no sense, whoever it is */
};

/* Borrowed until `done` returns. */
struct hook_result {
    enum outcome outcome;
    struct identity who;
    enum no no; /* authenticate's NO: why */
    const struct bytes *names;
    size_t name_count;
    struct bytes text;
    const struct http_header *headers;
    size_t header_count;
    struct http_response response;
    uint64_t cause; /* what explain knows the call by; 0: it does not */
    const char *unpublished; /* UNKNOWN because what it emitted was not published: the bus's code; else NULL */
    struct bytes again;      /* what it emitted had been published before: the record; data NULL: it had not */
    const struct places *published; /* what who knows of all this has; NULL: a node by itself, or not published */
};

typedef void hook_done_f(void *owner, const struct hook_result *result);

struct running; /* a call that waits */

struct hooks {
    struct running *(*call)(struct hooks *hooks, const struct hook_call *call, hook_done_f *done,
                            void *owner);

    /* `done` will not be called. `late`: the caller's time for it is over, which is the rule's failure. */
    void (*cancel)(struct hooks *hooks, struct running *running, bool late);

    /* What a hook is, and where it stands: "filter of topic user:{user}", "rules/posta.lua:12". False:
     * it is not known. */
    bool (*describe)(struct hooks *hooks, hook number, struct bytes *what, struct bytes *place);
};
