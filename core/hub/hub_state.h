/* hub_state: what a hub is made of, for the rooms of the hub. */
#pragma once

#include "base/list.h"
#include "hub/control.h"
#include "hub/fanout.h"
#include "hub/forgotten.h"
#include "hub/hub.h"
#include "hub/latency.h"
#include "hub/lookup.h"
#include "hub/told.h"
#include "hub/window.h"
#include "ports/bus.h"
#include "ports/later.h"

struct hub {
    struct hub_ports ports;
    struct hub_limits limits;
    struct hub_counters counters;

    struct lookup topics_by_name;
    struct list topics;
    struct lookup users; /* one subscriber of each user */
    struct lookup tags;  /* those with a user and a tag, by both */
    struct list subscribers;

    struct fanout fanout;
    struct list flushing; /* subscribers that have something for their sinks */
    struct job flush;
    struct latency latency;

    struct list ended, unused; /* subscribers and topics to bury at the end of the turn */
    struct job bury;

    struct windows windows;
    struct forgotten forgotten;
    struct told told;
    struct question *spare_question;
    struct control_beats beats;
};

static inline uint64_t hub_now(const struct hub *hub)
{
    return hub->ports.clock->now_ms;
}

/* What the journal is told, if there is one: see ports/journal.h. */
static inline void hub_note_placed(const struct hub *hub, const struct placing *placing,
                                   const struct emission *emission)
{
    struct journal *journal = hub->ports.journal;
    if (journal && journal->placed) journal->placed(journal, placing, emission);
}

static inline void hub_note_limited(const struct hub *hub, struct atom *topic,
                                    const struct emission *emission)
{
    struct journal *journal = hub->ports.journal;
    if (journal && journal->limited) journal->limited(journal, topic, emission);
}

static inline void hub_note_merged(const struct hub *hub, struct atom *topic,
                                   const struct emission *emission)
{
    struct journal *journal = hub->ports.journal;
    if (journal && journal->merged) journal->merged(journal, topic, emission);
}

static inline void hub_note_spared(const struct hub *hub, uint64_t position,
                                   const struct subscriber *subscriber, enum spared reason)
{
    struct journal *journal = hub->ports.journal;
    if (journal && journal->spared) journal->spared(journal, position, subscriber, reason);
}

static inline void hub_note_resumed(const struct hub *hub, uint64_t position,
                                    const struct subscriber *subscriber)
{
    struct journal *journal = hub->ports.journal;
    if (journal && journal->resumed) journal->resumed(journal, position, subscriber);
}

/* See that the ended and unused are buried at the end of this turn. */
void hub_bury(struct hub *hub);
