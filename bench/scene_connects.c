#include "scene.h"

#include <unistd.h>

#include "loop.h"
#include "report.h"
#include "storm.h"

enum { SETTLE_MS = 200 }; /* in which the server sees the last ones go */

void scene_connects(const struct options *options)
{
    struct loop loop;
    struct window window = {.seconds = 0};
    struct storm storm = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->stream_path},
        .users = options->users,
        .at_once = options->at_once,
        .await_ready = options->await_ready,
    };

    loop_create(&loop);
    window_begin(&window, options->server);
    storm_run(&storm, options->seconds);
    usleep(SETTLE_MS * 1000);
    window_end(&window);

    report_begin("connects");
    report_number("connects", (double)storm.served);
    report_number("refused", (double)storm.refused);
    report_number("refused_with", storm.refused_with);
    report_window(&window, (double)storm.served);
    report_end();
}
