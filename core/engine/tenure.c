#include "engine/tenure.h"

#include "base/alloc.h"
#include "base/check.h"
#include "cluster/telling.h"
#include "engine/feed.h"
#include "engine/joint.h"
#include "engine/terms.h"

enum {
    AGAIN_MS = 500,    /* behind what was not published, for sure */
    ROTATE_MS = 5000,  /* until one that was told to stop lets another try */
    EARLY_MS = 1000    /* wishes of others that come so soon behind the first opening were there before it */
};

/* An id that becomes the memo when all windows are gone that had been opened by then. */
struct mark {
    struct buf id;
    uint64_t windows;
    bool is_set;
};

struct tenure {
    struct feed *feed;
    struct claims *claims;
    struct claim *claim; /* NULL: the link is closed */
    struct buf name;
    uint32_t server;
    bool held;
    bool in_doubt; /* held, but the link is suspended until the timer */
    uint64_t fence;
    uint64_t first_ms; /* when the link opened for the first time of all; 0: it did not, not here, or has a topic */
    struct buf memo;   /* as the claim has it, as far as is known */
    bool memo_known;
    uint64_t memo_start; /* of the epoch in which it is known */
    struct mark next, newest; /* ids that wait for windows */
    struct buf id;            /* of what is handled */
    struct buf sent;          /* the memo that goes with it */
    bool memo_sent;
    struct terms terms;
    struct timer timer;
    const char *untold; /* why those on other nodes must re-read, who have not been told */
    struct cluster_call *telling;
    struct timer tell_again;
};

static struct joint *joint_of(const struct tenure *tenure)
{
    return app_ports(tenure->feed->app)->joint;
}

static struct clock *clock_of(const struct tenure *tenure)
{
    return app_ports(tenure->feed->app)->clock;
}

/* ---- the memo ---- */

static void set(struct buf *buf, struct bytes bytes)
{
    buf_clear(buf);
    buf_add_bytes(buf, bytes);
}

/* Of the epoch at hand. */
static uint64_t start_of(const struct tenure *tenure)
{
    return cluster_start(joint_of(tenure)->cluster, tenure->server);
}

static void know(struct tenure *tenure, struct bytes memo)
{
    set(&tenure->memo, memo);
    tenure->memo_known = true;
    tenure->memo_start = start_of(tenure);
}

static void mark_set(struct mark *mark, struct bytes id, uint64_t windows)
{
    set(&mark->id, id);
    mark->windows = windows;
    mark->is_set = true;
}

static void forget_marks(struct tenure *tenure)
{
    tenure->next.is_set = tenure->newest.is_set = false;
}

/* What is handled was begun in this tenure, not in one that is over. */
static bool is_present(const struct tenure *tenure)
{
    return tenure->held && tenure->terms.fence == tenure->fence;
}

/* The newest id of which all is published once this is. Two are remembered: one that has its turn next, and the newest;
 * what is between them is never said, which does no harm. */
static struct bytes choose_memo(const struct terms *terms)
{
    struct tenure *tenure = CONTAINER(terms, struct tenure, terms);
    if (!is_present(tenure)) return (struct bytes){NULL, 0};
    struct hub *hub = app_hub(tenure->feed->app);
    const uint64_t oldest = hub_windows_oldest(hub);
    if (tenure->id.size) mark_set(&tenure->newest, buf_bytes(&tenure->id), hub_windows_opened(hub));
    if (tenure->newest.is_set && !tenure->next.is_set)
        mark_set(&tenure->next, buf_bytes(&tenure->newest.id), tenure->newest.windows);
    tenure->memo_sent = true;
    if (tenure->newest.is_set && tenure->newest.windows < oldest) {
        set(&tenure->sent, buf_bytes(&tenure->newest.id));
        forget_marks(tenure);
    } else if (tenure->next.is_set && tenure->next.windows < oldest) {
        set(&tenure->sent, buf_bytes(&tenure->next.id));
        mark_set(&tenure->next, buf_bytes(&tenure->newest.id), tenure->newest.windows);
    } else {
        tenure->memo_sent = false;
    }
    return tenure->memo_sent ? buf_bytes(&tenure->sent) : (struct bytes){NULL, 0};
}

const struct terms *tenure_terms(struct tenure *tenure, struct bytes id)
{
    if (!tenure) return NULL;
    set(&tenure->id, id);
    tenure->memo_sent = false;
    tenure->terms = (struct terms){.claim = buf_bytes(&tenure->name),
                                   .claim_server = tenure->server,
                                   .fence = tenure->fence,
                                   .memo = choose_memo};
    return &tenure->terms;
}

/* ---- telling others ---- */

static void tell(struct tenure *tenure);

static void on_told(void *owner, const struct redis_answer *answer)
{
    struct tenure *tenure = owner;
    tenure->telling = NULL;
    if (answer->value)
        tenure->untold = NULL;
    else
        clock_after(clock_of(tenure), &tenure->tell_again, AGAIN_MS);
}

static void tell(struct tenure *tenure)
{
    tenure->telling = telling_begin(joint_of(tenure)->cluster, tenure->server, buf_bytes(&tenure->name),
                                    tenure->fence, bytes_of(tenure->untold), on_told, tenure);
}

static void on_tell_again(struct timer *timer)
{
    tell(CONTAINER(timer, struct tenure, tell_again));
}

static void tell_no_more(struct tenure *tenure)
{
    if (tenure->telling) cluster_cancel(tenure->telling);
    clock_cancel(clock_of(tenure), &tenure->tell_again);
    tenure->telling = NULL;
    tenure->untold = NULL;
}

void tenure_tell(struct tenure *tenure, const char *reason)
{
    if (!tenure || !tenure->held) return;
    tell_no_more(tenure);
    tenure->untold = reason;
    tell(tenure);
}

static void on_letter(struct cluster_letters *letters, uint32_t server, struct bytes payload)
{
    struct feeds *feeds = CONTAINER(letters, struct feeds, _told);
    struct bytes word, name;
    (void)server;
    if (!telling_read(payload, &word, &name)) return;
    LIST_EACH(node, &feeds->_all) {
        struct feed *feed = CONTAINER(node, struct feed, node);
        if (!bytes_equal(buf_bytes(&feed->tenure->name), name)) continue;
        feed_tell_leaseholders(feed, bytes_is(word, "rule") ? "rule" : "upstream");
    }
}

void tenures_create(struct feeds *feeds)
{
    struct joint *joint = app_ports(feeds->_app)->joint;
    feeds->_told = (struct cluster_letters){.kind = "told", .letter = on_letter};
    if (joint) cluster_letters(joint->cluster, &feeds->_told);
}

void tenures_destroy(struct feeds *feeds)
{
    if (app_ports(feeds->_app)->joint) cluster_no_letters(&feeds->_told);
}

/* ---- the link ---- */

static void go_on(struct tenure *tenure, bool ever)
{
    const struct bytes memo = tenure->memo_known ? buf_bytes(&tenure->memo) : BYTES("");
    tenure->in_doubt = false;
    link_keep(tenure->feed->link, claim_others(tenure->claim) > 0);
    link_resume(tenure->feed->link, memo, ever || tenure->memo_known);
}

static void hang_up(struct tenure *tenure)
{
    clock_cancel(clock_of(tenure), &tenure->timer);
    tell_no_more(tenure);
    forget_marks(tenure);
    feed_drop_queue(tenure->feed);
    link_suspend(tenure->feed->link);
}

static void rotate_after(struct tenure *tenure, uint64_t ms)
{
    const struct link *link = tenure->feed->link;
    if (link && link_state(link) == LINK_STOPPED)
        clock_after(clock_of(tenure), &tenure->timer, ms);
}

static void on_timer(struct timer *timer)
{
    struct tenure *tenure = CONTAINER(timer, struct tenure, timer);
    if (!tenure->held) return;
    if (tenure->in_doubt) {
        go_on(tenure, false);
    } else if (link_state(tenure->feed->link) == LINK_STOPPED) {
        rotate_after(tenure, ROTATE_MS);
        claim_pass_on(tenure->claim);
    }
}

/* ---- the claim ---- */

static void on_held(void *owner, struct bytes memo, uint64_t before)
{
    struct tenure *tenure = owner;
    const bool others = before > tenure->fence; /* held it since */
    tenure->held = true;
    tenure->fence = claim_fence(tenure->claim);
    if (memo.data)
        know(tenure, memo);
    else if (others || tenure->memo_start == start_of(tenure)) /* what they did last is forgotten */
        tenure->memo_known = false;
    /* else the one that was known before a server forgot all is the best there is */
    LOG(app_ports(tenure->feed->app)->log, LOG_DEBUG, "link held",
        F_BYTES("upstream", atom_bytes(tenure->feed->upstream->name)),
        F_BYTES("key", atom_bytes(tenure->feed->key)),
        F_BYTES("after", tenure->memo_known ? buf_bytes(&tenure->memo) : BYTES("")),
        F_NUMBER("ever", before != 0));
    go_on(tenure, before != 0);
    rotate_after(tenure, ROTATE_MS);
}

static void on_lost(void *owner, const char *why)
{
    struct tenure *tenure = owner;
    struct feed *feed = tenure->feed;
    LOG(app_ports(feed->app)->log, LOG_INFO, "link not held",
        F_BYTES("upstream", atom_bytes(feed->upstream->name)), F_BYTES("key", atom_bytes(feed->key)),
        F_TEXT("why", why));
    tenure->held = false;
    hang_up(tenure);
    link_keep(feed->link, false);
    if (list_empty(&feed->leases)) feed_close(feed);
}

static void on_others(void *owner, uint32_t count)
{
    struct tenure *tenure = owner;
    struct feed *feed = tenure->feed;
    if (!tenure->held) return;
    if (count && tenure->first_ms && clock_of(tenure)->now_ms - tenure->first_ms < EARLY_MS) {
        tenure->first_ms = 0;
        feed_reopened(feed);
    }
    rotate_after(tenure, AGAIN_MS);
    link_keep(feed->link, count > 0);
}

static const struct claim_events claim_events = {on_held, on_lost, on_others};

static void wish(struct tenure *tenure)
{
    tenure->held = tenure->in_doubt = false;
    tenure->claim = claim_new(tenure->claims, tenure->server, buf_bytes(&tenure->name),
                              &claim_events, tenure);
}

/* Without leases it is one of the others that wishes it. */
static void wish_anew(struct tenure *tenure, uint32_t server, uint64_t keep_ms)
{
    if (list_empty(&tenure->feed->leases)) {
        feed_close(tenure->feed);
        return;
    }
    hang_up(tenure);
    claim_free(tenure->claim, keep_ms);
    tenure->server = server;
    wish(tenure);
}

/* ---- what was handled ---- */

static bool is_definite(const char *code)
{
    return strcmp(code, "away") == 0 || strcmp(code, "epoch") == 0;
}

void tenure_handled(struct tenure *tenure, const char *unpublished)
{
    if (!is_present(tenure)) return;
    if (!unpublished) {
        if (!tenure->memo_sent) return;
        know(tenure, buf_bytes(&tenure->sent));
        return;
    }
    if (tenure->in_doubt) return;
    LOG(app_ports(tenure->feed->app)->log, LOG_WARN, "what a link brought was not published",
        F_BYTES("upstream", atom_bytes(tenure->feed->upstream->name)),
        F_BYTES("key", atom_bytes(tenure->feed->key)), F_TEXT("why", unpublished));
    if (!is_definite(unpublished)) {
        wish_anew(tenure, tenure->server, CLAIMS_KEPT_MS);
        return;
    }
    hang_up(tenure);
    tenure->in_doubt = true;
    clock_after(clock_of(tenure), &tenure->timer, AGAIN_MS);
}

/* ---- the face ---- */

static uint32_t server_of(const struct tenure *tenure)
{
    const struct feed *feed = tenure->feed;
    const struct plan_topic *topic = feed->upstream->topic;
    const struct cluster *cluster = joint_of(tenure)->cluster;
    if (!topic) return cluster_server_of(cluster, buf_bytes(&tenure->name));
    struct buf name = BUF_EMPTY;
    const struct bytes key = atom_bytes(feed->key);
    buf_printf(&name, "%s:", app_plan(feed->app)->app->text);
    pattern_format(topic->pattern, &key, &name);
    const uint32_t server = cluster_server_of(cluster, buf_bytes(&name));
    buf_destroy(&name);
    return server;
}

struct tenure *tenure_new(struct feed *feed)
{
    struct joint *joint = app_ports(feed->app)->joint;
    if (!joint) return NULL;
    struct tenure *tenure = xcalloc(1, sizeof(*tenure));
    tenure->feed = feed;
    tenure->claims = joint->claims;
    buf_printf(&tenure->name, "link:%s:%s:", app_plan(feed->app)->app->text,
               feed->upstream->name->text);
    buf_add_bytes(&tenure->name, atom_bytes(feed->key));
    tenure->server = server_of(tenure);
    timer_init(&tenure->timer, on_timer);
    timer_init(&tenure->tell_again, on_tell_again);
    link_suspend(feed->link);
    wish(tenure);
    return tenure;
}

void tenure_free(struct tenure *tenure)
{
    if (!tenure) return;
    CHECK(!tenure->claim);
    buf_destroy(&tenure->name);
    buf_destroy(&tenure->memo);
    buf_destroy(&tenure->next.id);
    buf_destroy(&tenure->newest.id);
    buf_destroy(&tenure->id);
    buf_destroy(&tenure->sent);
    xfree(tenure);
}

bool tenure_holds(struct tenure *tenure)
{
    if (!tenure) return true;
    /* A renewal that comes late does not bring back what was dropped: so it is lost for all. */
    if (tenure->held && !claim_holds(tenure->claim)) claims_check(tenure->claims);
    return tenure->held && !tenure->in_doubt;
}

void tenure_wanted(struct tenure *tenure)
{
    if (tenure && tenure->claim) claim_wish(tenure->claim);
}

void tenure_unwanted(struct tenure *tenure)
{
    if (!tenure || !tenure->claim) return;
    if (tenure->held)
        claim_unwish(tenure->claim);
    else
        feed_close(tenure->feed);
}

bool tenure_lets_go(struct tenure *tenure)
{
    if (!tenure || !list_empty(&tenure->feed->leases)) return false;
    feed_close(tenure->feed);
    return true;
}

bool tenure_opened(struct tenure *tenure, bool reopened)
{
    if (!tenure || reopened) return false;
    if (!tenure->feed->upstream->topic) tenure->first_ms = clock_of(tenure)->now_ms;
    return true;
}

void tenure_lost(struct tenure *tenure)
{
    if (tenure && tenure->held) rotate_after(tenure, AGAIN_MS);
}

void tenure_closed(struct tenure *tenure, bool grace_is_over)
{
    if (!tenure) return;
    const uint64_t grace_ms = tenure->feed->upstream->policy.grace_ms;
    clock_cancel(clock_of(tenure), &tenure->timer);
    tell_no_more(tenure);
    feed_drop_queue(tenure->feed);
    claim_free(tenure->claim, grace_is_over ? 0 : grace_ms);
    tenure->claim = NULL;
    tenure->held = false;
}

void tenure_swap(struct tenure *tenure)
{
    if (!tenure || !tenure->claim) return;
    const uint32_t server = server_of(tenure);
    if (server != tenure->server) wish_anew(tenure, server, 0);
}
