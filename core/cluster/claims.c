/* A claim has at most one question under way (claim_asker.h); what comes up meanwhile is asked behind its
 * answer. Renewals fall due on a grid of time, so that thousands of claims go in few scripts. When a server is
 * entered, everything is asked at once.
 *
 * A letter says no more than that something about a name is new: what is new is what the answer to
 * the next question says. So letters and answers, which come on two connections, cannot contradict
 * each other. */
#include "cluster/claims.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/dict.h"
#include "cluster/claim_asker.h"

enum {
    GRID_MS = 100,
    RETRY_MS = 200,   /* behind a question that failed, and as much again at random */
    BROKEN_MS = 2000, /* behind one that the server answered with an error */
    JITTER_MS = 400
};

struct server {
    struct claims *claims;
    uint32_t index;
    bool broken; /* it answers with errors; said once */
    struct dict claims_by_name;
    struct claim_asker asker;
};

struct claims {
    struct cluster *cluster;
    struct cluster_ports ports;
    struct cluster_watcher watcher;
    struct cluster_letters letters;
    struct claims_counters counters;
    struct list held;
    uint64_t ids;
    struct server servers[CLUSTER_SERVERS];
};

struct claim {
    struct claims *claims;
    struct server *server;
    const struct claim_events *events;
    void *owner;
    struct list of_held;
    struct claim_question question;
    struct timer ask, end;
    uint64_t id;       /* of the last question that wished it: see claim.lua */
    uint64_t fence;    /* the highest that is known of the name; while it is held, its own */
    uint64_t until_us; /* by the own clock; while it is held */
    uint32_t others, busy;
    bool wished, held;
    bool again; /* ask once more, behind the answer that is under way */
    bool known; /* the server may know of the wish */
    bool gone;  /* freed from within what it was told */
    uint32_t size;
    char name[];
};

static uint64_t now_us(const struct claims *claims)
{
    return clock_read_us(claims->ports.clock);
}

/* ---- asking ---- */

static bool write_question(struct claim_question *question, struct claim_words *words)
{
    struct claim *claim = CONTAINER(question, struct claim, question);
    if (claim->held && !claim_holds(claim)) return false; /* its timer is due, and asks again */
    const struct bytes what = !claim->held    ? BYTES("wish")
                              : claim->wished ? BYTES("hold")
                                              : BYTES("keep");
    if (!claim->held) claim->id = ++claim->claims->ids;
    claim_words_add_claim(words, claim_name(claim), claim->id, claim->fence, what);
    claim->known = true;
    return true;
}

/* Asks as soon as may be. */
static void ask(struct claim *claim)
{
    struct server *server = claim->server;
    clock_cancel(claim->claims->ports.clock, &claim->ask);
    if (!claim->held && !claim->wished) return;
    if (!cluster_here(claim->claims->cluster, server->index)) return; /* asked when it is entered */
    claim->again = claim_question_is_under_way(&claim->question);
    claim_ask(&server->asker, &claim->question);
}

static void on_ask(struct timer *timer)
{
    ask(CONTAINER(timer, struct claim, ask));
}

/* At a random moment of the last spread_ms of the delay. */
static void ask_after(struct claim *claim, uint64_t delay_ms, uint64_t spread_ms)
{
    const struct cluster_ports *ports = &claim->claims->ports;
    const uint64_t earlier_ms = random_below(ports->random, spread_ms + 1);
    clock_after(ports->clock, &claim->ask, delay_ms - earlier_ms);
}

/* No answer to what is under way means anything to it any more. */
static void detach(struct claim *claim)
{
    claim_question_take_back(&claim->question);
    claim->again = false;
    clock_cancel(claim->claims->ports.clock, &claim->ask);
}

/* ---- what its owner is told: last of all, as the claim may be gone then ---- */

static bool leave(struct claim *claim)
{
    if (--claim->busy == 0 && claim->gone) {
        xfree(claim);
        return false;
    }
    return !claim->gone;
}

static void tell_others(struct claim *claim, uint32_t count)
{
    if (claim->others == count) return;
    claim->others = count;
    claim->busy++;
    claim->events->others(claim->owner, count);
    leave(claim);
}

static void stop_holding(struct claim *claim)
{
    claim->held = false;
    claim->claims->counters.held--;
    list_remove(&claim->of_held);
    clock_cancel(claim->claims->ports.clock, &claim->end);
}

static bool tell_lost(struct claim *claim, const char *why)
{
    LOG(claim->claims->ports.log, LOG_DEBUG, "claim lost", F_BYTES("name", claim_name(claim)),
        F_TEXT("why", why));
    claim->busy++;
    claim->events->lost(claim->owner, why);
    return leave(claim);
}

static bool lose(struct claim *claim, const char *why)
{
    stop_holding(claim);
    claim->claims->counters.lost++;
    ask_after(claim, 0, 0);
    return tell_lost(claim, why);
}

static void on_end(struct timer *timer)
{
    lose(CONTAINER(timer, struct claim, end), "it was not renewed in time");
}

/* ---- answers ---- */

static uint64_t end_of_lease(uint64_t sent_us)
{
    return sent_us + (CLAIMS_LEASE_MS - CLAIMS_MARGIN_MS) * UINT64_C(1000);
}

static void extend(struct claim *claim, uint64_t sent_us)
{
    struct clock *clock = claim->claims->ports.clock;
    const uint64_t renew_ms = clock->now_ms + CLAIMS_RENEW_MS;
    claim->until_us = end_of_lease(sent_us);
    wheel_arm(&clock->wheel, &claim->end, claim->until_us / 1000);
    wheel_arm(&clock->wheel, &claim->ask, renew_ms - renew_ms % GRID_MS);
}

static bool begin_holding(struct claim *claim, const struct claim_answer *answer, uint64_t sent_us)
{
    struct claims *claims = claim->claims;
    claim->held = true;
    claims->counters.held++;
    claims->counters.granted++;
    list_append(&claims->held, &claim->of_held);
    extend(claim, sent_us);
    LOG(claims->ports.log, LOG_DEBUG, "claim held", F_BYTES("name", claim_name(claim)),
        F_NUMBER("fence", claim->fence));
    claim->busy++;
    claim->events->held(claim->owner, answer->memo, answer->before);
    return leave(claim);
}

/* False: the claim is gone. */
static bool take_grant(struct claim *claim, const struct claim_answer *answer, uint64_t sent_us)
{
    if (now_us(claim->claims) < end_of_lease(sent_us)) return begin_holding(claim, answer, sent_us);
    ask(claim); /* it was under way for so long that what it grants is over */
    return true;
}

static bool take_refusal(struct claim *claim, const struct claim_answer *answer)
{
    if (claim->held && !lose(claim, "another node holds it, or the server lost it")) return false;
    if (claim->wished && !claim->held)
        ask_after(claim, answer->again_ms + 1 + JITTER_MS, JITTER_MS);
    return true;
}

/* A renewal that its own clock did not wait for is asked about anew already. */
static void take(struct claim *claim, const struct claim_answer *answer, uint64_t sent_us)
{
    bool is_there = true;
    if (answer->fence > claim->fence) claim->fence = answer->fence;
    if (answer->verdict == CLAIM_GRANTED)
        is_there = take_grant(claim, answer, sent_us);
    else if (answer->verdict != CLAIM_RENEWED)
        is_there = take_refusal(claim, answer);
    else if (claim->held)
        extend(claim, sent_us);
    if (!is_there) return;
    if (claim->again) ask(claim);
    tell_others(claim, answer->others);
}

static void fail(struct claim *claim, const struct redis_answer *answer)
{
    const bool error = answer->value || strcmp(answer->code, "error") == 0;
    claim->again = false;
    ask_after(claim, error ? BROKEN_MS : RETRY_MS, RETRY_MS / 2);
    if (!error || claim->server->broken) return;
    claim->server->broken = true;
    LOG(claim->claims->ports.log, LOG_ERROR, "redis does not understand a claim",
        F_BYTES("name", claim_name(claim)),
        F_TEXT("answer", answer->value ? "a strange answer" : answer->sentence));
}

static void on_answered(struct claim_question *question, const struct claim_answer *answer,
                        uint64_t sent_us)
{
    struct claim *claim = CONTAINER(question, struct claim, question);
    claim->server->broken = false;
    take(claim, answer, sent_us);
}

static void on_failed(struct claim_question *question, const struct redis_answer *answer)
{
    fail(CONTAINER(question, struct claim, question), answer);
}

static const struct claim_asker_events asker_events = {write_question, on_answered, on_failed};

/* ---- letting go ---- */

/* On the way behind what was asked before, in the same order. */
static void let_go(struct claim *claim, uint64_t keep_ms)
{
    struct claim_words words;
    const uint64_t fence = claim->held ? claim->fence : 0;
    detach(claim);
    if (!claim->known || !cluster_here(claim->claims->cluster, claim->server->index)) return;
    claim_words_free(&words, cluster_node(claim->claims->cluster), claim_name(claim), claim->id,
                     fence, keep_ms);
    claim_asker_say(&claim->server->asker, &words);
    claim->known = false;
}

/* ---- the cluster's events ---- */

static void on_entered(struct cluster_watcher *watcher, uint32_t index, bool fresh)
{
    (void)fresh; /* the server itself knows that nobody may be granted a name yet */
    struct claims *claims = CONTAINER(watcher, struct claims, watcher);
    struct server *server = &claims->servers[index];
    for (struct dict_entry *entry = NULL; (entry = dict_next(&server->claims_by_name, entry));)
        ask(entry->value);
    claim_asker_send(&server->asker);
}

/* What is held is so until the own clock says that it is over. What was to be asked is asked when
 * it is entered. */
static void on_away(struct cluster_watcher *watcher, uint32_t index)
{
    claim_asker_drop(&CONTAINER(watcher, struct claims, watcher)->servers[index].asker);
}

static void on_letter(struct cluster_letters *letters, uint32_t index, struct bytes name)
{
    struct claims *claims = CONTAINER(letters, struct claims, letters);
    struct claim *claim = dict_get(&claims->servers[index].claims_by_name, name);
    if (claim) ask(claim);
}

/* ---- life ---- */

struct claims *claims_new(struct cluster *cluster, const struct cluster_ports *ports)
{
    struct claims *claims = xcalloc(1, sizeof(*claims));
    claims->cluster = cluster;
    claims->ports = *ports;
    claims->watcher = (struct cluster_watcher){.entered = on_entered, .away = on_away};
    claims->letters = (struct cluster_letters){.kind = "claim", .letter = on_letter};
    list_create(&claims->held);
    for (uint32_t i = 0; i < CLUSTER_SERVERS; i++) {
        struct server *server = &claims->servers[i];
        *server = (struct server){.claims = claims, .index = i};
        claim_asker_create(&server->asker, cluster, ports->clock, i, &asker_events);
    }
    cluster_watch(cluster, &claims->watcher);
    cluster_letters(cluster, &claims->letters);
    return claims;
}

void claims_free(struct claims *claims)
{
    CHECK(claims->counters.claims == 0);
    cluster_unwatch(&claims->watcher);
    cluster_no_letters(&claims->letters);
    for (uint32_t i = 0; i < CLUSTER_SERVERS; i++) {
        claim_asker_destroy(&claims->servers[i].asker);
        dict_destroy(&claims->servers[i].claims_by_name);
    }
    xfree(claims);
}

void claims_check(struct claims *claims)
{
    const uint64_t now = now_us(claims);
    struct list over;
    list_create(&over);
    LIST_EACH(node, &claims->held)
    {
        if (CONTAINER(node, struct claim, of_held)->until_us > now) continue;
        list_remove(node);
        list_append(&over, node);
    }
    while (!list_empty(&over)) on_end(&CONTAINER(over.next, struct claim, of_held)->end);
}

struct claim *claim_new(struct claims *claims, uint32_t index, struct bytes name,
                        const struct claim_events *events, void *owner)
{
    CHECK(index < cluster_servers(claims->cluster));
    struct claim *claim = xcalloc(1, sizeof(*claim) + name.size);
    claim->claims = claims;
    claim->server = &claims->servers[index];
    claim->events = events;
    claim->owner = owner;
    claim->wished = true;
    claim->size = (uint32_t)name.size;
    memcpy(claim->name, name.data, name.size);
    claim_question_create(&claim->question);
    list_create(&claim->of_held);
    timer_init(&claim->ask, on_ask);
    timer_init(&claim->end, on_end);
    CHECK(!dict_set(&claim->server->claims_by_name, name, claim));
    claims->counters.claims++;
    ask(claim);
    return claim;
}

void claim_free(struct claim *claim, uint64_t keep_ms)
{
    let_go(claim, keep_ms);
    if (claim->held) stop_holding(claim);
    dict_remove(&claim->server->claims_by_name, claim_name(claim));
    claim->claims->counters.claims--;
    claim->gone = true;
    if (!claim->busy) xfree(claim);
}

void claim_unwish(struct claim *claim)
{
    claim->wished = false;
    if (!claim->held) let_go(claim, CLAIMS_KEPT_MS); /* else the next renewal says so */
}

void claim_wish(struct claim *claim)
{
    if (claim->wished) return;
    claim->wished = true;
    if (!claim->held) ask(claim);
}

void claim_pass_on(struct claim *claim)
{
    struct claims *claims = claim->claims;
    if (!claim_holds(claim) || !claim->others) return;
    if (!cluster_here(claims->cluster, claim->server->index)) return;
    let_go(claim, CLAIM_PASS_ON);
    claim->known = claim->wished = true;
    claims->counters.passed_on++;
    stop_holding(claim);
    ask_after(claim, CLAIMS_LEASE_MS, JITTER_MS);
    tell_lost(claim, "it was passed on");
}

/* ---- queries ---- */

bool claim_holds(const struct claim *claim)
{
    return claim->held && now_us(claim->claims) < claim->until_us;
}

uint64_t claim_fence(const struct claim *claim)
{
    return claim->fence;
}

uint32_t claim_others(const struct claim *claim)
{
    return claim->others;
}

uint32_t claim_server(const struct claim *claim)
{
    return claim->server->index;
}

struct bytes claim_name(const struct claim *claim)
{
    return bytes_run(claim->name, claim->size);
}

const struct claims_counters *claims_counters(const struct claims *claims)
{
    return &claims->counters;
}
