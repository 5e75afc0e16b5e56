/* A seat is remembered by its number, which is never used twice: one that has ended
 * meanwhile is not found. Numbers rise, so their order is that in which streams
 * came, and a replay opens them in that order. */
#include "server/roll.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "engine/node.h"
#include "engine/seat.h"
#include "engine/seats.h"
#include "hub/subscriber.h"
#include "loop/loop.h"
#include "server/server.h"
#include "tape/taps.h"

enum { PORTION = 64 };

struct roll_entry {
    struct app *app;
    uint64_t number;
};

/* ---- one stream ---- */

static bool is_app(const struct node *node, const struct app *app)
{
    for (size_t i = 0; i < node_apps(node); i++)
        if (node_app(node, i) == app) return true;
    return false;
}

static struct bytes *name_topics(const struct subscriber *subscriber, size_t count)
{
    struct bytes *names = xcalloc(count, sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = atom_bytes(topic_name(subscriber_topic(subscriber, (uint32_t)i)));
    return names;
}

static bool note(struct roll *roll, const struct seat *seat, const struct subscriber *subscriber)
{
    const size_t count = subscriber_topic_count(subscriber);
    const struct identity *who = seat_identity(seat);
    struct bytes *names = name_topics(subscriber, count);
    struct http_request request = {.kept = true};
    seat_request(seat, &request);
    const struct tap_stream stream = {.app = atom_bytes(app_plan(seat->app)->app),
                                      .name = atom_bytes(seat->stream->at.name),
                                      .path = request.path,
                                      .query = request.query,
                                      .user = atom_bytes(who->user),
                                      .tag = atom_bytes(seat_tag(seat)),
                                      .data = atom_bytes(who->data),
                                      .topics = names,
                                      .topic_count = count};
    const bool noted = taps_note_stream(roll->_taps, subscriber_sink(subscriber), &stream);
    xfree(names);
    return noted;
}

/* Its stream, if it is still open, or by now. */
static void call(struct roll *roll, const struct roll_entry *entry)
{
    if (!is_app(roll->_server->node, entry->app)) return;
    const struct seat *seat = seat_find(entry->app, entry->number);
    const struct subscriber *subscriber = seat ? seat_subscriber(seat) : NULL;
    if (!subscriber || !subscriber_sink(subscriber)) return;
    if (note(roll, seat, subscriber)) roll->_noted++;
}

/* ---- all of them ---- */

static void write_end(struct entry *entry, const void *ctx)
{
    const struct roll *roll = ctx;
    entry_number(entry, "streams", (long long)roll->_noted);
    entry_number(entry, "ended", (long long)(roll->_count - roll->_noted));
}

static void finish(struct roll *roll)
{
    tape_add(roll->_taps->tape, "noted", write_end, roll);
    roll_stop(roll);
}

static void work(struct job *job)
{
    struct roll *roll = CONTAINER(job, struct roll, _job);
    const struct tape *tape = roll->_taps->tape;
    for (int i = 0; i < PORTION && roll->_next < roll->_count; i++) {
        if (tape_over(tape) || tape_bytes(tape).size > roll->_room) return;
        call(roll, &roll->_entries[roll->_next++]);
    }
    if (roll->_next < roll->_count)
        later_post(loop_later(roll->_server->loop), LATER_LAST, job);
    else
        finish(roll);
}

static int by_age(const void *a, const void *b)
{
    const struct roll_entry *one = a, *two = b;
    return (one->number > two->number) - (one->number < two->number);
}

static void take_down(struct roll *roll, struct app *app)
{
    const struct seats *seats = app_seats(app);
    const size_t first = roll->_count;
    uint32_t index = 0;
    struct seat *seat;
    if (!seats->count) return;
    roll->_entries =
        xrealloc(roll->_entries, (first + seats->count) * sizeof(struct roll_entry));
    while ((seat = seats_next(seats, &index)))
        roll->_entries[roll->_count++] = (struct roll_entry){app, seat_number(seat)};
    qsort(roll->_entries + first, roll->_count - first, sizeof(struct roll_entry), by_age);
}

void roll_begin(struct roll *roll)
{
    const struct node *node = roll->_server->node;
    roll->_next = roll->_noted = 0;
    for (size_t i = 0; i < node_apps(node); i++) take_down(roll, node_app(node, i));
    work(&roll->_job);
}

void roll_go_on(struct roll *roll)
{
    if (roll->_entries) later_post(loop_later(roll->_server->loop), LATER_LAST, &roll->_job);
}

void roll_stop(struct roll *roll)
{
    later_cancel(&roll->_job);
    xfree(roll->_entries);
    roll->_entries = NULL;
    roll->_count = 0;
}

void roll_create(struct roll *roll, struct server *server, struct taps *taps, size_t room)
{
    *roll = (struct roll){._server = server, ._taps = taps, ._room = room};
    job_create(&roll->_job, work);
}
