#include "server/server.h"

#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/hash.h"
#include "engine/node.h"
#include "http/http.h"
#include "http/listener.h"
#include "http/static.h"
#include "loop/logger.h"
#include "loop/loop.h"
#include "peers/peers.h"
#include "script/vm.h"
#include "server/config.h"
#include "server/version.h"
#include "upstream/gate.h"

/* One rule file with what was made of it. */
struct loaded {
    char *path;
    struct vm *vm;
    struct plan *plan;
};

struct parts {
    struct loop *loop;
    struct http *public_http, *admin_http;
    struct peers *peers;
    struct static_files files;
    struct gate gate;
    struct order order;
    struct engine_ports ports;
    struct loaded *loaded;
    size_t loaded_count;
    char *scripts;
    struct timer drain_timer, look_timer;
    int exit_code;
};
