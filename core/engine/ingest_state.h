/* ingest_state: what a publish is made of, for its rooms: ingest.c (from the request to its answer) and
 * ingest_once.c (whether it has been asked before, here or on another node). */
#pragma once

#include "engine/app.h"
#include "engine/errand.h"
#include "engine/idempotency.h"
#include "engine/ingest.h"
#include "engine/publication.h"
#include "engine/publishers.h"
#include "engine/reservation.h"
#include "engine/terms.h"

enum { WAITING_MAX = 4096 };

/* What stays of an ingest. */
struct intake {
    struct list node;
    struct atom *name;
    struct publishers publishers;
    struct idempotency kept;
    uint32_t under_way, parked; /* parked: wait for the answer of another */
};

struct publish {
    struct app *app;
    struct intake *intake;
    struct generation *generation; /* that `ingest` is of; held */
    const struct plan_ingest *ingest;
    struct exchange *exchange; /* NULL: its publisher has gone */
    struct publication *publication;
    struct record *record; /* its own, or that of the one it waits for */
    struct list node;      /* in the record's waiting; else alone */
    struct turn turn;
    struct job job;
    struct errand errand;
    bool first, handling; /* first: the record is its own */
    bool reserved;        /* among all nodes */
    struct reservation reservation;
    struct timer again;   /* looks whether another node has done it */
    struct terms terms;
};

/* ---- ingest.c ---- */

void publish_free(struct publish *publish);

/* An answer that is none of the rule's, and the end. */
void publish_fail(struct publish *publish, int status, const char *code, const char *message);
void publish_fail_other(struct publish *publish);

/* An answer that is kept: what is answered, without its last brace. */
void publish_respond_kept(struct publish *publish, struct bytes kept, bool duplicate);

/* The end of one that was published, now or before: `rest` as ingest_answer_rest wrote it. */
void publish_finish(struct publish *publish, const struct places *places, struct bytes rest,
                    bool duplicate);

/* Stands in line; once its turn has come it is handled. */
void publish_take_turn(struct publish *publish);
void publish_go_on(struct job *job);

/* Calls the handlers. */
void publish_run(struct publish *publish);

/* ---- ingest_once.c ---- */

/* Goes on with one that may go on: was it asked before? */
void publish_look_up(struct publish *publish);

/* The first has failed: who waited for its answer longest does it now. */
void publish_pass_on(struct publish *publish);

/* Its record is answered, and so are those who waited for it. */
void publish_keep(struct publish *publish, struct bytes answer);

/* Makes sure that no other node does it meanwhile, then runs it. Its turn has come. */
void publish_reserve(struct publish *publish);
void publish_look_again(struct timer *timer);

/* What a run is published under. */
const struct terms *publish_terms(struct publish *publish);
