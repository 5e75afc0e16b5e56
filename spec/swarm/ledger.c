#include "ledger.h"

#include <stdlib.h>

#include "bench/die.h"

uint32_t ledger_begin(const struct ledger *ledger, struct topic *topic)
{
    uint32_t number = ++topic->begun;

    if (number >= topic->_room) {
        topic->_room = topic->_room ? topic->_room * 2 : 64;
        topic->_records = realloc(topic->_records, topic->_room * sizeof *topic->_records);
        if (!topic->_records) die("out of memory");
    }
    topic->_records[number] = (struct record){.epoch = ledger->epoch, .attempts = 1};
    return number;
}

void ledger_again(struct topic *topic)
{
    topic->_records[topic->begun].attempts++;
}

void ledger_lose(const struct ledger *ledger, struct place *place)
{
    place->by = place->topic->begun + 1;
    place->told = ledger->epoch;
}

static bool is_excused(const struct place *place, uint32_t number)
{
    const struct record *record = &place->topic->_records[number];

    return record->attempts > 1 && record->epoch < place->told;
}

enum verdict ledger_take(struct ledger *ledger, struct place *place, uint32_t number)
{
    if (number == 0 || number > place->topic->begun) return LEDGER_UNKNOWN;
    if (number <= place->last) {
        if (!is_excused(place, number)) return LEDGER_DOUBLE;
        ledger->again++;
        return LEDGER_GOOD;
    }

    bool good = place->by ? number <= place->by : number == place->last + 1;

    place->last = number;
    place->by = 0;
    ledger->said += good;
    return good ? LEDGER_GOOD : LEDGER_HOLE;
}

bool ledger_misses(const struct place *place)
{
    return place->last < place->topic->acked && (!place->by || place->topic->acked >= place->by);
}
