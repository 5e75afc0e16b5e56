#include "upstream/link.h"

const char *link_state_name(enum link_state state)
{
    static const char *const names[LINK_STATES] = {"idle", "asking",  "queued",  "connecting",
                                                   "open", "waiting", "stopped", "closed"};
    return names[state];
}
