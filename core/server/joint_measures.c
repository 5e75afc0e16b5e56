/* What a node in a cluster says of it: each Redis server, the bus, the claims. They are read where the rooms keep
 * them; the connections' own figures are the adapter's. */
#include "base/buf.h"
#include "base/text.h"
#include "engine/joint.h"
#include "peers/redis.h"
#include "server/measures.h"
#include "server/server.h"

/* ---- by server ---- */

/* The url is percent-encoded where it must be, so nothing in it ends a label. */
static void write_value(const struct server *server, uint32_t index, const char *name, double value,
                        struct buf *out)
{
    buf_printf(out, "%s{server=\"%s\"} %.15g\n", name,
               cluster_identity(server->joint->cluster, index), value);
}

/* `value` may look at `cluster`, `index` and `status`. */
#define BY_SERVER(function, value)                                                                 \
    static void function(const struct server *server, const char *name, struct buf *out)          \
    {                                                                                              \
        const struct cluster *cluster = server->joint->cluster;                                    \
        for (uint32_t index = 0; index < cluster_servers(cluster); index++) {                      \
            struct redis_peer_status status;                                                       \
            redis_peer_status_of(server->redis, cluster_redis(cluster, index), &status);           \
            write_value(server, index, name, (double)(value), out);                                \
        }                                                                                          \
    }

BY_SERVER(measure_up, strcmp(status.state, "up") == 0)
BY_SERVER(measure_here, cluster_here(cluster, index))
BY_SERVER(measure_evicts, cluster_evicts(cluster, index))
BY_SERVER(measure_beat, (double)cluster_beat_age_ms(cluster, index) / 1e3)
BY_SERVER(measure_entered, cluster_counters(cluster, index)->entered)
BY_SERVER(measure_aways, cluster_counters(cluster, index)->aways)
BY_SERVER(measure_epochs, cluster_counters(cluster, index)->epochs)
BY_SERVER(measure_commands, status.commands)
BY_SERVER(measure_errors, status.errors)
BY_SERVER(measure_refused, status.refused)
BY_SERVER(measure_timeouts, status.timeouts)
BY_SERVER(measure_losts, status.losts)
BY_SERVER(measure_failures, status.failures)
BY_SERVER(measure_messages, status.messages)
BY_SERVER(measure_calls, status.calls)
BY_SERVER(measure_bytes, status.bytes)
BY_SERVER(measure_untold, status.untold_bytes)

/* ---- of all servers ---- */

#define OF_BUS(function, member)                                                                   \
    static void function(const struct server *server, const char *name, struct buf *out)          \
    {                                                                                              \
        buf_printf(out, "%s %llu\n", name,                                                         \
                   (unsigned long long)trunk_counters(server->joint->trunk)->member);              \
    }

#define OF_CLAIMS(function, member)                                                                \
    static void function(const struct server *server, const char *name, struct buf *out)          \
    {                                                                                              \
        buf_printf(out, "%s %llu\n", name,                                                         \
                   (unsigned long long)claims_counters(server->joint->claims)->member);            \
    }

OF_BUS(measure_topics, topics)
OF_BUS(measure_published, published)
OF_BUS(measure_unpublished, refused)
OF_BUS(measure_received, received)
OF_BUS(measure_doubles, doubles)
OF_BUS(measure_holes, holes)
OF_BUS(measure_filled, filled)
OF_BUS(measure_loads, loads)
OF_BUS(measure_checks, checks)
OF_CLAIMS(measure_claims, claims)
OF_CLAIMS(measure_held, held)
OF_CLAIMS(measure_granted, granted)
OF_CLAIMS(measure_lost, lost)
OF_CLAIMS(measure_passed_on, passed_on)

const struct measure joint_measures[] = {
    {"sluice_redis_up", "gauge", "1 while both connections to the server stand, the one for commands and the one "
     "for channels.", "server", measure_up},
    {"sluice_redis_here", "gauge", "1 while the server can be used: entered, its epoch known.", "server",
     measure_here},
    {"sluice_redis_may_evict", "gauge",
     "1 where the server has maxmemory and a maxmemory-policy other than noeviction, so that it may drop what it was to "
     "keep; asked as it is entered.", "server", measure_evicts},
    {"sluice_redis_beat_age_seconds", "gauge",
     "Since this node's last beat came back from the server; one is sent every second, and after 4 the server is given "
     "up.", "server", measure_beat},
    {"sluice_redis_entered_total", "counter", "Times that the server became usable.", "server", measure_entered},
    {"sluice_redis_away_total", "counter", "Times that it was so no more.", "server", measure_aways},
    {"sluice_redis_epochs_total", "counter",
     "Of the times that it became usable, those in which it had forgotten what it knew, or may have: its topics were "
     "told to re-read.", "server", measure_epochs},
    {"sluice_redis_commands_total", "counter", "Commands sent.", "server", measure_commands},
    {"sluice_redis_errors_total", "counter", "Commands that the server answered with an error.", "server",
     measure_errors},
    {"sluice_redis_refused_total", "counter",
     "Commands not sent: the server was away, or too many waited already.", "server", measure_refused},
    {"sluice_redis_timeouts_total", "counter", "Times that the server was given up for its silence.", "server",
     measure_timeouts},
    {"sluice_redis_connections_lost_total", "counter", "Connections that stood and were lost.", "server",
     measure_losts},
    {"sluice_redis_connects_failed_total", "counter", "Connections that were tried and did not come to stand.",
     "server", measure_failures},
    {"sluice_redis_messages_total", "counter", "Messages of channels.", "server", measure_messages},
    {"sluice_redis_waiting_commands", "gauge", "Commands that wait for their answers.", "server", measure_calls},
    {"sluice_redis_waiting_bytes", "gauge", "Their bytes.", "server", measure_bytes},
    {"sluice_redis_unread_bytes", "gauge",
     "Bytes of answers and messages that were taken from the sockets and have not had their turn.", "server",
     measure_untold},
    {"sluice_bus_topics", "gauge", "Topics that this node listens to.", NULL, measure_topics},
    {"sluice_bus_published_total", "counter", "Triggers that this node published.", NULL, measure_published},
    {"sluice_bus_refused_total", "counter",
     "Triggers whose publishing failed; of those that ended by a lost connection or a time-out nobody knows.", NULL,
     measure_unpublished},
    {"sluice_bus_received_total", "counter", "Triggers that came, from this node and from others.", NULL,
     measure_received},
    {"sluice_bus_doubles_total", "counter", "Triggers that came once more, which are not among these.", NULL, measure_doubles},
    {"sluice_bus_holes_total", "counter", "Times that a message was missing.", NULL, measure_holes},
    {"sluice_bus_holes_filled_total", "counter",
     "Of these, those whose triggers were all still in the history; the others' topics were told to re-read.", NULL,
     measure_filled},
    {"sluice_bus_loads_total", "counter", "Topics whose history was read as a subscriber came.", NULL, measure_loads},
    {"sluice_bus_checks_total", "counter", "Topics that were looked at again after a server had been away.", NULL,
     measure_checks},
    {"sluice_claims", "gauge", "Names that this node wishes to hold: links, sources of app:redis.", NULL,
     measure_claims},
    {"sluice_claims_held", "gauge", "Of these, those that it holds.", NULL, measure_held},
    {"sluice_claims_granted_total", "counter", "Times that it was granted one.", NULL, measure_granted},
    {"sluice_claims_lost_total", "counter",
     "Times that it lost one: another node has it, or a lease went by without the server's word.", NULL, measure_lost},
    {"sluice_claims_passed_on_total", "counter", "Times that it let go of one for another node.", NULL,
     measure_passed_on},
};

const size_t joint_measure_count = sizeof(joint_measures) / sizeof(joint_measures[0]);
