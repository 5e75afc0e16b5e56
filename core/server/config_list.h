/* config_list: a text or a list of texts, as the config has it. */
#pragma once

#include <stddef.h>

struct config_list {
    char **items;
    size_t count;
};
