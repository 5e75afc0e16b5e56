/* scene: the scenes: each opens what it needs at the target, measures one window and prints one
 * report. What they all leave open at their end goes with the process. */
#pragma once

#include "net.h"
#include "window.h"

struct options {
    const char *host; /* the first target as text */
    struct net_targets targets; /* several nodes of a cluster: streams and publishers go to them in turn */
    unsigned server; /* the pid whose CPU and memory count; 0: nobody's */
    struct window_others others; /* whose CPU counts, too */
    unsigned streams;
    const char *stream_path; /* a template; %d is the stream's number */
    unsigned await_ready;    /* a stream is open at its `ready` event, not at its first byte */
    const char *post_path;   /* templates */
    const char *post_body;
    const char *header; /* one more of each post that goes to nobody; NULL: none */
    unsigned posts;              /* in one round of a fan-out */
    unsigned frames;             /* that each post brings to each stream */
    unsigned connections, depth; /* of the publisher */
    unsigned at_once;            /* connects under way */
    unsigned users;              /* that connects go round */
    unsigned feed_port;
    const char *feed_payload;
    double rate; /* events a second for the latency of links */
    double seconds;
};

/* User-space bytes a stream costs the server: its PSS before and after they are open. */
void scene_idle(const struct options *options);

/* Every post reaches every stream. One round after the other: post, wait for all, again. */
void scene_fanout(const struct options *options);

/* Every post reaches one stream, the one of its number; published as fast as it is answered. */
void scene_private(const struct options *options);

/* Connects and closes. */
void scene_connects(const struct options *options);

/* Publishes to nobody, as fast as it is answered. */
void scene_publish(const struct options *options);

/* All users come back at once, with the id of an event since which `posts` others were published. */
void scene_resumes(const struct options *options);

/* The same fan-outs twice: to readers only, and to the same readers and one that reads nothing. */
void scene_stalled(const struct options *options);

/* Every stream's user has an upstream link to the generator. First as many events as the server
 * takes with one under way a link, for the throughput; then a fixed rate, for the latency. */
void scene_linked(const struct options *options);

/* Rooms of ten streams, events at a fixed rate over 20 links; every stream checks that its events
 * are complete, in order and single. */
void scene_sequences(const struct options *options);
