/* A carriage is sent to each server that has some of its topics, and is done when all have answered.
 *
 * The server that has the terms - a claim's record, or what is remembered - comes last: when it has done its part, all
 * is done. What is remembered stands on the others, too, each with its own part: who asks again, because some of it was
 * done and some not, has the rest done. */
#include "engine/carriage.h"

#include "base/alloc.h"
#include "engine/carrier_state.h"
#include "engine/ports.h"
#include "engine/remembered.h"
#include "engine/terms.h"
#include "event/parcel.h"
#include "hub/order.h"

/* One trigger; its bytes are offsets into the carriage's. */
struct freight {
    uint32_t server;
    struct atom *topic; /* the hub's name; a reference */
    size_t name_at, name_size, parcel_at, parcel_size;
    uint32_t history_size;
    uint64_t history_ttl_ms, retain_ttl_ms;
    bool retain, retain_only;
    bool local; /* may go to this node's subscribers alone, */
    bool here;  /* and does: its server is away */
};

struct carriage {
    struct carrier *carrier;
    struct list node;
    struct freight *freight;
    size_t count, capacity;
    struct buf bytes;
    carried_f *done; /* NULL: nobody waits, or not any more */
    void *owner;
    bool owing; /* its topics are told if it fails */
    struct places places;
    bool terms;
    uint32_t terms_server;
    struct buf record, rest, memo; /* copies: the call may be over before the last server's turn */
    struct buf hash;
    uint64_t record_ttl_ms, fence;
    struct buf claim;
    uint32_t open; /* servers that have not answered */
    bool last;     /* only the terms' server is open */
    bool some;     /* a server has done its part */
    const char *code;
    struct buf sentence;
    struct job job;
};

static void settle(struct job *job);

struct carriage *carriage_new(struct carrier *carrier)
{
    struct carriage *carriage = xcalloc(1, sizeof(*carriage));
    carriage->carrier = carrier;
    list_create(&carriage->node);
    list_append(&carrier->carriages, &carriage->node);
    job_create(&carriage->job, settle);
    return carriage;
}

static void carriage_free(struct carriage *carriage)
{
    later_cancel(&carriage->job);
    list_remove(&carriage->node);
    for (size_t i = 0; i < carriage->count; i++) atom_unref(carriage->freight[i].topic);
    xfree(carriage->freight);
    buf_destroy(&carriage->bytes);
    buf_destroy(&carriage->record);
    buf_destroy(&carriage->rest);
    buf_destroy(&carriage->memo);
    buf_destroy(&carriage->hash);
    buf_destroy(&carriage->claim);
    buf_destroy(&carriage->sentence);
    xfree(carriage);
}

static struct bytes optional(const struct atom *atom)
{
    return atom ? atom_bytes(atom) : (struct bytes){NULL, 0};
}

void carriage_load(struct carriage *carriage, struct bytes name, const struct topic_options *options,
                   uint32_t server, const struct emission *emission, bool retain_only)
{
    struct carrier *carrier = carriage->carrier;
    if (carriage->count == carriage->capacity) {
        carriage->capacity = carriage->capacity ? carriage->capacity * 2 : 2;
        carriage->freight =
            xrealloc(carriage->freight, carriage->capacity * sizeof(*carriage->freight));
    }
    struct freight *freight = &carriage->freight[carriage->count++];
    *freight = (struct freight){.server = server,
                                .topic = atom_get(name),
                                .history_size = options->history_size,
                                .history_ttl_ms = options->history_ttl_ms,
                                .retain = options->retain && emission->type,
                                .retain_only = retain_only,
                                .retain_ttl_ms = options->retain_ttl_ms,
                                .local = options->away_local};
    freight->name_at = carriage->bytes.size;
    carrier_name(carrier, name, &carriage->bytes);
    freight->name_size = carriage->bytes.size - freight->name_at;
    freight->parcel_at = carriage->bytes.size;
    char urn[TOPIC_URN_SIZE + 1];
    struct bytes id = emission->id.size ? emission->id : (struct bytes){NULL, 0};
    if (options->publisher_ids && !id.size) /* the same on all nodes */
        id = topic_write_urn(carrier->ports.ports->random, urn);
    const struct parcel parcel = {.type = optional(emission->type),
                                  .data = emission->data,
                                  .replaces = optional(emission->replaces),
                                  .user = optional(emission->user),
                                  .tag = optional(emission->tag),
                                  .meta = optional(emission->meta),
                                  .id = id,
                                  .node = cluster_node(carrier->joint->cluster),
                                  .cause = emission->cause,
                                  .retry_ms = emission->retry_ms};
    parcel_write(&carriage->bytes, &parcel);
    freight->parcel_size = carriage->bytes.size - freight->parcel_at;
}

/* ---- going out ---- */

static void on_answer(void *owner, const struct trunk_answer *answer);

static void send_to(struct carriage *carriage, uint32_t server, bool with_terms)
{
    struct trunk_item *items = xcalloc(carriage->count ? carriage->count : 1, sizeof(*items));
    struct trunk_terms terms = {0};
    size_t count = 0;
    for (size_t i = 0; i < carriage->count; i++) {
        const struct freight *freight = &carriage->freight[i];
        if (freight->server != server) continue;
        const char *bytes = carriage->bytes.data;
        items[count++] =
            (struct trunk_item){.topic = bytes_run(bytes + freight->name_at, freight->name_size),
                                .parcel = bytes_run(bytes + freight->parcel_at, freight->parcel_size),
                                .history_size = freight->history_size,
                                .history_ttl_ms = freight->history_ttl_ms,
                                .retain = freight->retain,
                                .retain_only = freight->retain_only,
                                .retain_ttl_ms = freight->retain_ttl_ms};
    }
    if (with_terms) {
        terms.claim = buf_bytes(&carriage->claim);
        terms.fence = carriage->fence;
        terms.memo_given = carriage->memo.data != NULL;
        terms.memo = buf_bytes(&carriage->memo);
        terms.record_rest = buf_bytes(&carriage->rest);
    }
    terms.record = buf_bytes(&carriage->record);
    terms.record_hash = buf_bytes(&carriage->hash);
    terms.record_ttl_ms = carriage->record_ttl_ms;
    carriage->open++;
    trunk_publish(carriage->carrier->joint->trunk, server, items, count, &terms, on_answer, carriage);
    xfree(items);
}

/* A bit a server that takes some of it. */
static uint32_t servers_of(const struct carriage *carriage)
{
    uint32_t servers = 0;
    for (size_t i = 0; i < carriage->count; i++)
        if (!carriage->freight[i].here) servers |= 1u << carriage->freight[i].server;
    return servers;
}

/* In front of the caller's part: see remembered.h. */
static void write_base(struct carriage *carriage)
{
    struct buf rest = BUF_EMPTY;
    if (!carriage->record.size) return;
    remembered_base(&rest, &carriage->places, cluster_servers(carriage->carrier->joint->cluster));
    buf_add_bytes(&rest, buf_bytes(&carriage->rest));
    buf_destroy(&carriage->rest);
    carriage->rest = rest;
}

static void send_last(struct carriage *carriage)
{
    carriage->last = true;
    write_base(carriage);
    send_to(carriage, carriage->terms_server, true);
}

/* Before anything is sent: all of it can be, or delivered here. */
static bool can_go(struct carriage *carriage)
{
    const struct cluster *cluster = carriage->carrier->joint->cluster;
    bool all_local = true;
    for (size_t i = 0; i < carriage->count; i++) {
        struct freight *freight = &carriage->freight[i];
        freight->here = !cluster_here(cluster, freight->server);
        if (freight->here && !freight->local) return false;
        all_local = all_local && freight->local;
    }
    if (!carriage->terms || cluster_here(cluster, carriage->terms_server)) return true;
    if (carriage->claim.size || !all_local) return false;
    carriage->terms = false; /* then this node alone remembers it */
    return true;
}

static void end_soon(struct carriage *carriage)
{
    later_post(carriage->carrier->ports.ports->later, LATER_SOON, &carriage->job);
}

static void refuse(struct carriage *carriage)
{
    carriage->code = "away";
    buf_add_text(&carriage->sentence, "the server is not here");
    trunk_note_refused(carriage->carrier->joint->trunk, carriage->count);
    end_soon(carriage);
}

static void send(struct carriage *carriage)
{
    carriage->places = carriage->carrier->ports.ports->order->heard;
    if (!can_go(carriage)) {
        refuse(carriage);
        return;
    }
    uint32_t servers = servers_of(carriage);
    if (carriage->terms) servers &= ~(1u << carriage->terms_server);
    for (uint32_t server = 0; server < CLUSTER_SERVERS; server++)
        if (servers & 1u << server) send_to(carriage, server, false);
    if (!carriage->open && carriage->terms) send_last(carriage);
    if (!carriage->open) end_soon(carriage);
}

/* ---- the answer ---- */

/* Nobody does it again: those who have the topics are told as soon as that can be. What was fenced off is told by who
 * has the claim now. */
static bool is_owed(const struct carriage *carriage)
{
    return carriage->code && strcmp(carriage->code, "fenced") != 0 &&
           (carriage->owing || !carriage->done);
}

static void owe(struct carriage *carriage)
{
    struct carrier *carrier = carriage->carrier;
    if (carrier_says(carrier, SAID_OWED))
        LOG(carrier->ports.ports->log, LOG_ERROR, "triggers were not published",
            F_TEXT("why", carriage->code), F_BYTES("sentence", buf_bytes(&carriage->sentence)),
            F_NUMBER("triggers", carriage->count));
    for (size_t i = 0; i < carriage->count; i++)
        carrier_owe(carrier, carriage->freight[i].topic, carriage->freight[i].server);
}

static void unload(const struct carriage *carriage,
                   void (*each)(struct carrier *carrier, const struct freight *freight,
                                const struct emission *emission))
{
    struct emission emission;
    for (size_t i = 0; i < carriage->count; i++) {
        const struct freight *freight = &carriage->freight[i];
        const struct bytes parcel =
            bytes_run(carriage->bytes.data + freight->parcel_at, freight->parcel_size);
        if (!carrier_unpack(carriage->carrier, parcel, &emission)) continue;
        each(carriage->carrier, freight, &emission);
        carrier_drop(&emission);
    }
}

static void note_unpublished(struct carrier *carrier, const struct freight *freight,
                             const struct emission *emission)
{
    carrier->ports.unpublished(carrier->ports.owner, freight->topic, emission);
}

/* Where somebody has the topic it is heard at once; others hear that there was something. */
static void deliver_here(struct carrier *carrier, const struct freight *freight,
                         const struct emission *emission)
{
    if (!freight->here) return;
    struct topic *topic = hub_topic_find(*carrier->ports.hub, atom_bytes(freight->topic));
    if (topic && freight->retain_only)
        topic_load_retained(topic, emission, carrier->ports.ports->clock->now_ms);
    else if (topic)
        topic_receive_here(topic, emission);
    carrier_owe(carrier, freight->topic, freight->server);
}

static void deliver_all_here(const struct carriage *carriage)
{
    bool here = false;
    for (size_t i = 0; i < carriage->count; i++) here = here || carriage->freight[i].here;
    if (here) unload(carriage, deliver_here);
}

/* What Redis itself refused is nothing that passes by itself: an operator must hear it, now and then. */
static void tell_refused(struct carriage *carriage)
{
    struct carrier *carrier = carriage->carrier;
    if (strcmp(carriage->code, "error") != 0 || !carrier_says(carrier, SAID_REFUSED)) return;
    LOG(carrier->ports.ports->log, LOG_ERROR, "redis refuses publishes",
        F_BYTES("app", atom_bytes(carrier->ports.app)), F_TEXT("why", buf_text(&carriage->sentence)));
}

static void finish(struct carriage *carriage, struct bytes again)
{
    struct carrier *carrier = carriage->carrier;
    const struct carried carried = {carriage->code, buf_text(&carriage->sentence), again,
                                    carriage->places};
    if (carriage->code) {
        carrier->failed += carriage->count;
        tell_refused(carriage);
        unload(carriage, note_unpublished);
    } else if (!again.data) {
        deliver_all_here(carriage);
    }
    if (is_owed(carriage)) owe(carriage);
    if (carriage->done) carriage->done(carriage->owner, &carried);
    carriage_free(carriage);
}

/* There was nothing to send. */
static void settle(struct job *job)
{
    finish(CONTAINER(job, struct carriage, job), (struct bytes){NULL, 0});
}

static struct bytes read_record(struct carriage *carriage, struct bytes record)
{
    struct bytes rest = {NULL, 0};
    if (!remembered_read(record, buf_bytes(&carriage->hash), carriage->terms_server, &carriage->places, &rest))
        carriage->code = "other";
    return rest;
}

static void note_done(struct carriage *carriage, uint32_t server, uint64_t newest)
{
    carriage->some = true;
    if (newest > carriage->places.at[server]) carriage->places.at[server] = newest;
}

/* A server that did its part already, for who asked before and was not answered, does not do it again. */
static void note_part(struct carriage *carriage, const struct trunk_answer *answer)
{
    struct places before = {{0}};
    struct bytes rest;
    uint64_t newest = answer->newest;
    if (answer->again.data && !carriage->last) {
        if (!remembered_read(answer->again, buf_bytes(&carriage->hash), answer->server, &before, &rest)) {
            carriage->code = "other";
            return;
        }
        newest = before.at[answer->server];
    }
    note_done(carriage, answer->server, newest);
}

static void on_answer(void *owner, const struct trunk_answer *answer)
{
    struct carriage *carriage = owner;
    carriage->open--;
    if (answer->code && !carriage->code) {
        carriage->code = answer->code;
        buf_add_text(&carriage->sentence, answer->sentence ? answer->sentence : answer->code);
    }
    if (!answer->code) note_part(carriage, answer);
    if (carriage->open) return;
    if (carriage->code && carriage->some) carriage->code = "lost"; /* of others it is there */
    if (!carriage->code && carriage->terms && !carriage->last)
        send_last(carriage);
    else
        finish(carriage, answer->again.data && !carriage->code ? read_record(carriage, answer->again)
                                                               : (struct bytes){NULL, 0});
}

/* ---- the face ---- */

/* It is copied, because the call may be over before its server's turn. */
static void take_terms(struct carriage *carriage, const struct terms *terms, struct bytes result)
{
    const struct joint *joint = carriage->carrier->joint;
    carriage->terms = true;
    if (terms->claim.size) {
        const struct bytes memo = terms->memo ? terms->memo(terms) : (struct bytes){NULL, 0};
        carriage->terms_server = terms->claim_server;
        carriage->fence = terms->fence;
        buf_add_bytes(&carriage->claim, terms->claim);
        if (memo.data) {
            buf_reserve(&carriage->memo, 1);
            buf_add_bytes(&carriage->memo, memo);
        }
    }
    if (terms->record.size) {
        carriage->terms_server = cluster_server_of(joint->cluster, terms->record);
        carriage->record_ttl_ms = terms->record_ttl_ms;
        buf_add_bytes(&carriage->record, terms->record);
        buf_add_bytes(&carriage->hash, terms->record_hash);
        if (terms->write_rest) terms->write_rest(terms, result, &carriage->rest);
    }
}

void carriage_send(struct carriage *carriage, const struct terms *terms, struct bytes result,
                   carried_f *done, void *owner)
{
    carriage->done = done;
    carriage->owner = owner;
    if (terms) take_terms(carriage, terms, result);
    send(carriage);
}

void carriage_give_up(struct carriage *carriage)
{
    carriage->done = NULL;
}

void carriage_owe(struct carriage *carriage)
{
    carriage->owing = true;
}

void carriages_free(struct list *carriages)
{
    LIST_EACH(node, carriages) carriage_free(CONTAINER(node, struct carriage, node));
}
