/* options: what a rule file says of its topics and streams, as far as the hub
 * must know it. Plain values, kept by the plan, which outlives every use. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bucket.h"

struct atom;

enum event_name { EVENT_NAME_TYPE, EVENT_NAME_TOPIC, EVENT_NAME_NONE };

struct topic_options {
    uint32_t history_size;   /* triggers kept; 0: none */
    uint64_t history_ttl_ms; /* and for how long; 0: no matter how long */
    enum event_name name;    /* what stands in `event:` */
    bool publisher_ids;      /* `id:` is what the emit says, or a fresh urn:uuid; else a cursor */
    bool filtered;           /* verdicts are asked for every (trigger, subscriber); */
    bool audience;           /* they may be taken back, see recheck.h */
    bool attended;           /* the attendance port hears which users it has */
    bool retain;             /* the last trigger is kept for newcomers, */
    uint64_t retain_ttl_ms;  /* and for how long; 0: no matter how long */
    bool snapshot;           /* rules make one for newcomers, see snapshot.h */
    bool away_local;         /* while its server is away, this node's own subscribers get its triggers all the same */
    struct bucket_limit limit; /* triggers of one topic; burst 0: none */
    const void *owner;       /* the declaration, for who answers the verdicts */
};

enum suppress { SUPPRESS_SERVER, SUPPRESS_CLIENT, SUPPRESS_NONE };

/* How a stream says what became of the place that its client gave: by the event `ready`, or by a header
 * of the answer, which is not the hub's to write. Then no id of ours is shown to it. */
enum ready { READY_EVENT, READY_HEADER };

struct subscriber_options {
    uint32_t queue_frames; /* 256; what is replayed at the start comes on top */
    size_t queue_bytes;    /* 1 MiB; the frame being written counts */
    uint64_t stall_ms;     /* 30,000: blocked for longer is closed */
    uint64_t heartbeat_ms; /* 20,000; 0: none */
    struct atom *beat_name; /* the event that a heartbeat is, with beat_data; NULL: none */
    struct atom *beat_data;
    bool beat_always;      /* every heartbeat_ms; else only after silence */
    uint64_t retry_ms;     /* what `retry:` says at the start; 0: no line */
    uint64_t verdict_ms;   /* 2,000: an open verdict holds the queue no longer */
    uint32_t replay_max;   /* 300, and at most queue_bytes of them; more is a resync */
    enum suppress suppress;
    enum ready ready;
    bool earliest;         /* the cursor "earliest" means all that histories have */
};
