#include "ledger.h"

void ledger_lose(struct place *place)
{
    place->by = place->topic->begun + 1;
}

void ledger_begin_anew(struct place *place)
{
    ledger_lose(place);
    place->before = place->last;
    place->again = 0;
}

/* A number that is not above the last. */
static enum verdict take_again(struct ledger *ledger, struct place *place, uint32_t number)
{
    if (number > place->before || number <= place->again) return LEDGER_DOUBLE;
    place->again = number;
    ledger->again++;
    return LEDGER_GOOD;
}

enum verdict ledger_take(struct ledger *ledger, struct place *place, uint32_t number)
{
    if (number == 0 || number > place->topic->begun) return LEDGER_UNKNOWN;
    if (number <= place->last) return take_again(ledger, place, number);

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
