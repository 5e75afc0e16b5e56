/* An announcement is a word that says what it is about, then its parts: base/netstring.h. Of streams that are ended for
 * good many are told in one, so that sending everybody away is not an announcement each. */
#include "engine/everywhere.h"

#include "base/alloc.h"
#include "base/atom.h"
#include "base/netstring.h"
#include "engine/app.h"
#include "engine/attach.h"
#include "engine/audience.h"
#include "engine/farewell.h"
#include "engine/finals.h"
#include "engine/joint.h"
#include "hub/order.h"

enum { FINALS_BYTES = 64 << 10 }; /* an announcement's at most */

/* Streams that are to be ended. */
struct parting {
    struct list node;
    struct atom *user, *tag; /* references; NULL: all */
    struct buf event, data;
    bool final;
    struct places behind; /* what must have come before */
    uint64_t until_ms;
};

static const struct engine_ports *ports_of(const struct everywhere *everywhere)
{
    return app_ports(everywhere->_app);
}

static struct joint *joint_of(const struct everywhere *everywhere)
{
    return ports_of(everywhere)->joint;
}

static void tell(struct everywhere *everywhere, const struct buf *payload)
{
    announce(joint_of(everywhere)->announcements, everywhere->_announced.name, buf_bytes(payload));
}

/* ---- ending streams ---- */

static struct atom *atom_meant(struct bytes name)
{
    return name.data ? atom_get(name) : NULL;
}

static uint32_t end_streams(struct everywhere *everywhere, struct bytes user, struct bytes tag,
                            const struct farewell *farewell)
{
    struct atom *whom = atom_meant(user), *which = atom_meant(tag);
    hub_fan_out(app_hub(everywhere->_app)); /* what was published before goes out before */
    const uint32_t count = attach_kick(everywhere->_app, whom, which, farewell);
    atom_unref(whom);
    atom_unref(which);
    return count;
}

static void parting_free(struct parting *parting)
{
    list_remove(&parting->node);
    atom_unref(parting->user);
    atom_unref(parting->tag);
    buf_destroy(&parting->event);
    buf_destroy(&parting->data);
    xfree(parting);
}

static void part(struct everywhere *everywhere, struct parting *parting)
{
    const struct farewell farewell = {buf_bytes(&parting->event), buf_bytes(&parting->data), parting->final};
    end_streams(everywhere, atom_bytes(parting->user), atom_bytes(parting->tag), &farewell);
    parting_free(parting);
}

static bool has_come(const struct everywhere *everywhere, const struct places *behind)
{
    return !order_is_behind(ports_of(everywhere)->order, behind);
}

static void look_soon(struct everywhere *everywhere)
{
    joint_catch_up(joint_of(everywhere)); /* of topics that nobody has here nothing else comes */
    clock_after(ports_of(everywhere)->clock, &everywhere->_timer, EVERYWHERE_LOOK_MS);
}

/* In their order. */
static void look(struct timer *timer)
{
    struct everywhere *everywhere = CONTAINER(timer, struct everywhere, _timer);
    LIST_EACH(node, &everywhere->_partings) {
        struct parting *parting = CONTAINER(node, struct parting, node);
        const bool late = ports_of(everywhere)->clock->now_ms >= parting->until_ms;
        if (!late && !has_come(everywhere, &parting->behind)) break;
        part(everywhere, parting);
    }
    if (!list_empty(&everywhere->_partings)) look_soon(everywhere);
}

static void part_later(struct everywhere *everywhere, struct bytes user, struct bytes tag,
                       const struct farewell *farewell, const struct places *behind)
{
    struct parting *parting = xcalloc(1, sizeof(*parting));
    parting->user = atom_meant(user);
    parting->tag = atom_meant(tag);
    buf_add_bytes(&parting->event, farewell->event);
    buf_add_bytes(&parting->data, farewell->data);
    parting->final = farewell->final;
    parting->behind = *behind;
    parting->until_ms = ports_of(everywhere)->clock->now_ms + EVERYWHERE_PATIENCE_MS;
    list_create(&parting->node);
    if (list_empty(&everywhere->_partings)) look_soon(everywhere);
    list_append(&everywhere->_partings, &parting->node);
}

static uint32_t disconnect_behind(struct everywhere *everywhere, struct bytes user, struct bytes tag,
                                  const struct farewell *farewell, const struct places *behind)
{
    if (list_empty(&everywhere->_partings) && has_come(everywhere, behind))
        return end_streams(everywhere, user, tag, farewell);
    part_later(everywhere, user, tag, farewell, behind);
    return end_streams(everywhere, user, tag, NULL);
}

static void announce_parting(struct everywhere *everywhere, struct bytes user, struct bytes tag,
                             const struct farewell *farewell, const struct places *behind)
{
    char cursor[CURSOR_MAX];
    struct buf payload = BUF_EMPTY;
    const size_t size = cursor_write(&ports_of(everywhere)->order->epoch, behind, cursor);
    netstring_add(&payload, BYTES("disconnect"));
    netstring_add(&payload, user);
    netstring_add(&payload, tag);
    netstring_add(&payload, farewell->event);
    netstring_add(&payload, farewell->data);
    netstring_add_number(&payload, farewell->final);
    netstring_add(&payload, bytes_run(cursor, size));
    tell(everywhere, &payload);
    buf_destroy(&payload);
}

uint32_t everywhere_disconnect(struct everywhere *everywhere, struct bytes user, struct bytes tag,
                               const struct farewell *farewell)
{
    struct places behind;
    if (!joint_of(everywhere)) return end_streams(everywhere, user, tag, farewell);
    joint_reaches(joint_of(everywhere), &behind);
    announce_parting(everywhere, user, tag, farewell, &behind);
    return disconnect_behind(everywhere, user, tag, farewell, &behind);
}

/* Whoever the early ones meant was not here. */
static void hear_parting(struct everywhere *everywhere, struct bytes rest, bool early)
{
    struct bytes user, tag, cursor;
    struct farewell farewell;
    struct places behind;
    uint64_t final;
    if (early || !netstring_take(&rest, &user) || !netstring_take(&rest, &tag) ||
        !netstring_take(&rest, &farewell.event) || !netstring_take(&rest, &farewell.data) ||
        !netstring_take_number(&rest, &final) || !netstring_take(&rest, &cursor))
        return;
    farewell.final = final;
    if (!order_read(ports_of(everywhere)->order, cursor, &behind, NULL)) behind = (struct places){{0}};
    disconnect_behind(everywhere, user, tag, &farewell, &behind);
}

/* ---- for good ---- */

static void add_final(struct everywhere *everywhere, struct atom *stream, struct atom *user, struct atom *tag,
                      uint64_t age_ms)
{
    const uint64_t now_ms = ports_of(everywhere)->clock->now_ms;
    finals_add(app_finals(everywhere->_app), stream, user, tag, now_ms > age_ms ? now_ms - age_ms : 0);
}

static void announce_finals(struct everywhere *everywhere)
{
    if (!everywhere->_finals.size) return;
    tell(everywhere, &everywhere->_finals);
    buf_clear(&everywhere->_finals);
}

static void on_turn_s_end(struct job *job)
{
    announce_finals(CONTAINER(job, struct everywhere, _job));
}

void everywhere_final(struct everywhere *everywhere, struct atom *stream, struct atom *user, struct atom *tag)
{
    struct buf *payload = &everywhere->_finals;
    add_final(everywhere, stream, user, tag, 0);
    if (!joint_of(everywhere) || (!user && !tag)) return;
    if (!payload->size) netstring_add(payload, BYTES("final"));
    netstring_add(payload, atom_bytes(stream));
    netstring_add(payload, atom_bytes(user));
    netstring_add(payload, atom_bytes(tag));
    if (payload->size >= FINALS_BYTES) announce_finals(everywhere);
    later_post(ports_of(everywhere)->later, LATER_SOON, &everywhere->_job);
}

static void hear_finals(struct everywhere *everywhere, struct bytes rest, uint64_t age_ms)
{
    struct bytes stream, user, tag;
    if (age_ms >= FINALS_FOR_MS) return;
    while (netstring_take(&rest, &stream) && netstring_take(&rest, &user) && netstring_take(&rest, &tag)) {
        struct atom *where = atom_get(stream), *whom = atom_meant(user), *which = atom_meant(tag);
        add_final(everywhere, where, whom, which, age_ms);
        atom_unref(where);
        atom_unref(whom);
        atom_unref(which);
    }
}

/* ---- forgetting ---- */

/* What nobody here has as an atom nobody here has asked about. */
static void forget(struct everywhere *everywhere, struct bytes topic, struct bytes user)
{
    struct atom *about = topic.data ? atom_find(topic) : NULL, *whom = user.data ? atom_find(user) : NULL;
    if ((topic.data && !about) || (user.data && !whom)) return;
    audience_forget(app_audience(everywhere->_app), about, whom);
}

void everywhere_forget(struct everywhere *everywhere, struct bytes topic, struct bytes user)
{
    struct buf payload = BUF_EMPTY;
    if (joint_of(everywhere)) {
        netstring_add(&payload, BYTES("forget"));
        netstring_add(&payload, topic);
        netstring_add(&payload, user);
        tell(everywhere, &payload);
        buf_destroy(&payload);
    }
    forget(everywhere, topic, user);
}

static void hear_forget(struct everywhere *everywhere, struct bytes rest)
{
    struct bytes topic, user;
    if (netstring_take(&rest, &topic) && netstring_take(&rest, &user)) forget(everywhere, topic, user);
}

/* ---- what other nodes say ---- */

static void on_heard(struct announced *announced, struct bytes payload, uint64_t age_ms, bool early)
{
    struct everywhere *everywhere = CONTAINER(announced, struct everywhere, _announced);
    struct bytes about;
    if (!netstring_take(&payload, &about)) return;
    if (bytes_is(about, "disconnect")) hear_parting(everywhere, payload, early);
    if (bytes_is(about, "forget")) hear_forget(everywhere, payload);
    if (bytes_is(about, "final")) hear_finals(everywhere, payload, age_ms);
}

static void on_lost(struct announced *announced)
{
    struct everywhere *everywhere = CONTAINER(announced, struct everywhere, _announced);
    LOG(ports_of(everywhere)->log, LOG_WARN,
        "what other nodes announced is lost: answers of audiences are forgotten, streams stay",
        F_BYTES("app", announced->name));
    audience_forget(app_audience(everywhere->_app), NULL, NULL);
}

/* ---- life ---- */

void everywhere_create(struct everywhere *everywhere, struct app *app)
{
    *everywhere = (struct everywhere){._app = app, ._name = atom_ref(app_plan(app)->app)};
    everywhere->_announced = (struct announced){
        .name = atom_bytes(everywhere->_name), .heard = on_heard, .lost = on_lost};
    list_create(&everywhere->_announced._node);
    list_create(&everywhere->_partings);
    timer_init(&everywhere->_timer, look);
    job_create(&everywhere->_job, on_turn_s_end);
    if (joint_of(everywhere)) announcements_hear(joint_of(everywhere)->announcements, &everywhere->_announced);
}

void everywhere_destroy(struct everywhere *everywhere)
{
    announcements_hear_no_more(&everywhere->_announced);
    LIST_EACH(node, &everywhere->_partings) parting_free(CONTAINER(node, struct parting, node));
    clock_cancel(ports_of(everywhere)->clock, &everywhere->_timer);
    later_cancel(&everywhere->_job);
    buf_destroy(&everywhere->_finals);
    atom_unref(everywhere->_name);
}
