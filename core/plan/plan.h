/* plan: what one app's rule files declared, checked and immutable. Plain
 * values: the script border fills it while the files load, plan_finish checks it
 * as a whole, afterwards everybody only reads.
 *
 * What a rule does (a Lua function) stands here as a hook: a number under which
 * the VM of this generation finds it; 0 says that the rule file gave none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/bucket.h"
#include "base/buf.h"
#include "base/dict.h"
#include "hub/options.h"
#include "plan/pattern.h"
#include "upstream/link.h"

typedef uint32_t hook;

/* Where a declaration stands, for errors: "rules/posta.lua:12". */
struct plan_place {
    char text[120];
};

/* Which users a topic has. Counted only if the topic's options say `attended`. */
struct plan_presence {
    uint64_t grace_ms; /* a user whose last subscriber left is there so long */
    uint64_t beat_ms;  /* 0: a subscriber is enough; else a beat must come so often, too */
    hook change;       /* (user, "online" | "offline", params); 0: nobody is told */
};

/* Which of these users may see what a trigger is about; asked once for all of them. */
struct plan_audience {
    hook ask; /* (key, users) -> users | { user = true | false } | true | false; 0: no audience */
    hook key; /* (ev, params) -> text; 0: the topic's name */
    uint64_t ttl_ms;
};

struct plan_topic {
    struct atom *name; /* the pattern's text */
    struct plan_place place;
    struct pattern *pattern;
    struct topic_options options;
    hook subscribe; /* (sub, params, req) -> true | false, for topics that clients ask for */
    hook filter;    /* (ev, sub, params) -> true | false */
    hook wrap;      /* (type, data, meta) -> text or table: the data, shaped once, at the emit */
    hook snapshot;  /* (sub, params) -> the state, for newcomers */
    bool overlapped; /* another pattern matches some of its names: plan_topic_of says whose they are */
    struct plan_presence presence;
    struct plan_audience audience;
    bool unasked;   /* the rule file says that no client shall ask for it */
    bool owned;     /* subscribe lets in the one user whom a parameter names */
    bool typed;     /* the rule file lists the types of its triggers, in their order: */
    struct atom **types;
    size_t type_count;
};

struct plan_handler {
    struct atom *type; /* an event type, "@open", "@lost", "@unauthorized", or "*" */
    hook run;          /* (ev) */
};

struct plan_upstream {
    struct atom *name;
    struct plan_place place;
    hook key;     /* (sub) -> text or nil: no lease */
    hook request; /* (key, data) -> { url, headers } */
    struct plan_topic *topic; /* whom a lost and reopened link concerns, with the key as its one
                                 parameter; NULL: the leaseholders */
    struct link_policy policy;
    uint32_t queue_max; /* events that wait for their handler before the link is paused; 256 */
    struct plan_handler *handlers;
    size_t handler_count;
};

/* Foreign messages: what others publish on a Redis server. */
struct plan_source {
    struct atom *name;
    struct plan_place place;
    struct atom *url, *channel;
    bool pattern; /* the channel is one, as Redis has them: "realtime:*" */
    struct plan_topic **topics; /* whom a gap concerns; none: all of the app */
    size_t topic_count;
    uint32_t queue_max; /* messages that wait for their handler; what comes above is a gap */
    struct plan_handler *handlers; /* of "message", or "*" */
    size_t handler_count;
};

/* What streams and routes have in common. */
struct plan_endpoint {
    struct atom *name;
    struct plan_place place;
    struct atom *method; /* "GET" for streams and statics */
    struct pattern *path;
    hook identity; /* 0: everybody is let in, with no user */
    struct atom **origins; /* exact origins that may send credentials; "*" only without identity */
    size_t origin_count;
    struct bucket_limit rate; /* of one address, or of one user; rate 0: none of its own */
    bool rate_of_user;
};

enum refusal { REFUSE_STATUS, REFUSE_RETRY };

/* Names of query parameters that mean one thing: letters, digits, "_-.~". */
struct plan_parameters {
    struct atom **names;
    size_t count;
};

struct plan_stream {
    struct plan_endpoint at;
    hook topics;     /* (req, sub) -> a topic name or a list of them; nil: none */
    hook connect;    /* (sub) */
    hook disconnect; /* (sub, reason) */
    struct plan_upstream **upstreams;
    size_t upstream_count;
    struct subscriber_options options;
    struct plan_parameters asks_topic;  /* what asks for a topic; none: clients may not ask */
    struct plan_parameters asks_cursor; /* what says the last event id, where no header does */
    enum refusal refusal;
    uint64_t lifetime_ms; /* 0: none; ends at a random point of the last fifth */
    uint32_t topics_max;  /* that one subscriber may have; 64 */
    uint32_t per_user, per_address; /* open at once; 0: no bound of its own */
};

struct plan_route {
    struct plan_endpoint at;
    hook run; /* (req, params) -> status[, body] | { status, headers, body | json | html } */
};

/* Where events are published over HTTP. */
struct plan_ingest {
    struct plan_endpoint at; /* identity: of the publisher; 0: `keys` say it, or everybody may */
    struct atom **keys;      /* any of them, as a bearer token, is an app's */
    size_t key_count;
    bool any_user;           /* whoever may publish here says whose an event is */
    hook run;                /* of the library: has the handlers of all events of a request run */
    struct plan_handler *handlers;
    size_t handler_count;
    bool ignores_unknown;    /* an event without a handler is no error */
    uint32_t batch_max;      /* events of one request */
    uint32_t waiting_max;    /* requests of one publisher that wait */
    uint32_t kept_max;       /* answers that are kept for who asks again; 0: none */
    uint64_t kept_ms;
};

struct plan_static {
    struct plan_endpoint at; /* path: the prefix, "/" or "/assets", with or without a '/' behind */
    char *directory;         /* absolute, or relative to the process's own */
    struct atom *cache_control;
};

struct plan_every {
    struct atom *name;
    struct plan_place place;
    uint64_t period_ms;
    hook run;
};

struct plan {
    struct atom *app;
    struct plan_topic **topics;
    size_t topic_count;
    struct plan_upstream **upstreams;
    size_t upstream_count;
    struct plan_source **sources;
    size_t source_count;
    struct plan_stream **streams;
    size_t stream_count;
    struct plan_route **routes;
    size_t route_count;
    struct plan_ingest **ingests;
    size_t ingest_count;
    struct plan_static **statics;
    size_t static_count;
    struct plan_every **everys;
    size_t every_count;
    uint64_t handler_deadline_ms; /* waiting; from the config */
};

struct plan *plan_new(struct bytes app);
void plan_free(struct plan *plan);

/* Each adds a zeroed declaration that the caller fills; the plan owns it, its patterns, atoms,
 * arrays and texts. */
struct plan_topic *plan_add_topic(struct plan *plan);
struct plan_upstream *plan_add_upstream(struct plan *plan);
struct plan_source *plan_add_source(struct plan *plan);
struct plan_stream *plan_add_stream(struct plan *plan);
struct plan_route *plan_add_route(struct plan *plan);
struct plan_ingest *plan_add_ingest(struct plan *plan);
struct plan_static *plan_add_static(struct plan *plan);
struct plan_every *plan_add_every(struct plan *plan);

/* Checks the whole: clashing names and paths, ambiguous topic patterns, an upstream's topic with
 * one parameter, no upstream twice in a stream, origins. True, or false with one line a fault in
 * `errors`, each "file:line: what is wrong, what to do". */
bool plan_finish(struct plan *plan, struct buf *errors);

/* What is no fault of a finished plan, but hardly meant: one line a doubt in `doubts`, each
 * "file:line: what will happen, what to do". */
void plan_doubt(const struct plan *plan, struct buf *doubts);

/* Streams, routes and ingests as one list: what requests are matched against. */
size_t plan_endpoints(const struct plan *plan);
const struct plan_endpoint *plan_endpoint(const struct plan *plan, size_t index);

/* One request could mean both, and neither is more literal. */
bool plan_endpoints_clash(const struct plan_endpoint *a, const struct plan_endpoint *b);

/* The prefix without a '/' at its end: empty for "/". */
struct bytes plan_static_prefix(const struct plan_static *files);
bool plan_statics_clash(const struct plan_static *a, const struct plan_static *b);

/* The topic declaration that a name belongs to: the most literal match, or NULL. The match, which
 * may be NULL, is filled (empty if there is none); pattern_match_destroy it. */
struct plan_topic *plan_topic_of(const struct plan *plan, struct bytes name,
                                 struct pattern_match *match);

/* Is a trigger of this type one that the topic's declaration lists, or does it list none? */
bool plan_topic_has_type(const struct plan_topic *topic, struct bytes type);

/* The declaration of this name, or NULL. */
struct plan_stream *plan_stream_named(const struct plan *plan, const struct atom *name);
struct plan_upstream *plan_upstream_named(const struct plan *plan, const struct atom *name);
struct plan_source *plan_source_named(const struct plan *plan, const struct atom *name);
struct plan_ingest *plan_ingest_named(const struct plan *plan, const struct atom *name);
struct plan_every *plan_every_named(const struct plan *plan, const struct atom *name);

/* The handler of an event that a link brought: the exact one, else "*", else 0. An upstream cannot
 * speak for the link: what it calls "@open" is for "*" at most. */
hook plan_handler_of(const struct plan_upstream *upstream, struct bytes type);

/* That of a source's messages. */
hook plan_message_handler_of(const struct plan_source *source);

/* The same for an event that was published. */
hook plan_published_handler_of(const struct plan_ingest *ingest, struct bytes type);

/* The handler of an event of the link's own life: "@open", "@lost", "@unauthorized"; or 0. */
hook plan_life_handler_of(const struct plan_upstream *upstream, struct bytes type);
