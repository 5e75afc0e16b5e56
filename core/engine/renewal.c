#include "engine/renewal.h"

#include "base/check.h"
#include "base/hash.h"
#include "engine/feed.h"

enum { WAITING_MAX = 16, FEEDS_A_ROUND = 64 };

static void run(struct job *job);

void renewals_create(struct renewals *renewals, struct app *app)
{
    *renewals = (struct renewals){._app = app};
    job_create(&renewals->_job, run);
}

void renewals_destroy(struct renewals *renewals)
{
    CHECK(renewals->_under_way == 0);
    later_cancel(&renewals->_job);
}

static void post(struct feed *feed)
{
    later_post(app_ports(feed->app)->later, LATER_LAST, &feed->feeds->renewals._job);
}

void renewal_due(struct feed *feed)
{
    renewal_drop(feed);
    feed->unrenewed = true;
    post(feed);
}

void renewal_drop(struct feed *feed)
{
    feed->unrenewed = false;
    if (!errand_waits(&feed->renewing)) return;
    errand_cancel(&feed->renewing);
    feed->feeds->renewals._under_way--;
    post(feed);
}

/* With its size in front, so that no byte can move from one field to the next. */
static void add(struct buf *fields, struct bytes field)
{
    buf_printf(fields, "%zu:", field.size);
    buf_add_bytes(fields, field);
}

uint64_t renewal_hash(const struct hook_result *result)
{
    struct buf fields = BUF_EMPTY;
    add(&fields, result->text);
    for (size_t i = 0; i < result->header_count; i++) {
        add(&fields, result->headers[i].name);
        add(&fields, result->headers[i].value);
    }
    const uint64_t hash = hash_bytes(fields.data, fields.size);
    buf_destroy(&fields);
    return hash;
}

static bool is_renewable(const struct feed *feed)
{
    const enum link_state state = feed->link ? link_state(feed->link) : LINK_CLOSED;
    return state == LINK_QUEUED || state == LINK_CONNECTING || state == LINK_OPEN;
}

/* Rules that fail, or give no request now, leave the link as it is: it works. */
static void on_answer(void *owner, const struct hook_result *result)
{
    struct feed *feed = owner;
    errand_over(&feed->renewing);
    feed->feeds->renewals._under_way--;
    post(feed);
    if (result->outcome != OUTCOME_YES || !is_renewable(feed)) return;
    const uint64_t hash = renewal_hash(result);
    if (hash == feed->request_hash) return;
    feed->request_hash = hash;
    LOG(app_ports(feed->app)->log, LOG_INFO, "link renewed: the rules ask for it otherwise",
        F_BYTES("upstream", atom_bytes(feed->upstream->name)), F_BYTES("key", atom_bytes(feed->key)));
    link_renew(feed->link, result->text, result->headers, result->header_count);
}

static void begin(struct feed *feed)
{
    const struct hook_call call = feed_request(feed);
    feed->unrenewed = false;
    feed->feeds->renewals._under_way++;
    errand_start(&feed->renewing, feed->generation, &call, on_answer, feed);
}

/* All feeds are looked through: they are few beside the streams. A link that is being asked for by the
 * rules of before is looked at when that is done. */
static void run(struct job *job)
{
    struct renewals *renewals = CONTAINER(job, struct renewals, _job);
    int begun = 0;
    LIST_EACH(node, &app_feeds(renewals->_app)->_all) {
        struct feed *feed = CONTAINER(node, struct feed, node);
        if (renewals->_under_way >= WAITING_MAX) return;
        if (!feed->unrenewed || !is_renewable(feed)) continue;
        begin(feed);
        if (++begun == FEEDS_A_ROUND) {
            post(feed);
            return;
        }
    }
}
